"""The application service: the register of permits. `python -m evals.lab.app --config FILE`."""

from __future__ import annotations

import sys

from evals.lab.entry import run_service
from evals.lab.settings import ApplicationSettings, application_settings


def _serve(settings: ApplicationSettings) -> None:
    # Imported here and not above: a check of a configuration, or a start that it forbids, needs no web server.
    from evals.lab.app_service import serve

    serve(settings)


def main(argv: list[str] | None = None) -> int:
    """Run the service, or check a configuration file."""
    return run_service("The register of permits, over HTTP.", argv, application_settings, _serve)


if __name__ == "__main__":
    sys.exit(main())
