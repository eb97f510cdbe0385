"""Running it, on a real lab: stops at three levels, lists and records, the audit, metrics, and the company's page."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
import rfc8785
from prometheus_client.parser import text_string_to_metric_families

from agent.api.identity.guard import COOKIE
from agent.core.lifecycle import State
from agent.journal.store import Journal
from evals.lab.faults import HEALTHY, ticket
from tests.agent.api import agui
from tests.agent.api.client import DETACHED, Client, Json, ended, problem, resumed, said, shows
from tests.agent.api.world import Gate, World, broken

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def quiet(lab: World) -> AsyncIterator[None]:
    """Each test finds a lab where nothing is stopped and nothing waits."""
    await lab.clear()
    yield


async def stop(client: Client, level: str, reason: str = "") -> httpx.Response:
    return await client.post("/api/stop", {"level": level, "reason": reason})


async def go_on(client: Client, level: str) -> httpx.Response:
    return await client.ask("DELETE", "/api/stop", params={"level": level})


# Stop ---------------------------------------------------------------------------------------------------------------


async def test_with_effects_stopped_nothing_is_approved_and_after_the_lift_it_is(lab: World) -> None:
    async with broken(lab, "service-stopped") as fault:
        run = await lab.waiting(lab.dana, fault)
        digest = run.interrupts[0]["metadata"]["digest"]
        for nobody in (lab.lee, lab.ines, lab.session("somebody", ("viewer", "auditor")), lab.widget("dana.meyer")):
            problem(await stop(nobody, "effects"), 403, "not_permitted")
            problem(await go_on(nobody, "effects"), 403, "not_permitted")
        answer = await stop(lab.dana, "effects", "the vendor\nasked us to wait")
        assert answer.status_code == 200
        assert answer.json()["stopped"]["effects"]["reason"] == "the vendor asked us to wait"
        assert (await lab.ines.get("/api/me"))["stopped"]["effects"]["by"] == "dana.meyer"
        assert (await lab.ines.get("/api/stop"))["stopped"]["effects"]["at"]

        problem(await lab.sam.decide(digest, "approve"), 409, "stopped")
        chat = await lab.dana.resume(run.thread, run.interrupts[0]["id"], {"approved": True})
        agui.check_run(chat.events)
        assert chat.end["code"] == "stopped" and "the vendor asked us to wait" in chat.end["message"]
        after = Journal(lab.settings.journal)  # as a server that has just been started reads it
        try:
            assert after.stopped()["effects"].by == "dana.meyer"
        finally:
            after.close()
        assert lab.journal.proposal(digest).state is State.AWAITING and lab.operations(digest) == []
        assert (await lab.dana.say("why?", run.thread)).interrupts, "and whoever asks is answered"

        assert (await go_on(lab.key("stop", machine="pager"), "effects")).json() == {"stopped": {}}
        assert (await lab.sam.decide(digest, "approve")).status_code == 200
        await lab.dana.until_card(digest, "verified")
    told = [one for one in lab.journal.entries() if one.event in {"effects_stopped", "effects_resumed"}][-2:]
    assert [(one.event, one.actor) for one in told] == [
        ("effects_stopped", "person:dana.meyer"),
        ("effects_resumed", "person:machine:pager"),
    ]
    assert lab.journal.verify()[2] is None and lab.journal.disagreements() == []


async def test_stopping_effects_withdraws_what_was_approved_and_has_not_begun(lab: World) -> None:
    async with broken(lab, "service-stopped") as fault:
        written = fault.ticket(lab.lab.estate)
        number = await lab.desk.report(**vars(written))
        card = await lab.card_of(number)
        thread = (await lab.ines.post("/api/threads", {"incident": card["incident"]})).json()["id"]
        with Gate(lab.app, "resume") as going_on:
            assert (await lab.sam.decide(card["digest"], "approve")).status_code == 200
            await asyncio.wait_for(going_on.reached.wait(), 20)
            answer = await stop(lab.dana, "effects", "wait")
            assert answer.json()["withdrawn"] == [card["digest"]]
            assert (await lab.dana.card(card["digest"]))["state"] == "withdrawn"
        async with lab.ines.watch(thread) as stream:
            await stream.until(shows(card["digest"], "withdrawn"))
            await stream.until(ended, after=stream.number_of(shows(card["digest"], "withdrawn")))
            agui.check_thread(stream.events)
        await lab.until_incident(card["incident"], "withdrawn")
        assert lab.operations(card["digest"]) == [] and not await lab.well(fault)
        assert "effects were stopped by dana.meyer" in str(lab.journal.entries(card["incident"]))
        await go_on(lab.dana, "effects")
        problem(await lab.sam.decide(card["digest"], "approve"), 409, "already_decided")
        assert not await lab.well(fault), "what was withdrawn stays withdrawn"


async def test_with_the_intake_stopped_new_work_is_refused_in_words_and_open_cards_are_decided(lab: World) -> None:
    async with broken(lab, "service-stopped") as fault:
        run = await lab.waiting(lab.dana, fault)
        digest = run.interrupts[0]["metadata"]["digest"]
        before = len(lab.journal.incidents())
        await stop(lab.dana, "intake", "we are moving house")
        new = await lab.dana.say(lab.report(fault))
        agui.check_run(new.events)
        assert new.end["code"] == "stopped" and "we are moving house" in new.end["message"]
        number = await lab.desk.report(**vars(fault.ticket(lab.lab.estate)))
        thread = (await lab.dana.post("/api/threads", {"ticket": number})).json()["id"]
        async with lab.dana.watch(thread) as stream:
            assert (await stream.until(ended))["code"] == "stopped"
        assert len(lab.journal.incidents()) == before

        assert (await lab.dana.say("who may approve this?", run.thread)).interrupts
        assert (await lab.sam.decide(digest, "approve")).status_code == 200
        await lab.dana.until_card(digest, "verified")
        await go_on(lab.dana, "intake")
    assert (await lab.dana.say("How do I set up the VPN for a new colleague?")).end["type"] == "RUN_FINISHED"


async def test_a_stop_of_the_model_is_recorded_and_shown(lab: World) -> None:
    await stop(lab.dana, "model", "a drill")
    await stop(lab.dana, "model", "still a drill")
    assert {level: one["reason"] for level, one in (await lab.lee.get("/api/stop"))["stopped"].items()} == {
        "model": "still a drill"
    }
    assert (await metrics(lab))["countersign_stopped"] == {"effects": 0.0, "model": 1.0, "intake": 0.0}
    problem(await stop(lab.dana, "everything"), 422, "invalid")
    problem(await go_on(lab.dana, "everything"), 422, "invalid")
    assert (await go_on(lab.dana, "model")).json() == {"stopped": {}}
    entries = len(lab.journal.entries())
    assert (await go_on(lab.dana, "model")).status_code == 200 and len(lab.journal.entries()) == entries
    assert (await metrics(lab))["countersign_stopped"]["model"] == 0.0


# Lists, stories, records -------------------------------------------------------------------------------------------


async def test_lists_stories_and_records_tell_what_happened_whole_and_by_hashes_that_recompute(lab: World) -> None:
    async with broken(lab, "service-stopped") as fault:
        number = await lab.desk.report(**vars(fault.ticket(lab.lab.estate)))
        card = await lab.card_of(number)
        open_ = await _listed(lab, state="open", q=number)
        assert [one["open_card"] for one in open_] == [card["digest"]]
        mine = (await lab.dana.post("/api/threads", {"incident": card["incident"]})).json()["id"]
        assert (await lab.dana.decide(card["digest"], "approve", reason="as agreed")).status_code == 200
        await lab.until_incident(card["incident"], "verified")
        await lab.notes(number, 2)
    well = ticket(HEALTHY, lab.lab.estate)
    await lab.dana.say(f"{well.subject}\n{well.body}")
    await _the_list_is_filtered(lab, number, card)
    await _the_story_is_whole(lab, number, card, mine)
    await _the_record_recomputes(lab, card["incident"])
    await _the_audit_is_read_in_parts(lab, card["incident"])
    figures = await metrics(lab)
    assert figures["countersign_incidents"]["verified"] >= 1 and figures["countersign_proposals"]["verified"] >= 1
    assert figures["countersign_journal_entries"][""] == len(lab.journal.entries())


async def _listed(lab: World, **wanted: object) -> list[Json]:
    return list((await lab.lee.get("/api/incidents", params=wanted))["incidents"])


async def _the_list_is_filtered(lab: World, number: str, card: Json) -> None:
    everything = await lab.lee.get("/api/incidents")
    listed = everything["incidents"]
    assert everything["total"] == len(listed) == len(lab.journal.incidents())
    assert [one["opened_at"] for one in listed] == sorted((one["opened_at"] for one in listed), reverse=True)
    (found,) = await _listed(lab, q=f"{number.lower()} VERIFIED")
    assert found["id"] == card["incident"] and found["ticket"] == number and found["open_card"] is None
    assert found["subject"] and found["requester"] == card["requester"] and found["updated_at"] >= found["opened_at"]
    for state in {one["state"] for one in listed}:
        assert {one["state"] for one in await _listed(lab, state=state)} == {state}
    service = found["service"]
    assert {one["service"] for one in await _listed(lab, service=service)} == {service}
    assert await _listed(lab, q="there is no such word") == [] == await _listed(lab, state="executing")
    short = await lab.lee.get("/api/incidents", params={"limit": 1})
    assert len(short["incidents"]) == 1 and short["total"] == everything["total"]
    for wrong in ({"limit": 0}, {"limit": 10_000}, {"limit": "x"}, {"q": "x" * 201}):
        problem(await lab.lee.ask("GET", "/api/incidents", params=wrong), 422, "invalid")


async def _the_story_is_whole(lab: World, number: str, card: Json, mine: str) -> None:
    story = await lab.dana.get(f"/api/incidents/{card['incident']}")
    assert story["incident"]["state"] == "verified" and story["body"] and story["service"]["scope"]
    assert [one["n"] for one in story["sources"]] == list(range(1, len(story["sources"]) + 1))
    assert story["sources"][0]["passages"][0]["digest"]
    assert {one["id"] for one in story["observations"]} >= {one["id"] for one in card["evidence"]}
    assert all(one["made"] and one["says"] and one["server"] == "diagnostics" for one in story["observations"])
    assert story["diagnosis"]["outcome"] == "fix" and story["diagnosis"]["causes"][0]["evidence"]
    assert [(one["digest"], one["state"]) for one in story["proposals"]] == [(card["digest"], "verified")]
    assert story["proposals"][0]["decision"] == {
        "by": "dana.meyer",
        "at": story["proposals"][0]["decision"]["at"],
        "reason": "as agreed",
        "state": "verified",
    }
    assert [note["written"] for note in story["notes"]] == [True, True]
    assert [note["text"].strip() for note in story["notes"]] == await lab.notes(number, 2)
    told = [one["event"] for one in story["timeline"]]
    assert told == lab.events_of(card["incident"]) and told[0] == "incident_opened"
    assert mine in story["threads"]
    assert (await lab.lee.get(f"/api/incidents/{card['incident']}"))["threads"] == []
    problem(await lab.dana.ask("GET", "/api/incidents/INC-9999"), 404, "unknown_incident")


def chained(entry: Json) -> str:
    """Return the hash of an entry, computed as the contract says (docs/audit.md) and not by the program."""
    body = {key: entry[key] for key in ("seq", "at", "actor", "incident", "event", "data")}
    return hashlib.sha256(entry["previous"].encode() + bytes(rfc8785.dumps(body))).hexdigest()


async def _the_record_recomputes(lab: World, incident: str) -> None:
    answer = await lab.dana.ask("GET", f"/api/incidents/{incident}/record")
    assert answer.headers["content-disposition"] == f'attachment; filename="{incident}.json"'
    record = answer.json()
    assert record["record"]["incident"]["id"] == incident and record["head"] == lab.journal.head()
    assert [chained(one) for one in record["journal"]] == [one["hash"] for one in record["journal"]]
    forged = {**record["journal"][-1], "actor": "person:sam.okafor"}
    assert chained(forged) != forged["hash"]
    (proposal,) = record["record"]["proposals"]
    exact = lab.journal.proposal(proposal["digest"]).envelope
    assert "sha256:" + hashlib.sha256(exact).hexdigest() == proposal["digest"]
    problem(await lab.dana.ask("GET", "/api/incidents/INC-9999/record"), 404, "unknown_incident")


async def _the_audit_is_read_in_parts(lab: World, incident: str) -> None:
    whole: list[Json] = []
    while True:
        after = whole[-1]["seq"] if whole else 0
        part = await lab.dana.get("/api/audit", params={"after": after, "limit": 7})
        if not part["entries"]:
            break
        assert len(part["entries"]) <= 7
        whole += part["entries"]
    assert [one["seq"] for one in whole] == list(range(1, len(lab.journal.entries()) + 1))
    previous = "0" * 64
    for one in whole:
        text = json.dumps(one["data"], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert chained({**one, "data": text, "previous": previous}) == one["hash"]
        previous = one["hash"]
    assert part["head"] == f"{whole[-1]['seq']}:{previous}"
    about = await lab.dana.get("/api/audit", params={"incident": incident, "limit": 1000})
    assert about["entries"] == [one for one in whole if one["incident"] == incident]
    later = await lab.dana.get("/api/audit", params={"incident": incident, "after": about["entries"][2]["seq"]})
    assert later["entries"] == about["entries"][3:]


async def metrics(lab: World) -> dict[str, dict[str, float]]:
    """Return the figures as a Prometheus server reads them: by name and by the value of the only label."""
    answer = await lab.key("metrics", machine="prometheus").ask("GET", "/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        family.name: {next(iter(one.labels.values()), ""): one.value for one in family.samples}
        for family in text_string_to_metric_families(answer.text)
    }


async def test_knowledge_is_found_or_plainly_not(lab: World) -> None:
    found = await lab.lee.get("/api/knowledge/search", params={"q": "users see 502 bad gateway"})
    assert found["found"] is True and found["pages"][0]["relevant"] and found["pages"][0]["passages"][0]["text"]
    assert [one["n"] for one in found["pages"]] == list(range(1, len(found["pages"]) + 1))
    assert (await lab.lee.get("/api/knowledge/search", params={"q": "coffee machine leaks"}))["found"] is False
    for wrong in ({}, {"q": ""}, {"q": "x" * 4001}):
        problem(await lab.lee.ask("GET", "/api/knowledge/search", params=wrong), 422, "invalid")


# The company's page ------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="module")
async def page(lab: World) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on the company's page, with a cookie jar of its own."""
    headers = {"Origin": lab.side.company}
    async with httpx.AsyncClient(base_url=lab.side.company, headers=headers, timeout=60, verify=False) as browser:
        yield browser


