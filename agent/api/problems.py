"""Errors as `application/problem+json` (RFC 9457): one shape for every no, and nothing of the inside in it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from agent.core.display import one_line
from agent.core.errors import CountersignError, Refused

LOG = logging.getLogger("countersign.api")

STATUS: Mapping[str, int] = {
    "altered": 409,
    "bad_args": 422,
    "bad_request": 400,
    "four_eyes": 403,
    "needs_page": 403,
    "needs_passkey": 403,
    "no_journal": 404,
    "not_a_person": 403,
    "not_entitled": 403,
    "not_you": 403,
    "unknown_incident": 404,
    "unknown_proposal": 404,
    "unknown_thread": 404,
    "widget_cannot_decide": 403,
}
"""The status of each refusal that is not a plain conflict (409)."""

WHEN_HTTP_SAYS: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "this request cannot be read"),
    404: ("not_found", "there is nothing at this address"),
    405: ("method_not_allowed", "this address does not answer this method"),
    413: ("too_large", "this request is larger than is accepted here"),
    415: ("unsupported_media_type", "this content type is not accepted here"),
}
"""What the framework's own refusals are called here, and what they say."""


class Problem(Exception):
    """A no over HTTP: `code` is stable and for programs, `detail` is one sentence for people."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        title: str = "",
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.title = title or HTTPStatus(status).phrase
        self.headers, self.more = dict(headers or {}), dict(more or {})

    def body(self) -> dict[str, Any]:
        """Return the members of the problem; `about:blank` says that status and code tell all there is."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.more,
        }

    def response(self) -> JSONResponse:
        """Return it as an answer that nobody keeps."""
        headers = {"Cache-Control": "no-store"} | self.headers
        return JSONResponse(self.body(), self.status, headers, "application/problem+json")


def of_refusal(refusal: Refused) -> Problem:
    """Return a lawful no as a problem; its words are made for people, so they travel."""
    return Problem(STATUS.get(refusal.code, 409), refusal.code, one_line(str(refusal), 500))


def unforeseen(error: Exception, request: Request, status: int = 500, code: str = "failed") -> Problem:
    """Return a problem that says nothing of what happened but a number under which the log has it."""
    correlation = secrets.token_hex(6)
    where = f"{request.method} {one_line(request.url.path, 200)}"
    if isinstance(error, CountersignError):
        LOG.error("%s: %s: %s", correlation, where, one_line(str(error), 500))
    else:
        LOG.error("%s: %s: %s", correlation, where, type(error).__name__, exc_info=error)
    return Problem(
        status,
        code,
        f"this could not be done now; whoever runs this server finds the reason in its log under {correlation}",
        more={"correlation": correlation},
    )


def install(app: FastAPI) -> None:
    """Make every error of this app a problem."""

    @app.exception_handler(Problem)
    async def _problem(_request: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(Refused)
    async def _refused(_request: Request, error: Refused) -> JSONResponse:
        return of_refusal(error).response()

    # What a person can mend is mended by whoever runs the server: its words name files and commands of that machine.
    @app.exception_handler(CountersignError)
    async def _unable(request: Request, error: CountersignError) -> JSONResponse:
        return unforeseen(error, request, 503, "unavailable").response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = [
            {"where": one_line(".".join(str(part) for part in one["loc"]), 100), "says": one_line(one["msg"], 200)}
            for one in error.errors()[:20]
        ]
        says = "; ".join(f"{one['where']}: {one['says']}" for one in wrong[:3])
        return Problem(
            422, "invalid", f"this request is not as it should be: {says}", more={"errors": wrong}
        ).response()

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> JSONResponse:
        code, says = WHEN_HTTP_SAYS.get(error.status_code, ("refused", HTTPStatus(error.status_code).phrase.lower()))
        return Problem(error.status_code, code, says, headers=error.headers).response()

    @app.exception_handler(Exception)
    async def _unknown(request: Request, error: Exception) -> JSONResponse:
        return unforeseen(error, request).response()
