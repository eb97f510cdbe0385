"""Answers about the proposed fix: what it changes, what waiting means, who decides, how it stands, what undoes it."""

from __future__ import annotations

from agent.chat.draft import Answer, Draft
from agent.chat.markdown import code, fence, json_block, prose, table
from agent.chat.words import EN
from agent.core.evidence import Observation
from agent.core.note import expectation_in_words, undo_in_words
from agent.core.proposal import Proposal

WAITS, RUNS = frozenset({"awaiting", "approved"}), frozenset({"executing"})
RAN = frozenset({"executed", "verified", "not_verified", "inconclusive"})
MAYBE_RAN = frozenset({"unknown", "failed"})


def short(digest: str) -> str:
    """Return the part of a digest that people compare."""
    return code(digest.removeprefix("sha256:")[:12])


def state_words(draft: Draft, state: str) -> str:
    """Return what a state of a proposal or an incident means, in a sentence."""
    key = f"state_{state}"
    return draft.words(key) if key in EN else draft.words("state_other", state=code(state) or "?")


def what_if_wait(draft: Draft) -> Answer:
    """Say what is known about waiting: what fails since when, who depends on it, what expires, what ended it before."""
    draft.add("wait_lead")
    _failing(draft)
    _depending(draft)
    _deadline(draft)
    story = draft.story
    if story.similar:
        draft.add("wait_similar")
        draft.list(
            f"{code(str(one.get('ticket', '')), 40)} ({prose(str(one.get('solved_at', ''))[:10])}): "
            f"{prose(str(one.get('solution', '')), 200)}"
            for one in story.similar[:2]
        )
    else:
        draft.add("wait_no_similar")
    draft.add("wait_limit")
    return draft.done()


def _failing(draft: Draft) -> None:
    view = draft.story.view
    bad = [one for one in draft.observations if one.check.service in view.ill and _is_bad(one)]
    since = [line for one in draft.observations for line in _measures_of_time(draft, one)]
    if not draft.observations:
        draft.add("wait_no_evidence")
    elif bad:
        draft.add("wait_fails")
        draft.list([draft.line(one) for one in bad[:6]] + since)
        return
    elif view.well:
        draft.add("wait_well", services=", ".join(code(name) for name in view.well))
    else:
        draft.add("wait_unseen")
    draft.list(since)


def _is_bad(one: Observation) -> bool:
    result = one.result or {}
    if one.check.tool == "service_status":
        return result.get("state") in {"stopped", "failed"}
    return one.made and not result.get({"check_http": "ok", "check_tcp": "open"}.get(one.check.tool, ""), True)


def _measures_of_time(draft: Draft, one: Observation) -> list[str]:
    """Return what an observation says about how long something lasts or how much is left."""
    result = one.result or {}
    found: list[tuple[str, dict[str, str | int]]] = []
    since = str(result.get("since") or "")
    if one.check.tool == "service_status" and result.get("state") in {"stopped", "failed"} and since:
        age = draft.since(since)
        span = draft.span(age) if age is not None and age >= 0 else "?"
        found.append(("wait_since", {"state": code(str(result["state"])), "since": prose(since, 40), "span": span}))
    blocker = result.get("blocker")
    if one.check.tool == "postgres_activity" and result.get("waiting") and isinstance(blocker, dict):
        seconds = blocker.get("transaction_age_s")
        if isinstance(seconds, int):
            found.append(("wait_open_for", {"n": int(result["waiting"]), "span": draft.span(seconds)}))
    for tool, name, key in (("check_disk", "fullest_percent", "wait_disk"), ("check_tls", "days_left", "wait_tls")):
        if one.check.tool == tool and isinstance(result.get(name), int):
            found.append((key, {"n": result[name]}))
    lines = result.get("lines")
    if isinstance(lines, list) and lines and isinstance(lines[0], dict) and lines[0].get("at"):
        found.append(("wait_log_from", {"at": prose(str(lines[0]["at"]), 40)}))
    service = code(one.check.service) or "-"
    return [draft.words(key, service=service, evidence=draft.see(one.id), **values) for key, values in found]