async def token_of(page: httpx.AsyncClient, lab: World) -> Client:
    """Take the token that the page's script takes, and use it as a script of that page can."""
    token = (await page.get("/token")).json()["token"]
    return Client(lab.http, "ines.costa", {"Authorization": f"Bearer {token}", "Origin": lab.side.company})


async def test_a_script_on_the_companys_page_can_ask_and_never_decide(lab: World, page: httpx.AsyncClient) -> None:
    """Whoever can run a script there has the token. With it they see their own and decide nothing, by any door."""
    assert (await page.post("/person", content="person=dana.meyer")).status_code == 303
    script = await token_of(page, lab)
    me = await script.get("/api/me")
    assert (me["person"], me["via"], me["permissions"]) == ("dana.meyer", "widget", ["ask", "read"])
    async with broken(lab, "service-stopped") as fault:
        theirs = await lab.waiting(lab.sam, fault)
        run = await lab.waiting(script, fault)
        digest = run.interrupts[0]["metadata"]["digest"]
        shown = await script.card(digest)
        assert shown["you"] == {
            "may_approve": False,
            "why_not": shown["you"]["why_not"],
            "may_reject": False,
            "may_edit": False,
            "sign_in": True,
        }
        for decision in ("approve", "reject", "edit", "withdraw", "ask"):
            answer = await script.decide(digest, decision, question="why?" if decision == "ask" else "")
            problem(answer, 403, "widget_cannot_decide")
        for payload in ({"approved": True}, {"approved": False}, {"decision": "approve", "shown": shown["shown"]}):
            answer = await script.post("/api/agent", resumed(run.thread, run.interrupts[0]["id"], payload))
            problem(answer, 403, "widget_cannot_decide")
        for method, path in [
            ("POST", "/api/frame-token"),
            ("POST", "/api/stop"),
            ("GET", "/api/incidents"),
            ("GET", "/api/proposals"),
            ("GET", "/api/events"),
            ("GET", "/api/audit"),
            ("GET", "/metrics"),
            ("GET", f"/api/incidents/{lab.stored(run).incident}/record"),
        ]:
            answer = await script.ask(method, path, json={"level": "effects"} if path == "/api/stop" else None)
            assert answer.status_code == 403, (path, answer.text)
        for path in (f"incidents/{lab.stored(theirs).incident}", f"proposals/{theirs.interrupts[0]['id'][:71]}"):
            problem(await script.ask("GET", f"/api/{path}"), 404, "unknown_incident")
        problem(await script.ask("GET", f"/api/threads/{theirs.thread}/events"), 404, "unknown_thread")
        assert [one["id"] for one in (await script.get("/api/threads"))["threads"]] == [run.thread]
        # The session of whoever is signed in at the assistant does not help: the browser sends that cookie for anyone.
        with_cookie = Client(lab.http, "", {"Cookie": lab.dana.headers["Cookie"], "Origin": lab.side.company})
        problem(await with_cookie.decide(digest, "approve"), 403, "cross_site")
        assert lab.journal.proposal(digest).state is State.AWAITING and lab.operations(digest) == []
        assert not await lab.well(fault)


