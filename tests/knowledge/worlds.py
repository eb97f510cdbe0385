"""Small worlds for the tests of this room: folders of pages, and an embedder that needs no model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

RUNBOOK = """---
id: RB-1
title: The web server does not answer
owner: web
reviewed: 2026-09-12
checks:
  http: {tool: check_http, args: {service: $service}}
  unit: {tool: service_status, args: {service: $service}}
causes:
  - id: stopped
    says: "$service is stopped"
    when: >-
      !http.ok && unit.state == "stopped"
    fix: {action: restart, target: $service}
---
# The web server does not answer

## By hand

Start it.
"""


class WordEmbedder:
    """Bags of words thrown into a few dimensions: close texts share words. Counts what it was asked to embed."""

    dimension = 64

    def __init__(self, name: str = "words/1") -> None:
        self.id = name
        self.embedded = 0

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.embedded += len(texts)
        rows = np.full((len(texts), self.dimension), 1e-3, np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[hashlib.sha256(word.encode()).digest()[0] % self.dimension] += 1
        normalised: npt.NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return normalised


def folder(root: Path, pages: Mapping[str, str]) -> Path:
    """Write pages by file name and return their folder."""
    root.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def many_pages(root: Path, count: int) -> Path:
    """Pages with a word of their own each, `topic17`, in four sections."""
    sections = ("Symptoms", "How to tell", "What to do", "Owner")
    return folder(
        root,
        {
            f"page{n}.md": f"# Topic topic{n}\n\n"
            + "\n\n".join(f"## {name}\n\ntopic{n} {name} {n * 7} and more words about topic{n}" for name in sections)
            for n in range(count)
        },
    )
