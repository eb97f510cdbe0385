"""Append, read and move: the only SQL that writes. Every move of state and its journal entry are one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, create_engine, delete, event, func, insert, select, update
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from agent.core.errors import CountersignError, Refused
from agent.core.lifecycle import GOES_ON, State, step
from agent.core.proposal import Proposal, canonical_bytes, digest
from agent.journal.chain import GENESIS, Broken, Entry, link, verify
from agent.journal.schema import accounts, incidents, journal, metadata, proposals, stops

LIVE = ("open", "investigating", "awaiting_approval", "executing")
"""States of an incident that is still being worked on; in any other it has ended."""


@dataclass(frozen=True)
class Incident:
    """One incident as the store has it."""

    id: str
    ticket: str
    subject: str
    requester: str
    service: str
    state: str
    opened_at: str
    updated_at: str


@dataclass(frozen=True)
class StoredProposal:
    """A proposal with where it stands: who decided, why, under which grant, and what came of it."""

    digest: str
    incident: str
    envelope: bytes
    card: dict[str, Any]
    state: State
    expires_at: str
    approver: str
    reason: str
    decided_at: str
    grant: str
    outcome: dict[str, Any]

    @property
    def proposal(self) -> Proposal:
        """The envelope, read from its stored bytes and checked against the digest it is stored under."""
        content = json.loads(self.envelope)
        if digest(content) != self.digest:
            raise Refused("altered", f"the stored proposal {self.digest} does not match its digest")
        return Proposal.model_validate(content)


@dataclass(frozen=True)
class Stop:
    """Something that a person has stopped: effects, the model, or the intake of new work."""

    level: str
    at: str
    by: str
    reason: str


class Journal:
    """The journal and the tables beside it, in one database file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self._engine: Engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 10})

        @event.listens_for(self._engine, "connect")
        def _configure(connection: Any, _record: object) -> None:
            # SQLAlchemy begins transactions itself (below); WAL lets readers and one writer pass each other; FULL
            # makes a committed approval survive a power cut.
            connection.isolation_level = None
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")

        with _plainly(path):
            metadata.create_all(self._engine)
            for index in journal.indexes:  # a journal from before has its table already, and no index on it
                index.create(self._engine, checkfirst=True)

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with _plainly(self.path), self._engine.connect() as connection:
            # IMMEDIATE takes the write lock first: two processes can never read the same head and both append.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with _plainly(self.path), self._engine.connect() as connection:
            yield connection

    def append(self, at: str, actor: str, incident: str, what: str, data: Mapping[str, Any]) -> None:
        """Append one entry that moves no state."""
        with self._write() as connection:
            _append(connection, at, actor, incident, what, data)

    def open_incident(
        self, at: str, ticket: str, subject: str, actor: str, question: Mapping[str, str] | None = None
    ) -> tuple[Incident, bool]:
        """Store a new incident and return it with True; a ticket that has a live one gets that one, with False.

        A question that has no ticket is kept with it, inert and redacted, so that work on it can begin again.
        """
        with self._write() as connection:
            if ticket:
                row = connection.execute(
                    select(incidents).where(incidents.c.ticket == ticket, incidents.c.state.in_(LIVE))
                ).first()
                if row is not None:
                    return Incident(**row._mapping), False
            number = connection.execute(select(func.count()).select_from(incidents)).scalar_one() + 1
            incident = Incident(f"INC-{number:04d}", ticket, subject, "", "", "open", at, at)
            connection.execute(insert(incidents).values(**vars(incident)))
            _append(connection, at, actor, incident.id, "incident_opened", {"ticket": ticket, **(question or {})})
        return incident, True

    def live_incidents(self) -> list[Incident]:
        """Return the incidents that have not ended, newest first."""
        return [one for one in self.incidents() if one.state in LIVE]

    def move_incident(
        self,
        at: str,
        incident: str,
        state: str,
        actor: str,
        service: str | None = None,
        *,
        about: Mapping[str, str] | None = None,
        **data: Any,
    ) -> None:
        """Set where an incident stands and say so in the journal; `about` may give it a subject and a requester."""
        known = {key: (about or {})[key] for key in ("subject", "requester") if (about or {}).get(key)}
        values = {"state": state, "updated_at": at, **known} | ({"service": service} if service is not None else {})
        with self._write() as connection:
            connection.execute(update(incidents).where(incidents.c.id == incident).values(**values))
            _append(connection, at, actor, incident, f"incident_{state}", data)

    def incident(self, incident: str) -> Incident:
        """Return one incident; Refused with code `unknown_incident` when there is none."""
        with self._read() as connection:
            row = connection.execute(select(incidents).where(incidents.c.id == incident)).one_or_none()
        if row is None:
            raise Refused("unknown_incident", f"there is no incident {incident}")
        return Incident(**row._mapping)

    def incidents(self) -> list[Incident]:
        """Return all incidents, newest first."""
        with self._read() as connection:
            rows = connection.execute(select(incidents).order_by(incidents.c.opened_at.desc(), incidents.c.id.desc()))
            return [Incident(**row._mapping) for row in rows]

    def propose(self, at: str, proposal: Proposal, card: Mapping[str, Any], replaces: str = "") -> str:
        """Store a proposal that awaits a decision; whatever waited for this incident is superseded. Return its digest.

        Proposing again what is already stored changes nothing. Refused with `being_executed` while a fix runs, and with
        `already_decided` when the one it `replaces` does not wait any more.
        """
        name, envelope = digest(proposal.to_json()), canonical_bytes(proposal.to_json())
        with self._write() as connection:
            if replaces and (stands := _one(connection, replaces)).state is not State.AWAITING:
                raise Refused("already_decided", f"this proposal is already {stands.state}")
            live = connection.execute(
                select(proposals.c.digest, proposals.c.state).where(
                    proposals.c.incident == proposal.incident,
                    proposals.c.state.in_([State.AWAITING, State.APPROVED, State.EXECUTING]),
                )
            ).all()
            for old, state in live:
                if old == name:
                    return name
                if state != State.AWAITING:
                    raise Refused("being_executed", f"a fix for {proposal.incident} is already {state}")
                _move(connection, at, proposal.author, old, State.SUPERSEDED, {"by": name})
            connection.execute(
                insert(proposals).values(
                    digest=name,
                    incident=proposal.incident,
                    envelope=envelope,
                    card=_json(card),
                    state=State.AWAITING,
                    expires_at=proposal.expires_at,
                )
            )
            _append(
                connection,
                at,
                proposal.author,
                proposal.incident,
                "proposed",
                {
                    "digest": name,
                    "action": proposal.action,
                    "target": proposal.target,
                    "risk": proposal.risk,
                    "card": _fingerprint(_json(card)),
                },
            )
        return name

    def decide(
        self,
        at: str,
        name: str,
        to: State,
        approver: str,
        reason: str,
        grant: str = "",
        via: str = "",
        seen: Mapping[str, Any] | None = None,
    ) -> StoredProposal:
        """Record a person's decision. Refused when it is not waiting any more, has expired, or effects are stopped.

        `seen` is what the front end says of the display: the fingerprint of the card as drawn, seconds on screen.
        """
        with self._write() as connection:
            stored = _one(connection, name)
            if to is State.APPROVED:
                _effects_allowed(connection)
            if to is State.APPROVED and stored.state is State.AWAITING and at >= stored.expires_at:
                raise Refused("expired", f"this proposal expired at {stored.expires_at}; ask again for a new one")
            if stored.state is not State.AWAITING:
                by = f" by {stored.approver}" if stored.approver else ""
                raise Refused("already_decided", f"this proposal is already {stored.state}{by}")
            _move(
                connection,
                at,
                f"person:{approver}",
                name,
                to,
                {"reason": reason, "via": via, **(seen or {})},
                approver=approver,
                reason=reason,
                decided_at=at,
                grant=grant,
            )
            return _one(connection, name)

    def expire(self, at: str) -> list[str]:
        """Move every proposal that waits, or was approved and not begun, past its expiry to `expired`; return them."""
        unbegun = proposals.c.state.in_([State.AWAITING, State.APPROVED])
        with self._write() as connection:
            late = (
                connection.execute(select(proposals.c.digest).where(unbegun, proposals.c.expires_at <= at))
                .scalars()
                .all()
            )
            for name in late:
                _move(connection, at, "clock", name, State.EXPIRED, {})
        return list(late)

    def claim(self, at: str, name: str, actor: str) -> bool:
        """Take an approved proposal for execution, once: True for the one caller that got it.

        One statement decides (single use, expiry and double clicks at once); an approval that expired unused is
        recorded as such. Refused with code `stopped` while effects are stopped.
        """
        with self._write() as connection:
            if _one(connection, name).state is State.APPROVED:
                _effects_allowed(connection)
            taken = connection.execute(
                update(proposals)
                .where(
                    proposals.c.digest == name,
                    proposals.c.state == State.APPROVED,
                    proposals.c.expires_at > at,
                )
                .values(state=State.EXECUTING)
            ).rowcount
            if taken:
                _append(connection, at, actor, _one(connection, name).incident, "executing", {"digest": name})
                return True
            if _one(connection, name).state is State.APPROVED:
                _move(connection, at, "clock", name, State.EXPIRED, {"approved_but": "not executed in time"})
            return False

    def finish(self, at: str, name: str, to: State, actor: str, outcome: Mapping[str, Any]) -> StoredProposal:
        """Record what came of a claimed proposal; recording the same again changes nothing."""
        with self._write() as connection:
            stored = _one(connection, name)
            if stored.state is to:
                return stored
            _move(connection, at, actor, name, to, outcome, outcome=_json({**stored.outcome, **outcome}))
            return _one(connection, name)

    def proposal(self, name: str) -> StoredProposal:
        """Return a proposal by its digest; the beginning of the digest is enough where it is unambiguous."""
        with self._read() as connection:
            wanted = name if name.startswith("sha256:") else f"sha256:{name}"
            rows = connection.execute(select(proposals).where(proposals.c.digest.startswith(wanted, autoescape=True)))
            found = [_stored(row._mapping) for row in rows]
        if not found or len(wanted) < len("sha256:") + 6:
            raise Refused("unknown_proposal", f"there is no proposal {name}; `countersign approvals list` shows them")
        if len(found) > 1:
            raise Refused("unknown_proposal", f"{name} is the beginning of {len(found)} digests; write more of it")
        return found[0]

    def proposals(self, incident: str | None = None, state: State | None = None) -> list[StoredProposal]:
        """Return proposals, newest first, of one incident or in one state where asked."""
        query = select(proposals).order_by(proposals.c.expires_at.desc())
        if incident is not None:
            query = query.where(proposals.c.incident == incident)
        if state is not None:
            query = query.where(proposals.c.state == state)
        with self._read() as connection:
            return [_stored(row._mapping) for row in connection.execute(query)]

    def current(self, incident: str) -> StoredProposal | None:
        """Return the proposal that an incident is about: the live one, else the one that moved last."""
        order = {json.loads(one.data).get("digest"): one.seq for one in self.entries(incident)}
        found = self.proposals(incident)
        return max(found, key=lambda one: (one.state in GOES_ON, order.get(one.digest, 0)), default=None)

    def card_is_whole(self, stored: StoredProposal) -> bool:
        """True when the card beside a proposal is the one that the journal says was put up with it."""
        proposed = [json.loads(one.data) for one in self.entries(stored.incident) if one.event == "proposed"]
        return any(
            one["digest"] == stored.digest and one["card"] == _fingerprint(_json(stored.card)) for one in proposed
        )

    def disagreements(self) -> list[str]:
        """Return where a proposal's row says something else than the journal: its state, who decided, its card."""
        told: dict[str, tuple[str, str]] = {}
        for one in self.entries():
            digest_of = json.loads(one.data).get("digest")
            if digest_of and one.event in {"proposed", *State}:
                by = one.actor.removeprefix("person:") if one.actor.startswith("person:") else ""
                state = State.AWAITING if one.event == "proposed" else one.event
                told[digest_of] = (str(state), by or told.get(digest_of, ("", ""))[1])
        wrong = []
        for stored in self.proposals():
            state, approver = told.get(stored.digest, ("", ""))
            if (stored.state, stored.approver) != (state, approver) or not self.card_is_whole(stored):
                wrong.append(
                    f"proposal {stored.digest[7:19]} stands as {stored.state} by {stored.approver or 'nobody'}, "
                    f"and the journal says {state or 'nothing'} by {approver or 'nobody'}"
                )
        return wrong

    def entries(self, incident: str | None = None) -> list[Entry]:
        """Return the journal in order, of one incident where asked."""
        query = select(journal).order_by(journal.c.seq)
        if incident is not None:
            query = query.where(journal.c.incident == incident)
        with self._read() as connection:
            return [Entry(**row._mapping) for row in connection.execute(query)]

    def due_notes(self) -> list[Entry]:
        """Return the notes that are due on a ticket and not yet recorded as written, oldest first."""
        query = select(journal).where(journal.c.event.in_(["note_due", "note_written"])).order_by(journal.c.seq)
        with self._read() as connection:
            entries = [Entry(**row._mapping) for row in connection.execute(query)]
        written = {json.loads(entry.data)["key"] for entry in entries if entry.event == "note_written"}
        return [
            entry
            for entry in entries
            if entry.event == "note_due"
            and json.loads(entry.data)["ticket"]
            and json.loads(entry.data)["key"] not in written
        ]

    def keep_account(self, at: str, actor: str, incident: str, account: Mapping[str, Any]) -> None:
        """Keep what an investigation saw and came to, whole; the journal gets its fingerprint. The newest counts."""
        text = json.dumps(account, ensure_ascii=False, separators=(",", ":"))  # in its own order, for people to read
        with self._write() as connection:
            connection.execute(delete(accounts).where(accounts.c.incident == incident))
            connection.execute(insert(accounts).values(incident=incident, digest=_fingerprint(text), data=text))
            _append(connection, at, actor, incident, "accounted", {"account": _fingerprint(text)})

    def account(self, incident: str) -> dict[str, Any] | None:
        """Return what was kept of an investigation, None when nothing was; Refused when the journal knows another."""
        with self._read() as connection:
            row = connection.execute(select(accounts).where(accounts.c.incident == incident)).one_or_none()
            told = connection.execute(
                select(journal.c.data)
                .where(journal.c.incident == incident, journal.c.event == "accounted")
                .order_by(journal.c.seq.desc())
                .limit(1)
            ).scalar_one_or_none()
        if row is None and told is None:
            return None
        if row is None or told is None or json.loads(told)["account"] != _fingerprint(row.data):
            raise Refused("altered", f"what is kept of {incident} is not what the journal says was kept")
        kept: dict[str, Any] = json.loads(row.data)
        return kept

    def stop(self, at: str, level: str, person: str, reason: str) -> list[str]:
        """Stop effects, the model or the intake, at once and until somebody resumes it; return what was withdrawn.

        With effects go the approvals that nobody has begun to carry out: they are withdrawn in the same transaction.
        """
        with self._write() as connection:
            connection.execute(delete(stops).where(stops.c.level == level))
            connection.execute(insert(stops).values(level=level, at=at, by=person, reason=reason))
            _append(connection, at, f"person:{person}", "", f"{level}_stopped", {"reason": reason})
            if level != "effects":
                return []
            names = select(proposals.c.digest).where(proposals.c.state == State.APPROVED)
            withdrawn = list(connection.execute(names).scalars())
            for name in withdrawn:
                _move(connection, at, "stop", name, State.WITHDRAWN, {"reason": f"effects were stopped by {person}"})
        return withdrawn

    def go_on(self, at: str, level: str, person: str) -> bool:
        """Lift a stop; False when there was none."""
        with self._write() as connection:
            lifted = connection.execute(delete(stops).where(stops.c.level == level)).rowcount > 0
            if lifted:
                _append(connection, at, f"person:{person}", "", f"{level}_resumed", {})
        return lifted

    def stopped(self) -> dict[str, Stop]:
        """Return what is stopped, by level."""
        with self._read() as connection:
            return {row.level: Stop(**row._mapping) for row in connection.execute(select(stops))}

    def after(self, seq: int, limit: int = 500) -> list[Entry]:
        """Return the entries after one, oldest first."""
        query = select(journal).where(journal.c.seq > seq).order_by(journal.c.seq).limit(limit)
        with self._read() as connection:
            return [Entry(**row._mapping) for row in connection.execute(query)]

    def head(self) -> str:
        """Return `sequence:hash` of the last entry, to be kept outside as an anchor."""
        with self._read() as connection:
            last = connection.execute(select(journal.c.seq, journal.c.hash).order_by(journal.c.seq.desc()).limit(1))
            row = last.first()
        return f"{row.seq}:{row.hash}" if row else f"0:{GENESIS}"

    def verify(self) -> tuple[str, int, Broken | None]:
        """Recompute the whole chain: the head's hash, how many entries are sound, the first broken one."""
        return verify(self.entries())


