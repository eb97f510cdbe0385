"""The check of an approval, in one readable place: no I/O, no clock, no framework.

`admit` reads the proposal and the grant, finds the action and the target they name, and then asks every function in
CHECKS in turn. The first that answers refuses the operation, with a code and one sentence; only a case that no check
refused may go on to the target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mcp_servers.inventory import Service
from mcp_servers.remediation.canonical import NotCanonical, digest, same
from mcp_servers.remediation.catalogue import Action, Catalogue
from mcp_servers.remediation.proposal import (
    CannotUndo,
    Digest,
    Facts,
    Person,
    Proposal,
    UndoAction,
    UnreadableProposal,
    instant,
    read_proposal,
)

ISSUER = "countersign-approvals"
AGENT = "countersign"
TOKEN_TYPE = "countersign-grant+jwt"  # noqa: S105  (a media type, RFC 8725 section 3.11)
LEEWAY = timedelta(seconds=30)
"""How far ahead the approver's clock may run. There is none at the end of a grant's life."""
MAX_GRANT_CHARACTERS = 4096


class Refused(Exception):
    """The operation may not run. `code` is one word for programs, `reason` one sentence for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Header(BaseModel):
    """The JOSE header of a grant, as it was sent; nothing in it is believed before the checks."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    alg: str
    typ: str
    kid: str = ""


class Claims(BaseModel):
    """What a grant says: who approved which proposal, for which server, and until when (seconds since the epoch)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    iss: str
    sub: Person
    aud: str
    jti: Digest
    digest: Digest
    iat: Annotated[int, Field(ge=0, lt=2**40)]
    nbf: Annotated[int, Field(ge=0, lt=2**40)]
    exp: Annotated[int, Field(ge=0, lt=2**40)]


@dataclass(frozen=True)
class Trust:
    """What this server believes on its own account, and so never takes from a caller."""

    public_key: Ed25519PublicKey
    audience: str
    catalogue: Catalogue
    services: Mapping[str, Service]


@dataclass(frozen=True)
class Case:
    """One operation to decide on."""

    operation_id: str
    proposal: Proposal
    proposal_digest: str
    grant: str
    header: Header
    claims: Claims
    action: Action
    service: Service
    trust: Trust
    now: datetime


Check = Callable[[Case], Refused | None]


def admit(operation_id: str, proposal: Any, grant: str, trust: Trust, now: datetime) -> Case:
    """Return the case when every check lets it pass. Raises Refused."""
    case = open_case(operation_id, proposal, grant, trust, now)
    for check in CHECKS:
        refusal = check(case)
        if refusal is not None:
            raise refusal
    return case


def open_case(operation_id: str, proposal: Any, grant: str, trust: Trust, now: datetime) -> Case:
    """Read what was sent and find what it names; without either there is nothing that could run. Raises Refused."""
    try:
        computed = digest(proposal)
        read = read_proposal(proposal)
    except (NotCanonical, UnreadableProposal) as error:
        raise Refused("proposal_unreadable", f"This is not a proposal: {error}.") from error
    header, claims = _read_grant(grant)
    action = trust.catalogue.actions.get(read.action)
    if action is None:
        raise Refused("action_unknown", f"The catalogue has no action {read.action!r}.")
    service = trust.services.get(read.target)
    if service is None:
        raise Refused("target_unknown", f"The inventory has no service {read.target!r}.")
    return Case(operation_id, read, computed, grant, header, claims, action, service, trust, now)


def _read_grant(grant: str) -> tuple[Header, Claims]:
    if len(grant) > MAX_GRANT_CHARACTERS:
        raise Refused("grant_unreadable", f"The grant is longer than {MAX_GRANT_CHARACTERS} characters.")
    try:
        parts = jwt.decode_complete(grant, options={"verify_signature": False})
        return Header.model_validate(parts["header"]), Claims.model_validate(parts["payload"])
    except jwt.PyJWTError as error:
        raise Refused("grant_unreadable", "The grant is not a signed token in compact form.") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "claims"
        raise Refused("grant_unreadable", f"The grant cannot be used: {where}: {first['msg']}.") from error
    except (ValueError, RecursionError) as error:
        raise Refused("grant_unreadable", "The grant is not a signed token in compact form.") from error


