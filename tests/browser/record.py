"""Record what a real assistant on a real lab sends, for the tests that need no lab: `python -m tests.browser.record`.

The recording is what the API answered, byte for byte; the tests set the browser's clock to when it was made.
"""

from __future__ import annotations

import json
from typing import Any

from tests.browser.canned import RECORDED
from tests.browser.world import APPROVER, REQUESTER, TROUBLE, Person, running_demo, until


def story(asker: Person, person: Person, text: str) -> dict[str, Any]:
    """A question, the card, its approval by another, and its end, with the pages' data before and after."""
    thread = asker.asks(text)
    card = until(lambda: next((e for _, e in asker.listens(thread) if e.get("activityType") == "proposal"), None))
    digest = card["content"]["digest"]
    until(lambda: asker.listens(thread)[-1][1]["type"] == "RUN_FINISHED")
    told: dict[str, Any] = {"thread": thread, "digest": digest, "incident": card["content"]["incident"]}
    told["at"] = person.get(f"/api/proposals/{digest}")["now"]
    told["open_events"] = len(asker.listens(thread))
    told["before"] = pages(person, told["incident"], digest)
    shown = told["before"]["card"]["shown"]
    answer = person.decides(digest, "approve", shown=shown)
    assert answer.status_code == 200, answer.text
    person.ends(digest, "verified")
    until(lambda: asker.listens(thread)[-1][1]["type"] == "RUN_FINISHED")
    told["events"] = asker.listens(thread)
    told["after"] = pages(person, told["incident"], digest)
    return told


def pages(person: Person, incident: str, digest: str) -> dict[str, Any]:
    """What the console and the card's page are told."""
    return {
        "card": person.get(f"/api/proposals/{digest}"),
        "incident": person.get(f"/api/incidents/{incident}"),
        "incidents": person.get("/api/incidents"),
        "proposals": person.get("/api/proposals", state="awaiting"),
        "knowledge": person.get("/api/knowledge/search", q="502 bad gateway"),
        "threads": person.get("/api/threads"),
        "me": person.get("/api/me"),
        "demo": person.get("/api/demo"),
    }


def main() -> None:
    """Write the recordings."""
    RECORDED.mkdir(exist_ok=True)
    with running_demo() as demo, demo.person(APPROVER) as person, demo.person(REQUESTER) as asker:
        for name, fault in (("low", "service-stopped"), ("medium", "config-broken")):
            person.clear()
            demo.breaks(fault)
            told = story(asker, person, TROUBLE)
            text = json.dumps(told, ensure_ascii=False, indent=None, separators=(",", ":"), sort_keys=True)
            (RECORDED / f"{name}.json").write_text(text + "\n", encoding="utf-8")
            print(f"{name}: {len(told['events'])} events, {len(text) // 1024} kB")


if __name__ == "__main__":
    main()
