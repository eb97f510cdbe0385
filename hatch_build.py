"""The build hook: wheel, sdist and editable install carry the browser's part, built here where it is not there yet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))

import widget_bundle


class WidgetBuildHook(BuildHookInterface[Any]):
    """Builds the bundle where it is absent or older than its sources; an sdist carries it, and then needs no Node."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Return the Node that is needed, and nothing where the bundle is built already."""
        return [] if widget_bundle.fresh(Path(self.root)) else [widget_bundle.NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build. An editable install goes on without: the program works, and `make widget` says what is wrong."""
        if widget_bundle.fresh(Path(self.root)):
            return
        try:
            widget_bundle.build(Path(self.root))
        except widget_bundle.NotBuilt as error:
            if version == "editable":
                self.app.display_warning(str(error))
            else:
                self.app.abort(str(error))
