"""Asking a service's own checker whether it would accept a configuration, on a temporary copy."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import anyio

from mcp_servers.diagnostics.observation import CannotCheck
from mcp_servers.diagnostics.programs import TooSlow, run_program
from mcp_servers.inventory import Config
from mcp_servers.redaction import redact
from mcp_servers.text import clean_line

CHECK_TIMEOUT_S = 4.0
SAYS_CHARACTERS = 500
KEPT_VERDICTS = 512


@dataclass(frozen=True)
class Verdict:
    """What the checker says: accepted, or why not."""

    valid: bool
    error: str


ACCEPTED = Verdict(True, "")

_Key = tuple[tuple[str, ...], str]


class Checker:
    """Runs checkers, a few at a time, and remembers what each said of a content."""

    def __init__(self, at_once: int) -> None:
        self._turns = anyio.Semaphore(at_once)
        self._verdicts: OrderedDict[_Key, Verdict] = OrderedDict()
        self._asked: dict[_Key, anyio.Lock] = {}

    async def judge(self, config: Config, content: bytes) -> Verdict:
        """Return the verdict on a content; without a checker in the inventory everything is accepted.

        Raises CannotCheck when the checker cannot be started or does not end in time.
        """
        if not config.check:
            return ACCEPTED
        key = (config.check, hashlib.sha256(content).hexdigest())
        lock = self._asked.setdefault(key, anyio.Lock())
        try:
            # Who asks about the same content meanwhile waits for this answer.
            async with lock:
                if key not in self._verdicts:
                    async with self._turns:
                        self._keep(key, await _run(config, content))
                return self._verdicts[key]
        finally:
            self._asked.pop(key, None)

    def _keep(self, key: _Key, verdict: Verdict) -> None:
        self._verdicts[key] = verdict
        if len(self._verdicts) > KEPT_VERDICTS:
            self._verdicts.popitem(last=False)


async def _run(config: Config, content: bytes) -> Verdict:
    # The copy keeps the file's name (checkers look at suffixes); the working directory is the file's own, so
    # that relative names in it mean the same.
    with tempfile.TemporaryDirectory(prefix="countersign-check-") as directory:
        copy = Path(directory) / config.path.name
        copy.write_bytes(content)
        argv = [part.replace("{path}", str(copy)) for part in config.check]
        env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "HOME": directory, "TMPDIR": directory}
        try:
            done = await run_program(argv, env=env, cwd=config.path.parent, timeout=CHECK_TIMEOUT_S, with_stderr=True)
        except TooSlow:
            raise CannotCheck(
                f"the configuration checker did not end within {CHECK_TIMEOUT_S:g} s; run it by hand"
            ) from None
        except OSError as error:
            raise CannotCheck(f"cannot start the checker {argv[0]}: {error.strerror}; mend `config.check`") from error
    if done.exit_code == 0:
        return ACCEPTED
    says = done.output[-8192:].decode("utf-8", "replace").replace(str(copy), str(config.path))
    return Verdict(False, redact(clean_line(says, SAYS_CHARACTERS)) or f"the checker ended with {done.exit_code}")
