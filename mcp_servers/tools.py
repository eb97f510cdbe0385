"""How a tool is declared on every server: exact arguments, all four annotations, errors of one plain sentence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import ValidationError

READ_ONLY = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
"""Looks and changes nothing; asking twice is asking once; reaches only what the inventory or the desk holds."""


class ExactTool(Tool):
    """A tool that refuses arguments it does not know, and whose errors reach the caller as written.

    The library's own tools ignore unknown arguments, answer bad ones with a page of validator output, and put
    "Error executing tool" before every message.
    """

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:
        """Run the tool; ToolError carries one plain sentence."""
        try:
            return await super().run(arguments, context, convert_result)
        except UnexpectedToolError:
            raise
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError):
                raise ToolError(f"{self.name}: {plain(cause)}") from cause
            if isinstance(cause, ToolError):
                raise ToolError(str(cause)) from cause
            raise


def exact_tool(function: Callable[..., Awaitable[Any]], annotations: ToolAnnotations) -> ExactTool:
    """Declare an async function as a tool: its name, its docstring, its types, and no argument besides."""
    tool = ExactTool.from_function(function, annotations=annotations, structured_output=True)
    model = tool.fn_metadata.arg_model
    model.model_config["extra"] = "forbid"
    model.model_rebuild(force=True)
    tool.parameters = model.model_json_schema(by_alias=True)
    assert isinstance(tool, ExactTool)
    return tool


def plain(error: ValidationError) -> str:
    """Say in one sentence what is wrong with the first rejected value; the value itself is not repeated."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "arguments"
    says = str(first["msg"])
    if first["type"] == "extra_forbidden":
        says = "there is no such argument; remove it"
    elif first["type"] == "missing":
        says = "this argument is needed"
    return f"{where}: {says[:1].lower()}{says[1:]}"
