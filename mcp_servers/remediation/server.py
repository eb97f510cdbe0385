"""The remediation server's four tools: three that look and one that acts, and then only on a grant."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

from mcp_servers.inventory import ServiceName
from mcp_servers.remediation.executor import CannotRehearse, Executor, Outcome, Rehearsal, Untrusted
from mcp_servers.remediation.gate import MAX_GRANT_CHARACTERS
from mcp_servers.remediation.journal import JournalError
from mcp_servers.remediation.proposal import ActionId, Digest, Risk
from mcp_servers.tools import READ_ONLY, exact_tool

ACTS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
T = TypeVar("T")

AT_ONCE = 4
"""How many rehearsals, and beside them how many executions, run at once; further calls wait their turn."""


class ListedAction(BaseModel):
    """One action of the catalogue; `$target` and `$name` in its templates stand for the service and for values."""

    id: str
    title: str
    description: str
    risk: Risk
    params_schema: dict[str, Any]
    precondition: str
    expect: list[dict[str, Any]]
    undo: dict[str, Any]
    undoable: bool


class ListedActions(BaseModel):
    """Every action there is, and the digest under which proposals are accepted."""

    catalogue: str
    actions: list[ListedAction]


class Tools:
    """The tools, each run in a worker thread that goes on when its caller goes away."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._rehearsing = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="rehearse")
        self._executing = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="execute")
        self._asked: Counter[str] = Counter()
        """Executions by operation id from the call to the end: one that waits its turn stands nowhere else yet."""

    async def list_actions(self) -> ListedActions:
        """List the closed catalogue: parameters, risk, precondition, checks afterwards and undo of each action."""
        try:
            catalogue = await self._in_thread(self._executor.sources.catalogue)
        except Untrusted as error:
            raise ToolError(f"{error}.") from error
        actions = [ListedAction.model_validate(action.public()) for action in catalogue.actions.values()]
        return ListedActions(catalogue=catalogue.digest, actions=actions)

    async def rehearse(
        self,
        action: ActionId,
        target: ServiceName,
        params: Annotated[dict[str, str | int | bool], Field(max_length=32)],
    ) -> Rehearsal:
        """Say exactly what an action would change on a service, without changing anything."""
        try:
            return await self._in_thread(lambda: self._executor.rehearse(action, target, params), self._rehearsing)
        except CannotRehearse as error:
            raise ToolError(str(error)) from error

    async def execute(
        self,
        operation_id: Digest,
        proposal: dict[str, Any],
        grant: Annotated[str, Field(max_length=MAX_GRANT_CHARACTERS)],
    ) -> Outcome:
        """Run an approved proposal, once. Needs a grant for exactly this proposal, signed by the approvals service."""
        run = self._start(lambda: self._executor.execute(operation_id, proposal, grant), self._executing)
        self._asked[operation_id] += 1
        run.add_done_callback(lambda _: self._ended(operation_id))
        return await asyncio.shield(run)

    async def get_operation(self, operation_id: Digest) -> Outcome:
        """Say how far an operation has come: unseen, running, finished, failed, refused, or unknown."""
        asked = self._asked[operation_id] > 0  # read before the journal: what begins meanwhile may be told either way
        try:
            told = await self._in_thread(lambda: self._executor.get_operation(operation_id))
        except (JournalError, OSError) as error:
            raise ToolError(f"The journal cannot be read: {error}.") from error
        if asked and told.state == "unseen":
            return Outcome(operation_id=operation_id, state="running", reason="It waits its turn; ask for it again.")
        return told

    def _ended(self, operation_id: str) -> None:
        self._asked[operation_id] -= 1
        if not self._asked[operation_id]:
            del self._asked[operation_id]

    async def _in_thread(self, work: Callable[[], T], pool: ThreadPoolExecutor | None = None) -> T:
        """Run `work` in a thread. A cancelled caller stops waiting; the work goes on, and the process waits for it."""
        return await asyncio.shield(self._start(work, pool))

    def _start(self, work: Callable[[], T], pool: ThreadPoolExecutor | None = None) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(pool, work)


def build_server(executor: Executor, options: dict[str, Any]) -> MCPServer:
    """Build the server. Raises Untrusted when the key, the inventory or the catalogue cannot be used."""
    executor.sources.trust()
    tools = Tools(executor)
    listed: list[tuple[Any, ToolAnnotations]] = [
        (tools.list_actions, READ_ONLY),
        (tools.rehearse, READ_ONLY),
        (tools.get_operation, READ_ONLY),
        (tools.execute, ACTS),
    ]
    return MCPServer(
        "countersign-remediation",
        instructions="A closed catalogue of fixes. Rehearse first; execute needs a grant signed by a person.",
        tools=[exact_tool(function, annotations) for function, annotations in listed],
        **options,
    )
