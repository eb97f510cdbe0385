"""The small pages: everything escaped, nothing from elsewhere, a policy that allows nothing else."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from agent.api.identity import pages
from tests.agent.api.identity.world import World

ASSETS = Path(pages.__file__).resolve().parents[1] / "assets"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"


class Tags(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.found.append((tag, dict(attrs)))


def test_whatever_is_written_into_a_page_stays_text() -> None:
    parts = [
        pages.words(HOSTILE, HOSTILE),
        pages.says(HOSTILE),
        pages.link(HOSTILE, "/x?" + HOSTILE, HOSTILE),
        pages.link("x", "javascript:alert(1)"),
        pages.link("x", "data:text/html,x"),
        pages.choice("/" + HOSTILE, {HOSTILE: HOSTILE}, HOSTILE, [(HOSTILE, HOSTILE, HOSTILE)]),
    ]
    tags = Tags()
    tags.feed(bytes(pages.page(HOSTILE, parts).body).decode())
    assert {"script", "img"}.isdisjoint(tag for tag, _ in tags.found)
    assert not any(name.startswith("on") or name == "style" for _, at in tags.found for name in at)
    assert [at["href"] for tag, at in tags.found if tag == "a"][1:] == ["/", "/"]


def test_a_page_loads_its_stylesheet_and_nothing_from_elsewhere() -> None:
    answer = pages.page("Title", [pages.words("Words")], script="/assets/signed-in.js")
    tags = Tags()
    tags.feed(bytes(answer.body).decode())
    loaded = [at.get("href") or at.get("src") for tag, at in tags.found if tag in {"link", "script", "img"}]
    assert loaded == ["data:,", "/assets/page.css", "/assets/signed-in.js"]
    assert (ASSETS / "page.css").exists() and (ASSETS / "signed-in.js").exists()
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "same-origin", "with no-referrer a form's POST has the origin `null`"
    assert "cross-origin-opener-policy" not in answer.headers, "it would cut the popup off from the frame"


def test_the_assets_name_no_other_host() -> None:
    for name in ("page.css", "signed-in.js"):
        text = (ASSETS / name).read_text(encoding="utf-8")
        assert "//" not in re.sub(r"^//.*$", "", text, flags=re.MULTILINE) and "@import" not in text
    script = (ASSETS / "signed-in.js").read_text(encoding="utf-8")
    assert re.findall(r"postMessage\(.*, (.*)\);", script) == ["location.origin"], "never to `*`"
    assert "innerHTML" not in script


@pytest.mark.parametrize(
    ("text", "next_"),
    [
        ("/", "/"),
        ("/approvals/sha256:00?x=1#y", "/approvals/sha256:00?x=1#y"),
        ("/%2F%2Fevil.example", "/%2F%2Fevil.example"),
        (None, "/"),
        ("", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\n", "/"),
        ("/a b", "/"),
        ("/\x7f", "/"),
        ("/\u202e", "/"),
    ],
)
def test_where_one_goes_next_is_a_path_of_this_server(text: str | None, next_: str) -> None:
    assert pages.safe_next(text) == next_


async def test_who_has_not_signed_in_reads_that_on_the_popups_page(world: World) -> None:
    answer = await world.browser().get("/signed-in?popup=1")
    assert answer.status_code == 401 and "You are not signed in" in answer.text and "<script" not in answer.text
