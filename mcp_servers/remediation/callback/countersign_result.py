"""Ansible callback: write what each task said as one line of JSON, and print nothing."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Stands in for what a person would read on the screen."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "countersign_result"

    def _write(self, kind: str, result: Any) -> None:
        said = result.result if hasattr(result, "result") else result._result
        with open(os.environ["COUNTERSIGN_EVENTS"], "a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "said": said}, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task has done its work, or had none."""
        self._write("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task has failed."""
        self._write("failed", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """The node cannot be reached."""
        self._write("failed", result)
