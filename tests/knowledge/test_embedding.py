from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from knowledge import minilm as module
from knowledge.embedding import LEXICAL_ONLY, Embedder, open_embedder

Array = npt.NDArray[np.float64]


def bert_by_hand(weights: dict[str, Array], ids: list[int]) -> Array:
    """BERT as its paper and the model's config.json describe it, one text at a time, in float64 numpy."""

    def linear(x: Array, name: str) -> Array:
        return np.asarray(x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"])

    def norm(x: Array, name: str) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return np.asarray(scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"])

    def erf(x: Array) -> Array:
        # Abramowitz and Stegun 7.1.26, error below 1.5e-7
        t = 1 / (1 + 0.3275911 * np.abs(x))
        tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
        return np.asarray(np.sign(x) * (1 - tail * np.exp(-x * x)))

    e = "embeddings"
    x = weights[f"{e}.word_embeddings.weight"][ids] + weights[f"{e}.position_embeddings.weight"][: len(ids)]
    x = norm(x + weights[f"{e}.token_type_embeddings.weight"][0], f"{e}.LayerNorm")
    for number in range(6):
        layer = f"encoder.layer.{number}"
        heads = []
        q, k, v = (linear(x, f"{layer}.attention.self.{name}") for name in ("query", "key", "value"))
        for head in range(12):
            span = slice(head * 32, head * 32 + 32)
            scores = q[:, span] @ k[:, span].T / np.sqrt(32)
            soft = np.exp(scores - scores.max(-1, keepdims=True))
            heads.append(soft / soft.sum(-1, keepdims=True) @ v[:, span])
        x = norm(
            x + linear(np.concatenate(heads, -1), f"{layer}.attention.output.dense"),
            f"{layer}.attention.output.LayerNorm",
        )
        inner = linear(x, f"{layer}.intermediate.dense")
        inner = inner * (1 + erf(inner / np.sqrt(2))) / 2
        x = norm(x + linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
    mean = x.mean(0)
    return np.asarray(mean / np.linalg.norm(mean))


def test_vectors_equal_an_independent_implementation_of_the_model(minilm: Embedder) -> None:
    weights_folder = module.find_weights()
    assert weights_folder is not None
    weights = {
        name: value.astype(np.float64) for name, value in load_file(weights_folder / "model.safetensors").items()
    }
    tokenizer = Tokenizer.from_file(str(weights_folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    texts = ["The portal answers 502 since 8 o'clock.", "x", "Who ends a session that blocks the others? " * 40]
    got = minilm.embed(texts)
    for text, row in zip(texts, got, strict=True):
        wanted = bert_by_hand(weights, tokenizer.encode(text).ids)
        assert float(np.abs(row - wanted).max()) < 2e-5


def test_paraphrases_are_near_and_strangers_far(minilm: Embedder) -> None:
    a, b, c = minilm.embed(
        ["The website answers bad gateway", "The site returns 502 Bad Gateway to visitors", "Bananas are yellow"]
    )
    assert float(a @ b) > 0.6
    assert float(a @ c) < 0.2


def test_a_vector_does_not_depend_on_its_companions(minilm: Embedder) -> None:
    texts = ["short", "a rather longer text about disks that fill up " * 20, "", "medium length text here"]
    together = minilm.embed(texts)
    alone = np.concatenate([minilm.embed([text]) for text in texts])
    assert float(np.abs(together - alone).max()) < 1e-5
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_a_megabyte_of_text_is_cut_and_embedded(minilm: Embedder) -> None:
    assert minilm.embed(["error in line 17 " * 60_000]).shape == (1, minilm.dimension)
    assert minilm.embed([]).shape == (0, minilm.dimension)


def test_a_damaged_graph_in_the_cache_is_built_again(minilm: Embedder, model_cache: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(model_cache, cache, ignore=shutil.ignore_patterns(".build-*"))
    graph = next(cache.glob("*/*.data"))
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 0xFF
    graph.write_bytes(content)
    again = open_embedder(cache).embedder
    assert again is not None
    assert float(again.embed(["disk full"])[0] @ minilm.embed(["disk full"])[0]) == pytest.approx(1, abs=1e-5)
    assert [path.name for path in cache.iterdir() if path.name.startswith(".build")] == []


def test_without_the_package_there_is_a_plain_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "PACKAGE", "a_package_that_is_not_here")
    choice = open_embedder(tmp_path)
    assert choice.embedder is None
    assert choice.warning == LEXICAL_ONLY


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_other_weights_under_the_same_name_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    real = module.find_weights()
    assert real is not None
    copy = tmp_path / "model"
    copy.mkdir()
    for file in ("model.safetensors", "tokenizer.json"):
        (copy / file).symlink_to(real / file)
    (copy / name).unlink()
    (copy / name).write_bytes(b"not what it says")
    monkeypatch.setattr("knowledge.embedding.find_weights", lambda: copy)
    choice = open_embedder(tmp_path / "cache")
    assert choice.embedder is None
    assert name in choice.warning
    assert "SHA-256" in choice.warning


def test_a_download_that_fails_leaves_the_lexical_legs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("knowledge.embedding.find_weights", lambda: None)

    def broken() -> Any:
        raise OSError("no route to the host")

    choice = open_embedder(tmp_path, download=broken)
    assert choice.embedder is None
    assert "no route to the host" in choice.warning
