"""The middle option where the weights are not installed and a download is allowed: Chroma's own, checksummed."""

from __future__ import annotations

from pathlib import Path

from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2


def fetch_minilm() -> Path:
    """Download all-MiniLM-L6-v2 unless it is there, and return the folder with `model.onnx` and `tokenizer.json`.

    Raises OSError when it cannot be had.
    """
    published = ONNXMiniLM_L6_V2(preferred_providers=["CPUExecutionProvider"])
    try:
        published(["ready"])
    except Exception as error:  # the client behind it is Chroma's choice, and so are its exceptions
        raise OSError(f"all-MiniLM-L6-v2 could not be downloaded: {error}") from error
    return Path(published.DOWNLOAD_PATH) / published.EXTRACTED_FOLDER_NAME
