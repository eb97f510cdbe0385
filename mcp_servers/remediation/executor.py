"""Rehearse and execute: the one place where an action reaches a target.

Order of an execution: the operation's lock, its record, the gate, the target's lock, `checking`, a fresh look at the
target, the clock again, `begun` on the disk, the play, `finished`.
Everything here is plain blocking code, run in a worker thread: once begun it ends on its own, whether or not anybody
still waits for the answer.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import BaseModel, ConfigDict, ValidationError

from mcp_servers.inventory import InventoryError, Service, load_inventory
from mcp_servers.remediation import locks
from mcp_servers.remediation.canonical import NotCanonical, canonical_bytes, digest, same
from mcp_servers.remediation.catalogue import HERE, Action, Catalogue, CatalogueError, load_catalogue
from mcp_servers.remediation.gate import Case, Look, Refused, Trust, admit, admit_look
from mcp_servers.remediation.journal import TERMINAL, Journal, JournalError, Operation, OutOfStep, now_text
from mcp_servers.remediation.play import Ansible, PlayRequest, PlayResult
from mcp_servers.remediation.proposal import Effect, Facts, Risk, read_proposal

OPERATION_WAIT_S = 0.5
TARGET_WAIT_S = 5.0

RunPlay = Callable[[PlayRequest, Sequence[int]], PlayResult]


class CannotRehearse(ValueError):
    """The rehearsal could not be made; the message is one plain sentence."""


class Untrusted(ValueError):
    """The key, the inventory or the catalogue cannot be read; nothing may be done."""


class PreconditionView(BaseModel):
    """Whether the action may be taken on what the rehearsal saw."""

    model_config = ConfigDict(frozen=True)
    met: bool
    says: str


class Rehearsal(BaseModel):
    """What an action would do, as its own play says in check mode; `observed` changes by the second."""

    model_config = ConfigDict(frozen=True)
    action: str
    target: str
    params: Facts
    catalogue: str
    risk: Risk
    changes: bool
    before: Facts
    after: Facts
    diff: str
    precondition: PreconditionView
    expect: list[dict[str, Any]]
    undo: dict[str, Any]
    observed: Facts
    took_ms: int
    observed_at: str


class Outcome(BaseModel):
    """How far an operation has come. `unseen`: nothing has begun; `unknown`: it began, and nobody saw it end."""

    model_config = ConfigDict(frozen=True)
    operation_id: str
    state: Literal["finished", "failed", "unknown", "refused", "running", "unseen"]
    code: str = ""
    reason: str = ""
    before: Facts = {}
    after: Facts = {}
    started_at: str = ""
    finished_at: str = ""
    replayed: bool = False


@dataclass(frozen=True)
class _Begun:
    """What was written down as begun and so is run now: the play, the locks it inherits, what it is to leave behind."""

    promised: Effect
    request: PlayRequest
    held: Sequence[int]


@dataclass(frozen=True)
class Sources:
    """Where what the server believes is read from; it is read anew for every operation, and unreadable means no."""

    inventory: Path
    public_key: Path
    audience: str
    code: Path = HERE
    """Where the catalogue stands: plays/, modules/, module_utils/, callback/."""

    def catalogue(self) -> Catalogue:
        """Read the catalogue. Raises Untrusted."""
        try:
            return load_catalogue(self.code)
        except CatalogueError as error:
            raise Untrusted(str(error)) from error

    def services(self) -> Mapping[str, Service]:
        """Read the inventory. Raises Untrusted."""
        try:
            return load_inventory(self.inventory).services
        except InventoryError as error:
            raise Untrusted(str(error)) from error

    def trust(self) -> Trust:
        """Read all of it. Raises Untrusted."""
        return Trust(read_public_key(self.public_key), self.audience, self.catalogue(), self.services())


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read an Ed25519 public key (PEM, SubjectPublicKeyInfo). Raises Untrusted."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise Untrusted(f"cannot read the public key {path}: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Untrusted(f"{path} holds no public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise Untrusted(f"{path} holds another kind of key than Ed25519")
    return key


def utc_now() -> datetime:
    """Return this moment."""
    return datetime.now(UTC)


class Executor:
    """Rehearses and executes actions of one catalogue on the services of one inventory."""

    def __init__(
        self, sources: Sources, journal: Journal, run: RunPlay | None = None, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.sources = sources
        self.journal = journal
        self.ansible = Ansible(sources.code)
        self._run = run or self.ansible.run
        self._now = now

    def rehearse(self, action_id: str, target: str, params: dict[str, Any]) -> Rehearsal:
        """Say what an action would do, by running its play in check mode. Raises CannotRehearse."""
        began, at = time.monotonic(), now_text()
        try:
            catalogue, services = self.sources.catalogue(), self.sources.services()
        except Untrusted as error:
            raise CannotRehearse(f"{error}.") from error
        action, service = catalogue.actions.get(action_id), services.get(target)
        if action is None:
            raise CannotRehearse(f"No action {action_id!r}; the catalogue has: {', '.join(sorted(catalogue.actions))}.")
        if service is None:
            raise CannotRehearse(f"No service {target!r} in the inventory; it has: {', '.join(sorted(services))}.")
        if wrong := action.wrong_params(params):
            raise CannotRehearse(wrong)
        if missing := action.missing_facets(service):
            raise CannotRehearse(f"The inventory says nothing about {', '.join(missing)} of {target!r}.")
        result = self._run(self._request(action, service, params, operation="", check=True), ())
        if result.status != "ok":
            raise CannotRehearse(result.message)
        try:
            undo = _undo(action, target, result)
            met = action.precondition.met(result.before, params)
        except (CatalogueError, NotCanonical) as error:
            raise CannotRehearse(f"What the look at the target gave cannot be used: {error}.") from error
        return Rehearsal(
            action=action_id,
            target=target,
            params=params,
            catalogue=catalogue.digest,
            risk=action.risk,
            changes=result.changed,
            before=result.before,
            after=result.after,
            diff=result.diff,
            precondition=PreconditionView(met=met, says=action.precondition.says),
            expect=action.expectations(target),
            undo=undo,
            observed=result.observed,
            took_ms=round((time.monotonic() - began) * 1000),
            observed_at=at,
        )

    def execute(self, operation_id: str, proposal: dict[str, Any], grant: str) -> Outcome:
        """Run an approved proposal once; the same operation id again returns what is recorded.

        What cannot be read, locked or written is an answer too: `refused` only where it is certain that nothing has
        begun, else `unknown`.
        """
        try:
            _same_operation(operation_id, proposal)
        except Refused as refusal:
            return self._refused(operation_id, refusal)
        try:
            known = self.journal.find(operation_id)
            if known is not None and known.state in TERMINAL:
                return _outcome(known, replayed=True)
            with contextlib.ExitStack() as stack:
                mine = stack.enter_context(locks.held(self.journal.locks, operation_id, OPERATION_WAIT_S))
                known = self.journal.find(operation_id)
                if known is not None and known.state != "checking":
                    return self._told(operation_id, known)
                begun = self._begin(operation_id, proposal, grant, mine, stack)
                if isinstance(begun, Outcome):
                    return begun
                return self._record(operation_id, begun.promised, self._run(begun.request, begun.held))
        except locks.Busy:
            return self._running(operation_id)
        except (JournalError, OutOfStep, OSError) as error:
            return Outcome(
                operation_id=operation_id,
                state="unknown",
                code="journal",
                reason=f"Whether it has run cannot be told: {error}; look at the target before anything else.",
            )

    def _begin(
        self, operation_id: str, proposal: dict[str, Any], grant: str, mine: int, stack: contextlib.ExitStack
    ) -> _Begun | Outcome:
        """Check everything and write `begun`, or say why not; nothing has begun, and the caller holds its lock `mine`.

        The lock of the target is left on the `stack`. Raises OutOfStep when somebody wrote to the record meanwhile.
        """
        try:
            case = admit(operation_id, proposal, grant, self.sources.trust(), self._now())
            target = stack.enter_context(locks.held(self.journal.locks, f"target {case.service.name}", TARGET_WAIT_S))
            self.journal.open(
                operation_id, canonical_bytes(proposal).decode(), case.action.id, case.service.name, case.claims.sub
            )
            return self._look_and_begin(case, (mine, target))
        except Refused as refusal:
            return self._refused(operation_id, refusal)
        except Untrusted as error:
            return self._refused(operation_id, Refused("untrusted", f"Nothing was done: {error}."))
        except locks.Busy:
            busy = Refused("target_busy", "Another operation is at work on this target; try again.")
            return self._refused(operation_id, busy)
        except (JournalError, OSError) as error:
            return Outcome(
                operation_id=operation_id,
                state="refused",
                code="journal",
                reason=f"Nothing was done, because it could not be written down first: {error}.",
            )

    def _look_and_begin(self, case: Case, held: Sequence[int]) -> _Begun | Outcome:
        """Look again and write `begun`. The caller holds the locks."""
        look = self._run(self._request_for(case, check=True), held)
        if look.status != "ok":
            # Nothing has begun, so the grant stays unused: the operation may be asked for again.
            raise Refused("look_failed", f"The target could not be looked at again: {look.message}")
        try:
            undo = _undo(case.action, case.service.name, look)
            admit_look(case, Look(look.before, look.after, undo), self._now())
        except (CatalogueError, NotCanonical) as error:
            raise Refused("look_failed", f"What the look at the target gave cannot be used: {error}.") from error
        except Refused as refusal:
            self.journal.move(
                case.operation_id,
                "checking",
                "refused",
                code=refusal.code,
                reason=refusal.reason,
                before=look.before,
                finished_at=now_text(),
            )
            return self._stored(case.operation_id)
        begun = _Begun(case.proposal.effect, self._request_for(case, check=False), held)
        self.journal.move(case.operation_id, "checking", "begun", started_at=now_text(), before=look.before)
        return begun

    def get_operation(self, operation_id: str) -> Outcome:
        """Say how far an operation has come. Raises JournalError and OSError."""
        known = self.journal.find(operation_id)
        if known is not None and known.state in TERMINAL:
            return _outcome(known, replayed=False)
        try:
            # The lock first and then the row: what nobody is at work on stays as it is told here.
            with locks.watched(self.journal.locks, operation_id):
                told = self._told(operation_id, self.journal.find(operation_id))
        except locks.Busy:
            return self._running(operation_id)
        return told.model_copy(update={"replayed": False})

    def _told(self, operation_id: str, known: Operation | None) -> Outcome:
        """Answer from the journal, and settle what began and did not end. The caller keeps everybody else away."""
        if known is None:
            return Outcome(operation_id=operation_id, state="unseen", reason="This server has begun no such operation.")
        if known.state == "checking":
            return Outcome(
                operation_id=operation_id,
                state="unseen",
                reason="It was being checked when the server stopped or could not look; nothing had begun.",
            )
        if known.state != "begun":
            return _outcome(known, replayed=True)
        try:
            promised = read_proposal(json.loads(known.proposal)).effect
        except ValueError as error:
            raise JournalError(f"the record of {operation_id} cannot be read: {error}") from error
        try:
            receipt = PlayResult.model_validate_json(self.journal.receipt_path(operation_id).read_bytes())
        except (OSError, ValueError):
            receipt = PlayResult(
                status="broken",
                message="It began, and the server stopped before it ended; look at the target before anything else.",
            )
        return self._record(operation_id, promised, receipt).model_copy(update={"replayed": True})

    def _record(self, operation_id: str, promised: Effect, result: PlayResult) -> Outcome:
        """Write how the play ended; where even that fails, say so and leave it to the receipt."""
        state, code, reason = verdict(promised, result)
        try:
            with contextlib.suppress(OutOfStep):
                self.journal.move(
                    operation_id, "begun", state, code=code, reason=reason, after=result.after, finished_at=now_text()
                )
            stored = self._stored(operation_id)
        except (JournalError, OSError) as error:
            return Outcome(
                operation_id=operation_id,
                state="unknown",
                code="journal",
                before=result.before,
                after=result.after,
                reason=f"The play ended ({state}), and that could not be written down: {error}.",
            )
        with contextlib.suppress(OSError):  # nobody reads it again
            self.journal.receipt_path(operation_id).unlink(missing_ok=True)
        return stored

    def _stored(self, operation_id: str) -> Outcome:
        known = self.journal.find(operation_id)
        if known is None:
            raise JournalError(f"the operation {operation_id} has vanished from the journal")
        return _outcome(known, replayed=False)

    def _refused(self, operation_id: str, refusal: Refused) -> Outcome:
        with contextlib.suppress(JournalError):  # a refusal needs no permission to be one
            self.journal.note(operation_id, "not_admitted", {"code": refusal.code})
        return Outcome(operation_id=operation_id, state="refused", code=refusal.code, reason=refusal.reason)

    def _running(self, operation_id: str) -> Outcome:
        return Outcome(operation_id=operation_id, state="running", reason="It is at work; ask for it again.")

    def _request_for(self, case: Case, *, check: bool) -> PlayRequest:
        proposal = case.proposal
        return self._request(case.action, case.service, proposal.params, operation=case.operation_id, check=check)

    def _request(self, action: Action, service: Service, params: Facts, *, operation: str, check: bool) -> PlayRequest:
        facets = service.model_dump(mode="json", include={"name", *action.promise.requires})
        return PlayRequest(
            play=action.play,
            inventory=self.sources.inventory.resolve(),
            node=service.node,
            check=check,
            values={"service": facets, "params": dict(params), "operation": operation},
            limit_s=action.promise.limit_s,
            receipt=None if check else self.journal.receipt_path(operation).absolute(),
        )


def verdict(promised: Effect, result: PlayResult) -> tuple[Literal["finished", "failed", "unknown"], str, str]:
    """Return state, code and reason for the way a play ended, given what it was to leave behind."""
    if result.status in ("timeout", "broken"):
        return "unknown", result.status, result.message
    if result.status == "failed":
        return "failed", "action_failed", result.message
    if not _as_promised(promised, result):
        return "failed", "different_effect", "The action ran and did something else than was rehearsed."
    return "finished", "", ""


def _as_promised(promised: Effect, result: PlayResult) -> bool:
    try:
        return same(promised.before, result.before) and same(promised.after, result.after)
    except NotCanonical:  # what was promised is canonical, so this is something else
        return False


def _outcome(known: Operation, replayed: bool) -> Outcome:
    fields = {name: getattr(known, name) for name in ("code", "reason", "before", "after", "started_at", "finished_at")}
    try:
        return Outcome.model_validate({"operation_id": known.id, "state": known.state, "replayed": replayed, **fields})
    except ValidationError as error:
        raise JournalError(f"the record of {known.id} holds something else than facts") from error


def _same_operation(operation_id: str, proposal: dict[str, Any]) -> None:
    try:
        computed = digest(proposal)
    except NotCanonical as error:
        raise Refused("proposal_unreadable", f"This is not a proposal: {error}.") from error
    if computed != operation_id:
        raise Refused("binding", "The operation id is not the digest of the proposal that was sent.")


def _undo(action: Action, target: str, result: PlayResult) -> dict[str, Any]:
    return action.undo_for(target, result.undo)