def check_signature(case: Case) -> Refused | None:
    """The key that this server was given signed the grant, with EdDSA and with nothing else (RFC 8725, section 3.1)."""
    try:
        jwt.PyJWS(algorithms=["EdDSA"]).decode(case.grant, key=case.trust.public_key, algorithms=["EdDSA"])
    except jwt.PyJWTError:
        return Refused("signature", "The grant was not signed with EdDSA by the key this server trusts.")
    return None


def check_token_type(case: Case) -> Refused | None:
    """The token was made to be a grant; another token of the same signer is not one."""
    if case.header.typ != TOKEN_TYPE:
        return Refused("token_type", f"The token is not of the type {TOKEN_TYPE}.")
    return None


def check_issuer(case: Case) -> Refused | None:
    """Approvals issued the grant."""
    if case.claims.iss != ISSUER:
        return Refused("issuer", f"The grant was not issued by {ISSUER}.")
    return None


def check_audience(case: Case) -> Refused | None:
    """The grant was made for this server."""
    if case.claims.aud != case.trust.audience:
        return Refused("audience", "The grant was made for another server.")
    return None


def check_binding(case: Case) -> Refused | None:
    """Operation id, grant and proposal are one: all name the digest that was computed here from what would run."""
    named = {case.operation_id, case.claims.jti, case.claims.digest}
    if named != {case.proposal_digest}:
        return Refused("binding", "The grant is for another proposal than the one that was sent.")
    return None


def check_begin(case: Case) -> Refused | None:
    """The grant is already good; clocks may differ by LEEWAY."""
    latest = (case.now + LEEWAY).timestamp()
    if case.claims.nbf > latest or case.claims.iat > latest:
        return Refused("not_yet", "The grant is not valid yet.")
    return None


def check_expiry(case: Case) -> Refused | None:
    """Neither the grant nor the proposal has run out."""
    if case.now.timestamp() >= case.claims.exp:
        return Refused("expired", "The grant has expired; the proposal needs to be approved again.")
    if case.now >= instant(case.proposal.expires_at):
        return Refused("expired", "The proposal has expired; a new one is needed.")
    return None


def check_lifetime(case: Case) -> Refused | None:
    """A grant never outlives its proposal."""
    if case.claims.exp > instant(case.proposal.expires_at).timestamp():
        return Refused("lifetime", "The grant would outlive the proposal.")
    return None


def check_catalogue(case: Case) -> Refused | None:
    """The proposal was made and approved against exactly the actions, plays and modules that stand here."""
    if case.proposal.catalogue != case.trust.catalogue.digest:
        return Refused("catalogue", "The catalogue has changed since the proposal was made.")
    return None


def check_params(case: Case) -> Refused | None:
    """The parameters are those the action declares."""
    wrong = case.action.wrong_params(case.proposal.params)
    return Refused("params", wrong) if wrong else None


def check_risk(case: Case) -> Refused | None:
    """The risk that was shown is the risk that the catalogue states."""
    if case.proposal.risk != case.action.risk:
        return Refused("risk", f"The proposal says risk {case.proposal.risk}, the catalogue {case.action.risk}.")
    return None


def check_promises(case: Case) -> Refused | None:
    """The approver was shown the precondition, the checks afterwards and the kind of undo that the catalogue states."""
    if case.proposal.precondition != case.action.precondition.says:
        return Refused("promises", "The precondition is not the one in the catalogue.")
    shown = [expectation.model_dump() for expectation in case.proposal.expect]
    if not same(shown, case.action.expectations(case.service.name)):
        return Refused("promises", "The checks afterwards are not those in the catalogue.")
    return _wrong_undo(case)


def _wrong_undo(case: Case) -> Refused | None:
    """Compare all of the undo but the values that only a look at the target can give; the executor compares those."""
    stated, shown = case.action.undo, case.proposal.undo
    refusal = Refused("promises", "The undo is not the one in the catalogue.")
    if isinstance(stated, CannotUndo):
        return None if shown == stated else refusal
    if not isinstance(shown, UndoAction) or (shown.action, shown.target) != (stated.action, case.service.name):
        return refusal
    back = case.trust.catalogue.actions[stated.action]
    return refusal if back.wrong_params(shown.params) else None


def check_precondition(case: Case) -> Refused | None:
    """What the rehearsal saw is a state in which the action may be taken."""
    if not case.action.precondition.met(case.proposal.effect.before, case.proposal.params):
        return Refused("precondition", f"Not so when it was rehearsed: {case.action.precondition.says}")
    return None


