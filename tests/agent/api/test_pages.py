"""The pages and the bundle: strict policies, nothing from outside the two folders, nothing stale, nothing to guess."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import httpx
import pytest
import pytest_asyncio

from agent.api import pages
from agent.api.app import build_api, hand_over
from agent.api.front import Front
from agent.api.identity.guard import Guard
from agent.api.identity.store import Store
from agent.settings import Host, Serving
from tests.agent.api.app import Doors
from tests.agent.api.bench import INTRANET, Bench
from tests.agent.api.client import problem

SCRIPT = b"export const answer = 42;\n" * 40


@pytest_asyncio.fixture
async def built(starting: Doors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Doors]:
    """The interface with a bundle of a few files beside what is no part of it."""
    bundle = tmp_path / "static"
    (bundle / "chunks").mkdir(parents=True)
    for name in ("frame.js", "approval.js", "console.js", "widget.js", "embed.js", "chunks/text-Ab12_x.js"):
        (bundle / name).write_bytes(SCRIPT)
    (bundle / "widget.js.br").write_bytes(brotli.compress(SCRIPT))
    (bundle / "widget.js.gz").write_bytes(gzip.compress(SCRIPT))
    (bundle / ".sources.sha256").write_text("secret", encoding="utf-8")
    (bundle / "notes.py").write_text("secret", encoding="utf-8")
    (tmp_path / "static-not").mkdir()
    (tmp_path / "static-not" / "out.js").write_text("secret", encoding="utf-8")
    (tmp_path / "outside.js").write_text("secret", encoding="utf-8")
    os.symlink(tmp_path / "outside.js", bundle / "link.js")
    monkeypatch.setattr(pages, "BUNDLE", bundle)
    yield starting


def directives(answer: httpx.Response) -> dict[str, str]:
    """Return the policy of an answer by directive."""
    parts = [one.strip().partition(" ") for one in answer.headers["content-security-policy"].split(";")]
    return {name: value for name, _, value in parts}


@pytest.mark.parametrize("path", ["/", "/approvals/sha256:0123456789ab", "/embed"])
async def test_a_page_loads_a_script_of_ours_alone_and_nothing_inline(built: Doors, path: str) -> None:
    answer = await built.session("dana.meyer").ask("GET", path)
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = directives(answer)
    assert policy["default-src"] == "'none'" and policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["style-src"] == "'self'" and policy["base-uri"] == "'none'" and policy["form-action"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'" and "unsafe" not in str(policy)
    assert "<style" not in answer.text and " style=" not in answer.text and "onload" not in answer.text
    assert answer.text.count("<script") == 1 and '<script type="module" src="/assets/' in answer.text
    assert answer.headers["cache-control"] == "no-store" and answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers


async def test_the_frame_stands_on_our_own_and_the_configured_pages_and_the_others_nowhere(built: Doors) -> None:
    frame = await built.anybody.ask("GET", "/embed")
    assert directives(frame)["frame-ancestors"] == f"'self' {INTRANET}"
    assert "x-frame-options" not in frame.headers
    for path in ("/", "/approvals/abc"):
        page = await built.session("dana.meyer").ask("GET", path)
        assert directives(page)["frame-ancestors"] == "'none'" and page.headers["x-frame-options"] == "DENY"
    for path in ("/sign-in/demo", "/signed-in", "/api/me", "/widget.js", "/nope"):
        assert directives(await built.anybody.ask("GET", path))["frame-ancestors"] == "'none'", path


@pytest.mark.parametrize(
    ("path", "back"),
    [
        ("/", "/sign-in?next=%2F"),
        ("/approvals/sha256:0a", "/sign-in?next=%2Fapprovals%2Fsha256%3A0a"),
        ("/approvals/..%2f%2fevil.example", None),
        ("/approvals/%0d%0aSet-Cookie:%20x=1", None),
        ("/approvals/%2f%2fevil.example", None),
    ],
)
async def test_whoever_is_not_signed_in_signs_in_and_comes_back_to_the_same_page(
    built: Doors, path: str, back: str | None
) -> None:
    answer = await built.anybody.ask("GET", path)
    if back is None:
        place = answer.headers.get("location", "/sign-in?next=")
        assert answer.status_code in {303, 404} and place.startswith("/sign-in?next=")
        assert "set-cookie" not in answer.headers and "evil.example" not in place.partition("?")[0]
    else:
        assert (answer.status_code, answer.headers["location"]) == (303, back)


async def test_without_a_bundle_a_page_says_how_to_build_it(
    starting: Doors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "BUNDLE", tmp_path / "none")
    answer = await starting.session("dana.meyer").ask("GET", "/")
    assert answer.status_code == 503 and "make widget" in answer.text
    assert directives(answer)["default-src"] == "'none'"
    problem(await starting.anybody.ask("GET", "/widget.js"), 404, "not_found")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../outside.js",
        "/assets/%2e%2e/outside.js",
        "/assets/..%2foutside.js",
        "/assets/..%5coutside.js",
        "/assets/%2e%2e%2foutside.js",
        "/assets/chunks/../../outside.js",
        "/assets/chunks/%2e%2e/%2e%2e/outside.js",
        "/assets//etc/passwd",
        "/assets/%2fetc/passwd",
        "/assets/../static-not/out.js",
        "/assets/%2e%2e/static-not/out.js",
        "/assets/link.js",
        "/assets/.sources.sha256",
        "/assets/notes.py",
        "/assets/chunks",
        "/assets/chunks/",
        "/assets/",
        "/assets/frame.js%00.css",
        "/assets/nothing.js",
        "/assets/../pages.py",
        "/assets/%2e%2e/pages.py",
        "/assets/" + "a" * 5000,
    ],
)
async def test_nothing_outside_the_bundle_is_served(built: Doors, path: str) -> None:
    # As it stands, without the client making it shorter.
    url = httpx.URL(built.origin).copy_with(raw_path=path.encode())
    answer = await built.http.send(httpx.Request("GET", url))
    problem(answer, 404, "not_found")
    assert "secret" not in answer.text and "root:" not in answer.text


async def test_a_file_is_compressed_beforehand_where_the_client_takes_that(built: Doors) -> None:
    for accepts, encoding in [
        ("br, gzip", "br"),
        ("gzip, deflate", "gzip"),
        ("gzip;q=0.5, br;q=0", "gzip"),
        ("br;q=0, gzip;q=0", ""),
        ("identity", ""),
        ("", ""),
    ]:
        async with built.http.stream("GET", "/widget.js", headers={"Accept-Encoding": accepts}) as answer:
            raw = b"".join([part async for part in answer.aiter_raw()])
        assert answer.headers.get("content-encoding", "") == encoding, accepts
        assert answer.headers["vary"].lower().count("accept-encoding") == 1
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        plain = {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}[encoding](raw)
        assert plain == SCRIPT and int(answer.headers["content-length"]) == len(raw)
    plain = await built.http.get("/assets/frame.js", headers={"Accept-Encoding": "br, gzip"})
    assert "content-encoding" not in plain.headers, "what is not there compressed comes as it is"


async def test_a_file_that_has_not_changed_is_not_sent_again_and_one_that_has_is(built: Doors) -> None:
    first = await built.http.get("/widget.js")
    tag = first.headers["etag"]
    for wanted in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        again = await built.http.get("/widget.js", headers={"If-None-Match": wanted})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), wanted
    (pages.BUNDLE / "widget.js").write_bytes(SCRIPT + b"// new\n")
    for packed in ("widget.js.br", "widget.js.gz"):
        (pages.BUNDLE / packed).unlink()
    changed = await built.http.get("/widget.js", headers={"If-None-Match": tag})
    assert changed.status_code == 200 and changed.headers["etag"] != tag


async def test_names_with_a_hash_are_kept_for_a_year_and_all_others_are_asked_for_each_time(built: Doors) -> None:
    kept = await built.http.get("/assets/chunks/text-Ab12_x.js")
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in ("/assets/frame.js", "/widget.js", "/embed.js", "/assets/page.css", "/assets/signed-in.js"):
        answer = await built.http.get(path)
        assert answer.status_code == 200 and "must-revalidate" in answer.headers["cache-control"], path


async def test_only_what_stands_on_other_pages_may_be_loaded_from_there(built: Doors) -> None:
    for path in ("/widget.js", "/embed.js"):
        answer = await built.http.get(path, headers={"Origin": "https://anywhere.example"})
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.headers["access-control-allow-origin"] == "*", "so that it can stand under a hash (SRI)"
        assert "access-control-allow-credentials" not in answer.headers
    for path in ("/assets/frame.js", "/assets/page.css"):
        assert (await built.http.get(path)).headers["cross-origin-resource-policy"] == "same-origin"


async def test_a_configured_page_may_call_the_api_with_a_token_and_no_page_with_a_cookie(bench: Bench) -> None:
    widget, session = bench.widget("dana.meyer"), bench.dana
    allowed = await widget.ask("GET", "/api/threads")
    assert allowed.headers["access-control-allow-origin"] == INTRANET
    assert "access-control-allow-credentials" not in allowed.headers
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    before = await bench.http.options("/api/agent", headers={"Origin": INTRANET, **wanted})
    assert before.status_code == 200 and before.headers["access-control-allow-origin"] == INTRANET
    assert "access-control-allow-credentials" not in before.headers
    assert "DELETE" not in before.headers["access-control-allow-methods"]

    for origin in ("https://evil.example", INTRANET + ".evil.example", INTRANET.replace("https", "http"), "null"):
        refused = await bench.http.options("/api/agent", headers={"Origin": origin, **wanted})
        assert refused.status_code == 400 and "access-control-allow-origin" not in refused.headers
        answer = await widget.ask("GET", "/api/threads", headers={"Origin": origin})
        problem(answer, 401, "wrong_origin")
        assert "access-control-allow-origin" not in answer.headers

    for origin in (INTRANET, "https://evil.example", "null"):
        # The cookie that a browser would send along with a form or a fetch of that page.
        for path in ("/api/agent", "/api/threads", "/api/stop", "/api/frame-token", "/sign-out"):
            answer = await session.ask("POST", path, json={}, headers={"Origin": origin})
            problem(answer, 403, "cross_site")
            assert answer.headers.get("access-control-allow-origin") in {None, INTRANET}
            assert "access-control-allow-credentials" not in answer.headers
    assert (await session.get("/api/me"))["person"] == "dana.meyer", "and nobody was signed out"


async def test_without_hosts_no_page_is_told_anything(tmp_path: Path) -> None:
    store, serving = Store(tmp_path / "identity.db"), Serving()
    api = build_api(serving, Guard(store, serving.origin))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url=serving.origin) as http:
        answer = await http.get("/api/me", headers={"Origin": "https://anywhere.example"})
        assert not [name for name in answer.headers if name.startswith("access-control")]
        frame = await http.get("/embed")
        assert directives(frame)["frame-ancestors"] == "'self'"
    store.close()


async def test_it_is_alive_at_once_and_ready_when_it_can_work(starting: Doors, bench: Bench) -> None:
    front = Front()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://127.0.0.1") as http:
        alive = await http.get("/healthz")
        assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
        for path in ("/readyz", "/", "/api/me", "/widget.js"):
            answer = await http.get(path)
            problem(answer, 503, "starting")
            assert answer.headers["retry-after"] == "1"
        front.behind = starting.api
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        not_yet = await http.get("/readyz")
        assert (not_yet.status_code, not_yet.json()) == (503, {"status": "starting"})
        problem(await starting.session("dana.meyer").ask("GET", "/api/incidents"), 503, "starting")
        me = await starting.session("dana.meyer").get("/api/me")
        assert me["ready"] is False and me["stopped"] == {}
        hand_over(starting.api, bench.parts)
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    assert (await starting.session("dana.meyer").get("/api/me"))["ready"] is True


async def test_where_there_is_no_lab_nothing_can_be_broken(bench: Bench) -> None:
    problem(await bench.dana.ask("GET", "/api/demo"), 404, "not_found")
    problem(await bench.dana.post("/api/demo/break", {"fault": "service-stopped"}), 404, "not_found")


async def test_two_hundred_people_may_load_the_same_page_at_once(built: Doors) -> None:
    answers = await asyncio.gather(*(built.http.get("/widget.js") for _ in range(200)))
    assert {(one.status_code, one.content) for one in answers} == {(200, SCRIPT)}


def test_the_policy_names_each_page_that_may_show_the_frame_once() -> None:
    hosts = [Host("a", "https://a.example", None), Host("b", "https://b.example:8443", None)]
    made = pages.policy([one.origin for one in hosts], frame=True)
    assert "frame-ancestors 'self' https://a.example https://b.example:8443;" in made
    assert "frame-ancestors 'none';" in pages.policy([one.origin for one in hosts])
