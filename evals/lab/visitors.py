"""The office's own traffic: a few counters that look at the newest permits again and again, through the front.

A system without any use shows few of its troubles. Only the standard library, so that it costs next to nothing.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import ssl
import sys
import threading
import time
from pathlib import Path

_CALM_S = (1.0, 2.5)
"""Pause of a counter that got its page, in seconds."""
_HURRIED_S = (0.2, 0.5)
"""Pause of a counter that did not: people press reload."""


def visit(host: str, port: int, context: ssl.SSLContext) -> None:
    """Look at the newest permits for ever."""
    while True:
        connection = http.client.HTTPSConnection(host, port, timeout=10, context=context)
        served = True
        try:
            while served:
                connection.request("GET", "/permits")
                response = connection.getresponse()
                response.read()
                served = response.status == 200
                time.sleep(random.uniform(*(_CALM_S if served else _HURRIED_S)))  # noqa: S311 - a pause, no secret
        except (OSError, http.client.HTTPException):
            time.sleep(random.uniform(*_HURRIED_S))  # noqa: S311 - a pause, no secret
        finally:
            connection.close()


def main() -> int:
    """Run until stopped, or until supervisord is gone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca-file", type=Path, required=True)
    parser.add_argument("--counters", type=int, default=4)
    arguments = parser.parse_args()
    context = ssl.create_default_context(cafile=str(arguments.ca_file))
    counters = [
        threading.Thread(target=visit, args=(arguments.host, arguments.port, context), daemon=True)
        for _ in range(arguments.counters)
    ]
    for counter in counters:
        counter.start()
    parent = os.getppid()
    while os.getppid() == parent:  # Without its supervisord there is no office any more.
        time.sleep(1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