async def test_the_companys_page_takes_nothing_from_other_origins(lab: World, page: httpx.AsyncClient) -> None:
    before = len(lab.journal.incidents())
    for origin in ("https://evil.example", lab.origin, "null", lab.side.company + "0"):
        for path in ("/break", "/report", "/mend", "/person"):
            answer = await page.post(path, json={"fault": "service-stopped"}, headers={"Origin": origin})
            assert answer.status_code in {403, 409} and "does not come from the company's page" in answer.text, path
            assert "set-cookie" not in answer.headers and "access-control-allow-origin" not in answer.headers
        token = await page.get("/token", headers={"Origin": origin})
        assert "access-control-allow-origin" not in token.headers, "no other page can read it"
    assert len(lab.journal.incidents()) == before and lab.lab.healthy()
    stranger = {"Authorization": (await token_of(page, lab)).headers["Authorization"], "Origin": "https://evil.example"}
    problem(await Client(lab.http, "", stranger).ask("GET", "/api/me"), 401, "wrong_origin")


async def test_the_companys_page_shows_tickets_and_notes_and_breaks_things(lab: World, page: httpx.AsyncClient) -> None:
    html = await page.get("/")
    policy = html.headers["content-security-policy"]
    assert f"script-src 'self' {lab.origin};" in policy and f"frame-src {lab.origin};" in policy
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy and "onclick" not in html.text
    assert f'src="{lab.origin}/embed.js"' in html.text and 'data-token-url="/token"' in html.text
    assert "dana.meyer" in html.text and COOKIE not in str(html.headers)
    for name in ("page.js", "page.css"):
        assert (await page.get(f"/assets/{name}")).status_code == 200
    for name in ("site.py", "..%2fsite.py", "../site.py"):
        assert (await page.get(f"/assets/{name}")).status_code in {404, 405}, name
    about = await page.get("/state")
    assert about.json()["well"] is True and {"name", "summary"} == about.json()["faults"][0].keys()

    for path, body, status in [
        ("/break", {"fault": "rm -rf"}, 409),
        ("/break", {}, 409),
        ("/report", {}, 422),
        ("/report", {"subject": "  ", "body": "\n"}, 422),
        ("/nothing", {}, 404),
    ]:
        answer = await page.post(path, json=body)
        assert answer.status_code == status and answer.json()["detail"], (path, answer.text)
    for content, status in [(b"{", 400), (b"[1]", 400), (b'"x"', 400), (b"x" * 70_000, 413)]:
        answer = await page.post("/report", content=content)
        assert answer.status_code == status and answer.json()["detail"], content[:10]

    reported = await page.post("/report", json={"subject": "Coffee", "body": "The coffee machine <b>leaks</b> again."})
    assert reported.status_code == 202
    (note,) = await lab.notes(reported.json()["ticket"], 1)
    listed = {one["ticket"]: one for one in (await page.get("/state")).json()["tickets"]}
    assert [each["text"] for each in listed[reported.json()["ticket"]]["notes"]] == [note]
    assert (await lab.until_incident(_incident_of(lab, reported.json()["ticket"]), "no_service", "page")) != "open"


