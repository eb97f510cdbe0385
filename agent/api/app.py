"""The HTTP interface, put together. It answers at once; the parts that take seconds to load are handed over later."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from agent.api import conversations, incidents, operations, pages, problems
from agent.api.edge import Edge
from agent.api.identity import routes as identity
from agent.api.identity.demo import DemoSignIn
from agent.api.identity.guard import Guard
from agent.api.identity.sign_in import sign_in_for
from agent.api.operations import told_of_stops
from agent.api.parts import Parts
from agent.settings import Serving


def build_api(serving: Serving, guard: Guard, demo: DemoSignIn | None = None) -> FastAPI:
    """Return the app. `app.state.parts` is None until `hand_over`; routes that need them answer 503 until then."""
    app = FastAPI(
        title="Countersign",
        version=version("countersign-agent"),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False},
    )
    app.state.parts = None
    app.state.serving = serving
    app.state.guard = guard
    app.state.sign_in = sign_in_for(serving, guard.now, demo)
    app.state.about = lambda: _about(app, demo is not None)
    problems.install(app)
    for one in (operations, conversations, incidents, pages):
        app.include_router(one.router)
    app.include_router(identity.router)
    if serving.hosts:
        # Pages of these hosts may call the API with a token; never with a cookie.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[host.origin for host in serving.hosts],
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Accept", "Last-Event-ID"],
            allow_credentials=False,
            max_age=600,
        )
    app.add_middleware(Edge)
    return app


def hand_over(app: FastAPI, parts: Parts) -> None:
    """Give the app what it works with: from now on it is ready."""
    app.state.parts = parts


def _about(app: FastAPI, demo: bool) -> dict[str, Any]:
    parts: Parts | None = app.state.parts
    return {
        "product": {"name": "Countersign", "version": version("countersign-agent")},
        "demo": demo,
        "ready": parts is not None,
        "stopped": told_of_stops(parts) if parts else {},
    }
