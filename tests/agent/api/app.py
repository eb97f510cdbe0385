"""The interface before anything stands behind it: routes, guard and pages, asked in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from agent.api.app import build_api
from agent.api.identity.demo import DemoSignIn
from agent.api.identity.guard import Guard
from agent.api.identity.store import Store
from tests.agent.api.bench import serving_on
from tests.agent.api.world import Interface

CODE = "c0de-" + "x" * 40
PEOPLE: Mapping[str, tuple[str, frozenset[str]]] = {"dana.meyer": ("Dana Meyer", frozenset({"approver"}))}


class Doors(Interface):
    """The interface without parts: it is still starting."""


@asynccontextmanager
async def doors(folder: Path, **options: Any) -> AsyncIterator[Doors]:
    """Build the interface in a folder."""
    serving = serving_on(folder, 8321)
    store = Store(folder / "identity.db")
    api = build_api(serving, Guard(store, serving.origin, serving.hosts), DemoSignIn(CODE, PEOPLE))
    transport = httpx.ASGITransport(api, raise_app_exceptions=False, **options)
    async with httpx.AsyncClient(transport=transport, base_url=serving.origin) as http:
        yield Doors(api, serving.origin, http)
    store.close()


class Broken:
    """Parts whose every use fails, with words that nobody may see."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError("password=hunter2 in /srv/countersign/secret.py")
