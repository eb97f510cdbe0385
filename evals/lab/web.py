"""The web front: TLS in front of the application service. `python -m evals.lab.web --config FILE`."""

from __future__ import annotations

import sys

from evals.lab.entry import run_service
from evals.lab.settings import WebSettings, web_settings


def _serve(settings: WebSettings) -> None:
    # Imported here and not above: a check of a configuration, or a start that it forbids, needs no web server.
    from evals.lab.web_service import serve

    serve(settings)


def main(argv: list[str] | None = None) -> int:
    """Run the front, or check a configuration file."""
    return run_service("A TLS front that passes requests on to one upstream.", argv, web_settings, _serve)


if __name__ == "__main__":
    sys.exit(main())
