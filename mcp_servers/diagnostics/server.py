"""The diagnostics server: every check as a tool, with its time limit and a cap on how many run at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field, StringConstraints

from mcp_servers.diagnostics.check_disk import DiskCheck, check_disk
from mcp_servers.diagnostics.check_http import HttpCheck, check_http
from mcp_servers.diagnostics.check_tcp import TcpCheck, check_tcp
from mcp_servers.diagnostics.check_tls import TlsCheck, check_tls
from mcp_servers.diagnostics.checker import Checker
from mcp_servers.diagnostics.observation import CannotCheck, Observation
from mcp_servers.diagnostics.postgres_activity import PostgresActivity, postgres_activity
from mcp_servers.diagnostics.recent_changes import CHECKERS_AT_ONCE, RecentChanges, recent_changes
from mcp_servers.diagnostics.search_logs import MAX_LINES, Level, LogSearch, search_logs
from mcp_servers.diagnostics.service_status import ServiceStatus, service_status
from mcp_servers.inventory import Inventory, Service, ServiceName, UnknownService
from mcp_servers.tools import READ_ONLY, ExactTool, exact_tool

TIME_LIMIT_S = 5.0
CHANGES_TIME_LIMIT_S = 10.0
AT_ONCE = 8

INSTRUCTIONS = "Read-only checks. Name services as the inventory does; an error means that nothing was measured."

Contains = Annotated[str, StringConstraints(max_length=200)]
Minutes = Annotated[int, Field(ge=1, le=7 * 24 * 60)]
Hours = Annotated[int, Field(ge=1, le=90 * 24)]
Lines = Annotated[int, Field(ge=1, le=MAX_LINES)]

Result = TypeVar("Result", bound=Observation)


class Diagnostics:
    """The checks as tools over one inventory."""

    def __init__(self, inventory: Inventory, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._inventory = inventory
        self._time_limit_s = time_limit_s
        self._turns = anyio.Semaphore(AT_ONCE)
        self._checker = Checker(CHECKERS_AT_ONCE)

    async def check_http(self, service: ServiceName) -> HttpCheck:
        """GET the service's health address as a user would: status, latency, start of the body."""
        return await self._look(service, check_http)

    async def check_tcp(self, service: ServiceName) -> TcpCheck:
        """Connect to the address where the service listens: is anything accepting connections?"""
        return await self._look(service, check_tcp)

    async def check_tls(self, service: ServiceName) -> TlsCheck:
        """Verify the service's TLS certificate as a client would: trust, name, days left."""
        return await self._look(service, check_tls)

    async def service_status(self, service: ServiceName) -> ServiceStatus:
        """Ask the supervisor for the service's state, and read the last lines of its logs."""
        return await self._look(service, service_status)

    async def search_logs(
        self,
        service: ServiceName,
        contains: Contains = "",
        level: Level = "",
        since_minutes: Minutes = 60,
        limit: Lines = 50,
    ) -> LogSearch:
        """Find lines in the service's logs: plain text in any case, this level or worse, newest last."""
        return await self._look(service, lambda found: search_logs(found, contains, level, since_minutes, limit))

    async def recent_changes(self, service: ServiceName, within_hours: Hours = 72) -> RecentChanges:
        """List recent changes of the service's configuration, judged by its own checker, and the last good one."""
        return await self._look(
            service, lambda found: recent_changes(found, within_hours, self._checker), CHANGES_TIME_LIMIT_S
        )

    async def postgres_activity(self, service: ServiceName) -> PostgresActivity:
        """Count the sessions of a PostgreSQL service and name those that others wait for."""
        return await self._look(service, postgres_activity)

    async def check_disk(self, service: ServiceName) -> DiskCheck:
        """Measure how full the filesystems are that the service writes to."""
        return await self._look(service, check_disk)

    def tools(self) -> list[ExactTool]:
        """Declare every check as a read-only tool."""
        checks: list[Callable[..., Awaitable[Any]]] = [
            self.check_http,
            self.check_tcp,
            self.check_tls,
            self.service_status,
            self.search_logs,
            self.recent_changes,
            self.postgres_activity,
            self.check_disk,
        ]
        return [exact_tool(check, READ_ONLY) for check in checks]

    async def _look(
        self, name: str, look: Callable[[Service], Awaitable[Result]], time_limit_s: float | None = None
    ) -> Result:
        limit = time_limit_s or self._time_limit_s
        try:
            service = self._inventory.service(name)
            with anyio.fail_after(limit):
                async with self._turns:
                    return await look(service)
        except (UnknownService, CannotCheck) as error:
            raise ToolError(str(error)) from error
        except TimeoutError as error:
            raise ToolError(f"no measurement of {name!r} within {limit:g} s; try again, or look by hand") from error


def build(inventory: Inventory, options: dict[str, Any]) -> MCPServer:
    """Build the server; `options` are keyword arguments for MCPServer (authentication, log level)."""
    return MCPServer(
        "countersign-diagnostics", instructions=INSTRUCTIONS, tools=[*Diagnostics(inventory).tools()], **options
    )