def _incident_of(lab: World, number: str) -> str:
    return next(one.id for one in lab.journal.incidents() if one.ticket == number)


async def test_whoever_breaks_something_in_the_demo_gets_a_ticket_and_its_card(
    lab: World, page: httpx.AsyncClient
) -> None:
    offered = await lab.ines.get("/api/demo")
    assert offered["company"] == lab.side.company and offered["well"] is True
    problem(
        await lab.session("somebody", ("viewer",)).post("/api/demo/break", {"fault": "config-broken"}),
        403,
        "not_permitted",
    )
    problem(await lab.ines.post("/api/demo/break", {"fault": "nothing"}), 422, "bad_args")
    try:
        answer = await lab.ines.post("/api/demo/break", {"fault": "config-broken"})
        assert answer.status_code == 202, answer.text
        again = await page.post("/break", json={"fault": "config-broken"})
        assert again.status_code == 409 and str(lab.lab.directory) not in again.text
        problem(await lab.ines.post("/api/demo/break", {"fault": "config-broken"}), 409, "already_broken")
        card = await lab.card_of(answer.json()["ticket"])
        assert card["action"] == "restore_config" and (await lab.ines.get("/api/demo"))["well"] is False
    finally:
        assert (await page.post("/mend", json={})).status_code == 202
    assert (await lab.ines.get("/api/demo"))["well"] is True


