"""A page of another site, with AG-UI's client bundled into it, and the little server that it comes from."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tests.npm_packages import installed

HERE = Path(__file__).resolve().parent
KINDS = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".json": "application/json"}


class PageSite:
    """A site of its own: `localhost`, where the server under test is 127.0.0.1, so that no cookie could help."""

    def __init__(self) -> None:
        self._content: dict[str, bytes] = {}
        content = self._content

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = content.get(self.path)
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Type", KINDS.get(Path(self.path).suffix, "text/plain"))
                self.end_headers()
                self.wfile.write(found or b"")

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def origin(self) -> str:
        """The origin of its pages, as the server under test has to know it."""
        return f"http://localhost:{self._server.server_port}"

    def show(self, config: Mapping[str, str]) -> str:
        """Put up the page, with what it is told of the server it calls; return its address."""
        self._content["/page.html"] = (HERE / "page.html").read_bytes()
        self._content["/page.js"] = bundle()
        self._content["/config.json"] = json.dumps(config).encode()
        self._content["/favicon.ico"] = b""
        return f"{self.origin}/page.html"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def bundle() -> bytes:
    """Return the page's script with everything it imports, as a front end's own build would make it."""
    node, folder = installed(HERE)
    done = subprocess.run(
        [
            *(node, str(folder / "node_modules" / "esbuild" / "bin" / "esbuild")),
            *("--bundle", "--format=iife", "--target=es2022", "--log-level=error", "--loader=js"),
        ],
        input=(HERE / "page.js").read_bytes(),
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=True,
    )
    return done.stdout