def _depending(draft: Draft) -> None:
    story = draft.story
    about = story.proposal.target if story.proposal else story.cause.service if story.cause else story.service
    if not about:
        return
    lines = []
    if story.service and about != story.service and about in story.scope:
        lines.append(draft.words("wait_depends", top=code(story.service), service=code(about)))
    named = story.beside.get("needed_by")
    needed_by = [str(name) for name in named if name != story.service or not lines] if isinstance(named, list) else []
    if needed_by:
        names = ", ".join(code(name) for name in needed_by)
        lines.append(draft.words("wait_needed_by", service=code(about), names=names))
    draft.block(" ".join(lines or [draft.words("wait_alone", service=code(about))]))


def _deadline(draft: Draft) -> None:
    story = draft.story
    if story.proposal is None or not story.state:
        draft.add("wait_no_card")
        return
    if story.state != "awaiting":
        draft.add("wait_decided", status=state_words(draft, story.state))
        return
    draft.block(_until(draft, story.proposal, "wait_card"))
    draft.add("wait_recheck")


def _until(draft: Draft, proposal: Proposal, key: str) -> str:
    """Return until when the proposal waits, or that this is over."""
    past, expires = draft.since(proposal.expires_at), prose(proposal.expires_at, 40)
    if past is not None and past >= 0:
        return draft.words("wait_card_over", expires=expires)
    left = draft.words("in", span=draft.span(-past)) if past is not None else "?"
    return draft.words(key, expires=expires, span=left)


def what_would_change(draft: Draft) -> Answer:
    """Show exactly what would run, its rehearsed effect, and what is not known about it."""
    story, proposal = draft.story, draft.story.proposal
    if proposal is None:
        draft.add("fix_none")
        return draft.done()
    if story.state and story.state not in WAITS:
        draft.block(state_words(draft, story.state))
    draft.add("fix_ran" if story.state in RAN | RUNS | MAYBE_RAN else "fix_only")
    draft.block(json_block({"action": proposal.action, "target": proposal.target, "params": proposal.params}))
    if proposal.precondition:
        draft.add("fix_needs", precondition=prose(proposal.precondition))
    _effect(draft, proposal)
    diff = str(story.beside.get("diff") or "")
    if diff.strip():
        draft.add("fix_diff")
        draft.block(fence(diff, "diff", 60))
    checks = [code(one) for one in expectation_in_words(proposal)]
    if checks:
        draft.add("fix_checked", checks=", ".join(checks))
    draft.block(_undo_line(draft, proposal))
    draft.block(f"{draft.words('fix_risk', risk=code(proposal.risk))} {draft.words('fix_time')}")
    return draft.done()


def _effect(draft: Draft, proposal: Proposal) -> None:
    before, after = proposal.effect.before, proposal.effect.after
    names = list(dict.fromkeys([*before, *after]))
    changed = [name for name in names if before.get(name) != after.get(name)]
    at = str(draft.story.beside.get("rehearsed_at") or "")
    if not changed:
        draft.add("fix_no_change")
    else:
        draft.block(draft.words("fix_effect_at", age=draft.age(at)) if at else draft.words("fix_effect"))
        head = [draft.words(f"head_{name}") for name in ("value", "before", "after")]
        rows = [(code(name), _value(before, name), _value(after, name)) for name in changed]
        draft.block(table(head, rows))
    same = [name for name in names if name not in changed]
    if same:
        draft.add("fix_unchanged", names=", ".join(f"{code(name)} {_value(before, name)}" for name in same))


def _value(values: dict[str, bool | int | str], name: str) -> str:
    value = values.get(name, "")
    return code(str(value).lower() if isinstance(value, bool) else str(value)) or "-"


def _undo_line(draft: Draft, proposal: Proposal) -> str:
    if "cannot" in proposal.undo:
        return draft.words("undo_cannot", why=prose(str(proposal.undo["cannot"])))
    return draft.words("undo_how", undo=code(undo_in_words(proposal)))


def undo(draft: Draft) -> Answer:
    """Say whether there is anything to take back, and what takes it back."""
    story, proposal = draft.story, draft.story.proposal
    if proposal is None:
        draft.add("undo_none")
        return draft.done()
    if story.state in RUNS:
        draft.add("undo_running")
    elif story.state in RAN:
        draft.add("undo_ran")
    elif story.state in MAYBE_RAN:
        draft.add("undo_maybe")
    elif story.state in WAITS or not story.state:
        draft.add("undo_not_run")
    else:
        draft.block(f"{state_words(draft, story.state)} {draft.words('undo_will_not_run')}")
        return draft.done()
    draft.block(_undo_line(draft, proposal))
    if "cannot" not in proposal.undo:
        draft.add("undo_own")
    return draft.done()


