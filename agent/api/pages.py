"""The pages and the built bundle: small documents that load a script of ours alone, under a strict policy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from agent.api.identity.permissions import needs
from agent.api.problems import Problem

router = APIRouter(tags=["pages"], dependencies=[Depends(needs("public"))])
HERE = Path(__file__).parent
BUNDLE = HERE / "static"
"""What the widget's sources are built into."""
ASSETS = HERE / "assets"
"""Stylesheet and scripts of the small pages, as they are."""
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".woff2": "font/woff2",
}
SHARED = {"lexer.js", "widget.de.json"}
"""What `widget.js` loads when it needs it, wherever it stands."""
DAY = 24 * 3600


def policy(ancestors: Sequence[str] = (), *, frame: bool = False) -> str:
    """Return the content security policy of a page (CSP Level 3): nothing but our own, no inline code.

    `ancestors` may show the page in a frame; without any, nobody may.
    """
    allowed = " ".join(("'self'", *ancestors)) if frame else "'none'"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "font-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            f"frame-ancestors {allowed}",
            "require-trusted-types-for 'script'",
            "trusted-types lit-html",
        )
    )


def headers(request: Request, *, frame: bool = False) -> dict[str, str]:
    """Return the headers of a page."""
    hosts = [host.origin for host in request.app.state.serving.hosts]
    return {
        "Content-Security-Policy": policy(hosts, frame=frame),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    } | ({} if frame else {"X-Frame-Options": "DENY"})


def _page(request: Request, script: str, title: str, *, frame: bool = False) -> Response:
    if not (BUNDLE / f"{script}.js").exists():
        return HTMLResponse(_UNBUILT, 503, headers(request, frame=frame))
    body = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/page.css">
<script type="module" src="/assets/{script}.js"></script>
</head>
<body class="{script}">
<main id="app"></main>
<noscript>This page needs JavaScript. The same can be done in a terminal: countersign approvals list</noscript>
</body>
</html>
"""
    return HTMLResponse(body, headers=headers(request, frame=frame))


_UNBUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Countersign</title>
<p>The pages have not been built on this machine. Run <code>make widget</code> and load this page again; everything
works in the terminal meanwhile: <code>countersign approvals list</code>.</p></html>
"""


async def _signed_in(request: Request) -> bool:
    try:
        return await request.app.state.guard.who(request) is not None
    except Problem:
        return False


@router.get("/")
async def console(request: Request) -> Response:
    """The console; whoever is not signed in signs in first."""
    if not await _signed_in(request):
        return RedirectResponse("/sign-in?next=%2F", 303, headers(request))
    return _page(request, "console", "Countersign")


@router.get("/approvals/{digest}")
async def approval(digest: str, request: Request) -> Response:
    """The page of one card; whoever is not signed in signs in first and comes back to it."""
    if not await _signed_in(request):
        back = quote(f"/approvals/{digest}", safe="")
        return RedirectResponse(f"/sign-in?next={back}", 303, headers(request))
    return _page(request, "approval", "Approval - Countersign")


@router.get("/embed")
async def embed(request: Request) -> Response:
    """The page inside the frame that `embed.js` puts on a host's page."""
    return _page(request, "frame", "Countersign", frame=True)


@router.get("/widget.js")
async def widget(request: Request) -> Response:
    """The chat as a custom element, for trusted pages."""
    return _file(request, BUNDLE, "widget.js", shared=True)


@router.get("/embed.js")
async def loader(request: Request) -> Response:
    """The loader: a launcher and a frame, for any page."""
    return _file(request, BUNDLE, "embed.js", shared=True)


@router.get("/assets/{name:path}")
async def asset(name: str, request: Request, part: Annotated[None, Depends(lambda: None)] = None) -> Response:
    """A file of the bundle or of the small pages."""
    folder = BUNDLE if _inside(BUNDLE, name) else ASSETS
    return _file(request, folder, name, shared=name in SHARED)


def _inside(folder: Path, name: str) -> bool:
    try:
        path = (folder / name).resolve()
        return path.is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, ValueError):  # longer than a name may be, or with a NUL in it
        return False


def _file(request: Request, folder: Path, name: str, *, shared: bool = False) -> Response:
    """Answer with a file: compressed beforehand where the client takes that, revalidated by its hash."""
    if not _inside(folder, name) or Path(name).suffix not in TYPES:
        raise Problem(404, "not_found", "there is nothing at this address")
    path = (folder / name).resolve()
    # Weak (RFC 9110, 8.8.1): the compressed forms are other bytes of the same file.
    tag = f'W/"{_hash(str(path), path.stat().st_mtime_ns)}"'
    hashed = bool(Path(name).stem.rpartition("-")[1]) and folder == BUNDLE and "/" in name
    sent = {
        "ETag": tag,
        "Cache-Control": f"public, max-age={365 * DAY}, immutable" if hashed else "public, max-age=0, must-revalidate",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
        # Public code without anybody's data: a page on another origin may load it, also under its own SRI hash.
        "Cross-Origin-Resource-Policy": "cross-origin" if shared else "same-origin",
    } | ({"Access-Control-Allow-Origin": "*"} if shared else {})
    known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if "*" in known or tag.removeprefix("W/") in known:
        return Response(status_code=304, headers=sent)
    accepts = _accepted(request.headers.get("accept-encoding", ""))
    for encoding, suffix in (("br", ".br"), ("gzip", ".gz")):
        packed = path.with_name(path.name + suffix)
        if encoding in accepts and packed.is_file():
            return FileResponse(packed, headers=sent | {"Content-Encoding": encoding}, media_type=TYPES[path.suffix])
    return FileResponse(path, headers=sent, media_type=TYPES[path.suffix])


def _accepted(header: str) -> set[str]:
    """Return the encodings that a client takes (RFC 9110, 12.5.3); with the weight 0 it says that it does not."""
    found = set()
    for one in header.split(","):
        name, _, weight = one.partition(";")
        if not re.fullmatch(r"q=0(\.0*)?", weight.replace(" ", "")):
            found.add(name.strip())
    return found


@lru_cache(maxsize=256)
def _hash(path: str, _changed: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:24]
