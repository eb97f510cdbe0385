"""The connection to one MCP server, kept in a task of its own so that its death harms nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from mcp import Client, MCPError
from mcp.types import CallToolResult, TextContent

from agent.core.display import inert, one_line, redact
from agent.core.errors import CountersignError
from agent.gateway import pins
from agent.gateway.transport import ServerSpec, connect

RESULT_CAP_BYTES = 512 * 1024
CONNECT_SECONDS = 20.0
PINS_HOLD_SECONDS = 30.0
"""Over HTTP each call stands alone, so another program may answer at the same address by now: looked at again."""


class ServerGone(CountersignError):
    """The server is not there (any more): it could not be started, or died."""


class ToolFailed(CountersignError):
    """The tool ran and says that it could not do what it was asked; its message is one sentence."""


class ToolTimedOut(CountersignError):
    """No answer within the time limit. For a tool that writes this means: not known whether it happened."""


class Server:
    """A connection to one server. Started on first use, checked against the pins, started again when it died."""

    def __init__(self, spec: ServerSpec) -> None:
        self.spec = spec
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._starting = asyncio.Lock()
        self._looked = 0.0
        self._refused = 0

    async def start(self) -> Client:
        """Connect if not connected. Raises ServerGone when it cannot be started, Refused when its tools changed."""
        async with self._starting:
            if self._client is not None and self._task is not None and not self._task.done():
                return self._client
            self._stop, self._refused = asyncio.Event(), 0
            ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._hold(ready), name=f"mcp:{self.spec.name}")
            try:
                self._client = await asyncio.wait_for(asyncio.shield(ready), CONNECT_SECONDS)
            except TimeoutError:
                await self.close()
                raise ServerGone(f"the {self.spec.name} server did not answer within {CONNECT_SECONDS:.0f} s") from None
            return self._client

    async def _hold(self, ready: asyncio.Future[Client]) -> None:
        """Own the connection from start to end: a context must be left by the task that entered it."""
        try:
            async with connect(self.spec, self._heard) as client:
                await self._check_pins(client)
                ready.set_result(client)
                await self._stop.wait()
        except (Exception, BaseExceptionGroup) as error:
            cause = _cause(error)
            _fail(ready, cause if isinstance(cause, CountersignError) else self._gone(cause))
        finally:
            if self._task is asyncio.current_task():
                self._client = None

    async def _check_pins(self, client: Client) -> None:
        pins.check(self.spec.name, (await client.list_tools()).tools)
        self._looked = monotonic()

    def _heard(self, status: int) -> None:
        self._refused = status

    def _gone(self, cause: BaseException) -> ServerGone:
        says = str(cause) or type(cause).__name__
        if self._refused:
            says = f"it answered {self._refused}" + (": the token is not its own" if self._refused == 401 else "")
        how = "reached" if self.spec.url else "started or has stopped"
        return ServerGone(f"the {self.spec.name} server could not be {how} ({one_line(says, 160)}){self._where()}")

    def _where(self) -> str:
        if self.spec.url:
            return f" at {self.spec.url}"
        return f"; what it printed is in {self.spec.log}" if self.spec.log else ""

    async def call(self, tool: str, arguments: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Call a tool and return its structured result, inert and capped.

        Raises ServerGone, ToolFailed or ToolTimedOut.
        """
        client = await self.start()
        task = self._task
        assert task is not None
        call = asyncio.ensure_future(self._ask(client, tool, arguments, seconds + 5))
        try:
            # A server that dies must not leave its caller waiting: whichever ends first decides.
            await asyncio.wait({call, task}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                if task.done():
                    raise ServerGone(f"the {self.spec.name} server stopped while {tool} was running{self._where()}")
                raise ToolTimedOut(f"{tool} gave no answer within {seconds:.0f} s")
            result = call.result()
        except MCPError as error:
            if self._task is task:  # a sibling may have started the server again in the meantime
                await self.close()
            raise ServerGone(
                f"the {self.spec.name} server broke off during {tool} ({one_line(str(error), 160)}){self._where()}"
            ) from error
        finally:
            if not call.done():
                call.cancel()
        text = " ".join(part.text for part in result.content if isinstance(part, TextContent))
        if result.is_error:
            raise ToolFailed(one_line(redact(text), 400) or f"{tool} failed without saying why")
        content = result.structured_content
        if not isinstance(content, dict):
            raise ToolFailed(f"{tool} answered without a structured result")
        if len(text) > RESULT_CAP_BYTES:
            raise ToolFailed(f"{tool} answered with more than {RESULT_CAP_BYTES // 1024} KiB; the answer was not used")
        cleaned: dict[str, Any] = _clean(content)
        return cleaned

    async def _ask(self, client: Client, tool: str, arguments: Mapping[str, Any], seconds: float) -> CallToolResult:
        if self.spec.url and monotonic() - self._looked > PINS_HOLD_SECONDS:
            await self._check_pins(client)
        return await client.call_tool(tool, dict(arguments), read_timeout_seconds=seconds)

    async def close(self) -> None:
        """End the connection and the process; safe to call at any time, also twice."""
        self._stop.set()
        task, self._task, self._client = self._task, None, None
        if task is not None and not task.done():
            done, _ = await asyncio.wait({task}, timeout=8)
            if not done:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


def _fail(ready: asyncio.Future[Client], error: CountersignError) -> None:
    if not ready.done():
        ready.set_exception(error)


def _cause(error: BaseException) -> BaseException:
    """Return what went wrong inside the task groups of the connection."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(inert(value))
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {one_line(str(key), 100): _clean(item) for key, item in value.items()}
    return value


async def definitions(spec: ServerSpec, then_call: str = "") -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return a server's tool definitions without holding them against the pins, for the review that makes the pins.

    With `then_call`, also the structured answer of that tool, called without arguments.
    """
    async with connect(spec) as client:
        listed = await client.list_tools()
        answer = await client.call_tool(then_call, {}) if then_call else None
        return (
            [pins.definition(tool) for tool in sorted(listed.tools, key=lambda tool: tool.name)],
            dict(answer.structured_content or {}) if answer else {},
        )


def specs(
    command: Sequence[str],
    name: str,
    log_directory: Path,
    env: Mapping[str, str],
    remote: tuple[str, Path] | None = None,
) -> ServerSpec:
    """Describe a server whose output goes to `log_directory`, or one that listens at an address and has a token."""
    if remote is not None:
        return ServerSpec(name, url=remote[0], token=remote[1])
    return ServerSpec(name, tuple(command), tuple(sorted(env.items())), log_directory / f"{name}.log")