def who_may_approve(draft: Draft) -> Answer:
    """Name the people who may decide, and the rule that says so."""
    story, proposal = draft.story, draft.story.proposal
    if proposal is None:
        draft.add("who_none")
        return draft.done()
    if story.state and story.state != "awaiting":
        draft.add("who_decided", status=state_words(draft, story.state))
        _decided_by(draft)
        return draft.done()
    people = [prose(str(name), 80) for name in story.beside.get("may_approve") or ()]
    draft.add("who_may" if people else "who_no_one", names=", ".join(f"**{name}**" for name in people))
    lines = [draft.words(f"who_{proposal.risk}"), draft.words("who_requester", name=prose(proposal.requester, 80))]
    if story.beside.get("owner"):
        lines.append(draft.words("who_owner", name=prose(str(story.beside["owner"]), 80)))
    draft.list([*lines, _until(draft, proposal, "who_until")])
    draft.add("who_buttons")
    return draft.done()


def approve_by_text(draft: Draft) -> Answer:
    """Say that a message decides nothing, why, and where the decision is made."""
    story, proposal = draft.story, draft.story.proposal
    draft.add("text_no")
    draft.add("text_why")
    if proposal is not None and story.state == "awaiting":
        draft.add(
            "text_card",
            digest=short(story.digest) or "?",
            action=code(proposal.action),
            target=code(proposal.target),
            expires=prose(proposal.expires_at, 40),
        )
        people = [prose(str(name), 80) for name in story.beside.get("may_approve") or ()]
        draft.add("who_may" if people else "who_no_one", names=", ".join(people))
    elif proposal is not None and story.state:
        draft.block(state_words(draft, story.state))
    else:
        draft.add("text_no_card")
    return draft.done()


def status(draft: Draft) -> Answer:
    """Say how the incident stands, who decided, and what was seen afterwards."""
    story = draft.story
    state = story.state or story.incident_state or "open"
    draft.add("status_lead", incident=code(story.incident), says=state_words(draft, state))
    if story.diagnosis is not None:
        draft.add("status_verdict", says=prose(story.diagnosis.says, 600))
    if story.proposal is not None:
        _fix_line(draft, story.proposal)
        if story.state == "awaiting":
            draft.block(_until(draft, story.proposal, "status_until"))
        _decided_by(draft)
        _what_came_of_it(draft)
    return draft.done()


def outcome(draft: Draft) -> Answer:
    """Say what was decided by whom, what ran, what was seen afterwards, and what takes it back."""
    story = draft.story
    if story.proposal is None or not story.state or story.state == "awaiting":
        draft.add("outcome_none")
        return draft.done()
    draft.block(state_words(draft, story.state))
    _fix_line(draft, story.proposal)
    _decided_by(draft)
    _what_came_of_it(draft)
    if story.state in RAN | MAYBE_RAN:
        draft.block(_undo_line(draft, story.proposal))
    return draft.done()


def _fix_line(draft: Draft, proposal: Proposal) -> None:
    digest = short(draft.story.digest) or "?"
    draft.add("status_fix", action=code(proposal.action), target=code(proposal.target), digest=digest)


def _decided_by(draft: Draft) -> None:
    story = draft.story
    if story.approver:
        at = draft.age(story.decided_at) if story.decided_at else "?"
        draft.add("status_by", name=f"**{prose(story.approver, 80)}**", at=at)
    if story.reason:
        draft.add("status_because", reason=prose(story.reason))


def _what_came_of_it(draft: Draft) -> None:
    outcome_of = draft.story.outcome
    if outcome_of.get("started_at"):
        end = prose(str(outcome_of.get("finished_at") or "?"), 40)
        draft.add("ran", start=prose(str(outcome_of["started_at"]), 40), end=end)
    if outcome_of.get("reason"):
        draft.add("said", reason=code(str(outcome_of["reason"]), 400))
    checks = [one for one in outcome_of.get("checks") or () if isinstance(one, dict)]
    if checks:
        draft.add("status_checks")
        draft.list(
            f"{code(str(one.get('tool', '')))} {draft.on(str(one.get('service', '')))}: "
            f"{draft.words('ok' if one.get('ok') else 'not_ok' if one.get('known') else 'not_known')} "
            f"({code(str(one.get('says', ''))) or '-'})"
            for one in checks
        )