async def test_a_conversation_about_a_ticket_follows_its_work_to_the_card(lab: World) -> None:
    """The same ticket in two conversations while it is being worked on: one incident, and both see the card."""
    async with broken(lab, "service-stopped") as fault:
        with Gate(lab.app.context.looking, "observe_all") as looking:
            number = await lab.desk.report(**vars(fault.ticket(lab.lab.estate)))
            await asyncio.wait_for(looking.reached.wait(), 20)
            first = (await lab.dana.post("/api/threads", {"ticket": number})).json()["id"]
            typed: dict[str, Any] = (await lab.lee.post("/api/agent", said(number), headers=DETACHED)).json()
        async with lab.dana.watch(first) as mine, lab.lee.watch(typed["threadId"]) as theirs:
            ends = [await stream.until(ended) for stream in (mine, theirs)]
        digests = {end["outcome"]["interrupts"][0]["metadata"]["digest"] for end in ends}
        (digest,) = digests
        assert [one.ticket for one in lab.journal.incidents()].count(number) == 1
        for stream in (mine, theirs):
            agui.check_thread(stream.events)
            assert agui.of(stream.events, "TEXT_MESSAGE_CONTENT") and agui.activities(stream.events, "sources")
        unknown = await lab.dana.post("/api/threads", {"ticket": "T-99999"})
        async with lab.dana.watch(unknown.json()["id"]) as stream:
            end = await stream.until(ended)
        assert end["type"] == "RUN_ERROR" and "T-99999" in end["message"]
        assert lab.journal.proposal(digest).state is State.AWAITING
