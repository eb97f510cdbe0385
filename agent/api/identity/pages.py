"""The few pages around signing in: plain HTML, everything escaped, one stylesheet, no script but in the popup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from urllib.parse import urlsplit

from fastapi.responses import HTMLResponse

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Countersign</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/page.css">
{script}</head>
<body class="small">
<main class="sheet">
<p class="mark">Countersign</p>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; {script}form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'"
)
LONGEST_NEXT = 500


def page(title: str, parts: Iterable[str], status: int = 200, script: str = "") -> HTMLResponse:
    """Return a page of parts that are made by the functions below; `script` is the address of one of our own."""
    sources = "script-src 'self'; connect-src 'self'; " if script else ""
    content = _PAGE.format(
        title=escape(title),
        body="\n".join(parts),
        script=f'<script src="{escape(script)}" defer></script>\n' if script else "",
    )
    headers = {
        "Content-Security-Policy": _POLICY.format(script=sources),
        "Cache-Control": "no-store",
        # Not `no-referrer`: with it, browsers send `Origin: null` with a form's POST (Fetch Standard, 3.2).
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(content, status, headers)


def words(text: str, kind: str = "") -> str:
    """Return a paragraph."""
    return f'<p class="{escape(kind)}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def says(text: str) -> str:
    """Return the paragraph that the popup's script may speak in."""
    return f'<p id="says" role="status">{escape(text)}</p>'


def link(text: str, address: str, kind: str = "button") -> str:
    """Return a link; an address that is neither ours nor https leads nowhere."""
    if not (address.startswith("/") or urlsplit(address).scheme in {"https", "http"}):
        address = "/"
    return f'<p><a class="{escape(kind)}" href="{escape(address)}">{escape(text)}</a></p>'


def choice(action: str, hidden: dict[str, str], name: str, options: Iterable[tuple[str, str, str]]) -> str:
    """Return a form of buttons: (value, what it is called, what it is)."""
    fields = "".join(f'<input type="hidden" name="{escape(key)}" value="{escape(one)}">' for key, one in hidden.items())
    buttons = "\n".join(
        f'<li><button name="{escape(name)}" value="{escape(value)}"><strong>{escape(title)}</strong>'
        f"<span>{escape(what)}</span></button></li>"
        for value, title, what in options
    )
    return f'<form method="post" action="{escape(action)}">{fields}<ul class="choice">\n{buttons}\n</ul></form>'


def safe_next(text: str | None) -> str:
    """Return where to go after signing in: a path of this server, and `/` for everything else.

    Two slashes begin another host, browsers read a backslash as a slash and drop control characters (URL Standard).
    """
    if not text or len(text) > LONGEST_NEXT or not text.startswith("/") or text.startswith("//"):
        return "/"
    if "\\" in text or any(not 0x21 <= ord(character) <= 0x7E for character in text):
        return "/"
    return text
