"""What a route needs: declared with `Depends(needs("read"))`, checked before the route runs, readable by a test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from fastapi import FastAPI, Request
from fastapi.routing import iter_route_contexts

from agent.api.identity.principal import PERMISSIONS, Permission, Principal
from agent.api.problems import Problem

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="countersign"'}
"""RFC 9110, 11.6.1: an answer 401 says how to come in."""


class Asks(Protocol):
    """What `app.state.guard` is: the one place that turns a request into a principal."""

    async def who(self, request: Request) -> Principal | None:
        """Return who asks, None for nobody. Raises Problem for a credential that is not good."""


def needs(permission: Permission, *, own: bool = False) -> Callable[[Request], Awaitable[Principal | None]]:
    """Return the dependency that lets a request pass when whoever asks has the permission.

    It gives the principal to the route (None on a public one). `own` says that the route shows each caller only what
    belongs to them, and only such routes let a host page's token read.
    """
    if permission not in {"public", "signed_in", *PERMISSIONS}:
        raise ValueError(f"there is no permission {permission}")

    async def check(request: Request) -> Principal | None:
        if permission == "public":
            return None
        principal = await cast(Asks, request.app.state.guard).who(request)
        if principal is None:
            raise Problem(401, "sign_in", "sign in first", headers=CHALLENGE)
        if permission == "decide" and principal.via == "widget":
            raise Problem(403, "widget_cannot_decide", "a page's own token decides nothing; sign in to decide")
        if permission != "signed_in" and permission not in principal.permissions:
            raise Problem(403, "not_permitted", f"this needs the permission `{permission}`, which you do not have")
        if permission == "read" and principal.own_only and not own:
            raise Problem(403, "own_only", "a page's own token sees nothing but its own threads")
        request.state.principal = principal
        return principal

    check.permission = permission  # type: ignore[attr-defined]
    return check


def declared(app: FastAPI) -> list[tuple[str, frozenset[str], str | None]]:
    """Return path, methods and declared permission of every route of the app; None where one declares nothing."""
    found = []
    for route in iter_route_contexts(app.routes):
        methods = frozenset(route.methods or ())
        found.append((route.path or "", methods, _permission(getattr(route, "dependant", None))))
    return found


def _permission(dependant: Any) -> str | None:
    """Return the permission that a route's dependencies declare; the first that is not `public` counts."""
    if dependant is None:
        return None
    names = [
        name
        for one in dependant.dependencies
        for name in (getattr(one.call, "permission", None), _permission(one))
        if name is not None
    ]
    return next((name for name in names if name != "public"), names[0] if names else None)
