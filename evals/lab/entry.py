"""The command line the two services share: run with a configuration file, or only check one."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from evals.lab.configfile import EX_CONFIG, ConfigError


class _Levelled(Protocol):
    @property
    def level(self) -> str: ...


S = TypeVar("S", bound=_Levelled)


def run_service(about: str, argv: list[str] | None, load: Callable[[Path], S], serve: Callable[[S], None]) -> int:
    """Parse the command line and do what it asks. Returns the exit code: 0, 1 (check refused), 78 (start refused)."""
    parser = argparse.ArgumentParser(description=about)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--config", type=Path, metavar="PATH", help="run with this configuration file")
    choice.add_argument(
        "--check-config", type=Path, metavar="PATH", help="only say whether this file would be accepted"
    )
    arguments = parser.parse_args(argv)
    path: Path = arguments.check_config or arguments.config
    if arguments.check_config:
        try:
            load(path)
        except ConfigError as error:
            print(f"configuration refused: {error}", file=sys.stderr)
            return 1
        print(f"{path}: configuration accepted")
        return 0
    log_to_stderr("info")
    try:
        settings = load(path)
    except ConfigError as error:
        logging.getLogger("startup").critical("cannot start, configuration refused: %s", error)
        return EX_CONFIG
    log_to_stderr(settings.level)
    serve(settings)
    return 0


def log_to_stderr(level: str) -> None:
    """Log one line an event to stderr, times in UTC (ISO 8601)."""
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