def _append(connection: Connection, at: str, actor: str, incident: str, what: str, data: Mapping[str, Any]) -> None:
    last = connection.execute(select(journal.c.seq, journal.c.hash).order_by(journal.c.seq.desc()).limit(1)).first()
    seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
    text = _json(data)
    connection.execute(
        insert(journal).values(
            seq=seq,
            at=at,
            actor=actor,
            incident=incident,
            event=what,
            data=text,
            previous=previous,
            hash=link(previous, seq, at, actor, incident, what, text),
        )
    )


def _move(
    connection: Connection, at: str, actor: str, name: str, to: State, data: Mapping[str, Any], **columns: str
) -> None:
    stored = _one(connection, name)
    step(stored.state, to)
    connection.execute(update(proposals).where(proposals.c.digest == name).values(state=to, **columns))
    _append(connection, at, actor, stored.incident, str(to), {"digest": name, **data})


def _effects_allowed(connection: Connection) -> None:
    row = connection.execute(select(stops).where(stops.c.level == "effects")).one_or_none()
    if row is not None:
        why = f": {row.reason}" if row.reason else ""
        raise Refused(
            "stopped", f"effects were stopped by {row.by} at {row.at}{why}; nothing runs until that is lifted"
        )


def _one(connection: Connection, name: str) -> StoredProposal:
    row = connection.execute(select(proposals).where(proposals.c.digest == name)).one_or_none()
    if row is None:
        raise Refused("unknown_proposal", f"there is no proposal {name}")
    return _stored(row._mapping)


def _stored(row: RowMapping) -> StoredProposal:
    return StoredProposal(
        **{
            **row,
            "state": State(row["state"]),
            "card": json.loads(row["card"]),
            "outcome": json.loads(row["outcome"] or "{}"),
        }
    )


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@contextmanager
def _plainly(path: Path) -> Iterator[None]:
    """Say what to do when the database cannot be used, in place of the driver's words."""
    try:
        yield
    except IntegrityError as error:
        raise Refused("conflict", f"the journal refused this step: {error.orig}") from error
    except (OperationalError, DatabaseError) as error:
        raise CountersignError(
            f"the journal {path} cannot be written or read ({error.orig}), so this step is not written down. "
            "Make room or mend its permissions; then `countersign resume` goes on with what was begun"
        ) from error