def check_change(case: Case) -> Refused | None:
    """The action would change something."""
    if same(case.proposal.effect.before, case.proposal.effect.after):
        return Refused("no_change", "The proposal changes nothing.")
    return None


def check_facets(case: Case) -> Refused | None:
    """The inventory says of the target all that the action needs to reach it."""
    missing = case.action.missing_facets(case.service)
    if missing:
        return Refused("facets", f"The inventory says nothing about {', '.join(missing)} of {case.service.name!r}.")
    return None


def check_agent(case: Case) -> Refused | None:
    """The agent never approves, whatever the inventory says."""
    if _folded(case.claims.sub) == AGENT:
        return Refused("agent", "The agent cannot approve its own proposals.")
    return None


def check_entitlement(case: Case) -> Refused | None:
    """The approver is entitled for this target at this risk."""
    entitled: set[str] = set(case.service.approvers)
    if case.action.risk == "low":
        entitled |= set(case.service.responders)
    if case.claims.sub not in entitled:
        return Refused("entitlement", f"{case.claims.sub!r} may not approve {case.action.risk} risk for this service.")
    return None


def check_four_eyes(case: Case) -> Refused | None:
    """Above low risk, whoever asked for the fix or wrote it does not approve it, in whatever case a name is written."""
    involved = {_folded(case.proposal.author), _folded(case.proposal.requester)}
    if case.action.risk != "low" and _folded(case.claims.sub) in involved:
        return Refused(
            "four_eyes", f"{case.claims.sub!r} asked for or wrote this proposal; another person must decide."
        )
    return None


def _folded(person: str) -> str:
    """Return a user name in the form in which it is compared with others: Ada and ada are one person."""
    return person.strip().casefold()


def check_passkey(case: Case) -> Refused | None:
    """High risk needs a passkey, which no grant can carry yet."""
    if case.action.risk == "high":
        return Refused("passkey", "An action of high risk needs a passkey, which grants do not carry yet.")
    return None


CHECKS: tuple[Check, ...] = (
    check_signature,
    check_token_type,
    check_issuer,
    check_audience,
    check_binding,
    check_begin,
    check_expiry,
    check_lifetime,
    check_catalogue,
    check_params,
    check_risk,
    check_promises,
    check_precondition,
    check_change,
    check_facets,
    check_agent,
    check_entitlement,
    check_four_eyes,
    check_passkey,
)


@dataclass(frozen=True)
class Look:
    """What the target says just before the action: a fresh rehearsal, normalised as the first one was."""

    before: Facts
    after: Facts
    undo: dict[str, Any]


LookCheck = Callable[[Case, Look], Refused | None]


def admit_look(case: Case, look: Look, now: datetime) -> None:
    """Let the case pass once more, now that the target has been looked at again. Raises Refused."""
    later = replace(case, now=now)
    for check in LOOK_CHECKS:
        refusal = check(later, look)
        if refusal is not None:
            raise refusal


def check_unchanged(case: Case, look: Look) -> Refused | None:
    """The target is as it was when it was rehearsed, and the action would do to it what was approved."""
    shown = case.proposal.effect
    changes = [*_differences("is", shown.before, look.before), *_differences("would be", shown.after, look.after)]
    if changes:
        return Refused("stale", f"The target has changed since it was rehearsed: {'; '.join(changes)}.")
    return None


def check_undo_unchanged(case: Case, look: Look) -> Refused | None:
    """What would undo the action is what the approver was shown."""
    if not same(case.proposal.undo.model_dump(), look.undo):
        return Refused("stale", "What would undo the action has changed since it was rehearsed.")
    return None


def check_still_in_time(case: Case, look: Look) -> Refused | None:
    """Nothing has run out while the target was looked at."""
    return check_expiry(case)


LOOK_CHECKS: tuple[LookCheck, ...] = (check_unchanged, check_undo_unchanged, check_still_in_time)


def _differences(verb: str, shown: Facts, found: Facts) -> list[str]:
    names = sorted(set(shown) | set(found))
    return [
        f"{name} {verb} {found.get(name, 'absent')}, was {shown.get(name, 'absent')}"
        for name in names
        if not (name in shown and name in found and same(shown[name], found[name]))
    ]
