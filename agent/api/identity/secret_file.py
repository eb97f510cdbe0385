"""Secrets stand in files of their own: read when they are needed, and only where nobody else can read them."""

from __future__ import annotations

from pathlib import Path

from agent.core.errors import CountersignError


def read_secret(path: Path, least: int = 1) -> bytes:
    """Return what is in the file, without white space around it; at least `least` bytes.

    Raises CountersignError when it is missing, too short, or open to others than its owner.
    """
    try:
        content, mode = path.read_bytes().strip(), path.stat().st_mode
    except OSError as error:
        raise CountersignError(f"the secret in {path} cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise CountersignError(f"the secret in {path} can be read by others; run: chmod 600 {path}")
    if len(content) < least:
        raise CountersignError(f"the secret in {path} is shorter than {least} bytes; make one: openssl rand -base64 48")
    return content
