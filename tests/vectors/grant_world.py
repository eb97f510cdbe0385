"""The little world of `grants.json`: two services, three actions, one key, and every way a grant can be bad.

`python -m tests.vectors.grant_world` writes the file anew; Ed25519 signatures are deterministic, so it only changes
when the contract does (a test says so).
"""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mcp_servers.remediation.canonical import digest

FILE = Path(__file__).with_name("grants.json")
SEED = bytes(range(32))
KEY = Ed25519PrivateKey.from_private_bytes(SEED)
PUBLIC_PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))
AUDIENCE = "remediation.example"
NOW = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
CATALOGUE = "sha256:" + "c" * 64

SERVICES: dict[str, dict[str, Any]] = {
    "orders": {
        "node": "node-1",
        "kind": "app",
        "owner": "shop",
        "approvers": ["ada", "grace", "countersign"],
        "responders": ["linus"],
        "supervisor": {"kind": "supervisord", "socket": "/run/supervisor.sock", "program": "orders"},
    },
    "letters": {"node": "node-1", "kind": "app", "owner": "shop", "approvers": ["ada"]},
}


def _action(name: str, risk: str) -> dict[str, Any]:
    return {
        "id": name,
        "title": f"The action {name}",
        "description": "Made up for these vectors.",
        "risk": risk,
        "params": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "count": {"type": "integer", "minimum": 1, "maximum": 9, "description": "how many"},
                "revision": {"type": "string", "pattern": "[0-9a-f]{7,64}", "maxLength": 64, "description": "which"},
            },
            "required": [],
        },
        "precondition": {"says": "The service is stopped.", "any_of": [{"state": ["stopped", "failed"]}]},
        "expect": [
            {"tool": "service_status", "args": {"service": "$target"}, "field": "state", "equals": "running"},
            {"tool": "recent_changes", "args": {"service": "$target"}, "field": "current_valid", "equals": True},
        ],
        "undo": {"action": "mend", "params": {"revision": "$revision"}},
        "reversible": True,
        "requires": ["supervisor"],
        "limit_s": 30,
    }


ACTIONS: dict[str, dict[str, Any]] = {
    name: _action(name, risk) for name, risk in (("start", "low"), ("mend", "medium"), ("wipe", "high"))
}


def proposal(action: str = "mend", target: str = "orders", **changes: Any) -> dict[str, Any]:
    """Return a proposal that can be approved, but for `changes` of its fields."""
    looks = [{**look, "args": {"service": target}} for look in ACTIONS[action]["expect"]]
    return {
        "v": 1,
        "domain": "countersign.proposal",
        "incident": "INC-1",
        "action": action,
        "target": target,
        "params": {"revision": "0123abc"},
        "risk": ACTIONS[action]["risk"],
        "precondition": ACTIONS[action]["precondition"]["says"],
        "effect": {"before": {"state": "stopped"}, "after": {"state": "running"}},
        "expect": looks,
        "undo": {"action": "mend", "target": target, "params": {"revision": "fedcba9"}},
        "catalogue": CATALOGUE,
        "tools": "sha256:" + "7" * 64,
        "author": "countersign",
        "requester": "linus",
        "created_at": "2026-11-20T11:50:00Z",
        "expires_at": "2026-11-20T12:20:00Z",
        "nonce": "00112233445566778899aabbccddeeff",
        **changes,
    }


def seconds(after: timedelta = timedelta()) -> int:
    """Return NOW and some time, in seconds since the epoch."""
    return int((NOW + after).timestamp())


def claims(approved: dict[str, Any], sub: str = "ada", **changes: Any) -> dict[str, Any]:
    """Return what a good grant for `approved` says, but for `changes`."""
    name = digest(approved)
    return {
        "iss": "countersign-approvals",
        "sub": sub,
        "aud": AUDIENCE,
        "jti": name,
        "digest": name,
        "iat": seconds(),
        "nbf": seconds(),
        "exp": seconds(timedelta(minutes=5)),
        **changes,
    }


def token(said: dict[str, Any], key: Ed25519PrivateKey = KEY, typ: str = "countersign-grant+jwt") -> str:
    """Sign a grant."""
    return jwt.encode(said, key, algorithm="EdDSA", headers={"typ": typ, "kid": "test"})


def grant(approved: dict[str, Any], sub: str = "ada", **changes: Any) -> str:
    """Sign a grant for `approved`, good but for `changes` of its claims."""
    return token(claims(approved, sub, **changes))


def _case(name: str, expect: str, sent: dict[str, Any], shown: str, operation_id: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "expect": expect,
        "operation_id": operation_id or digest(sent),
        "proposal": sent,
        "token": shown,
    }


def _signed(name: str, expect: str, sent: dict[str, Any], sub: str = "ada", **changes: Any) -> dict[str, Any]:
    return _case(name, expect, sent, grant(sent, sub, **changes))


def _by_hand(header: dict[str, Any], said: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, said)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature))


def one_for_each_check() -> list[dict[str, Any]]:
    """Return, for every check of the gate, a case that this check alone refuses; `check` names it."""
    good, other = proposal(), proposal(incident="INC-2")
    early = timedelta(seconds=60)
    found = {
        "signature": _case("signed by another key", "signature", good, token(claims(good), STRANGER)),
        "token_type": _case("another kind of token", "token_type", good, token(claims(good), typ="at+jwt")),
        "issuer": _signed("another issuer", "issuer", good, iss="somebody"),
        "audience": _signed("made for another server", "audience", good, aud="elsewhere"),
        "binding": _case("a grant for another proposal", "binding", good, grant(other)),
        "begin": _signed("not valid yet", "not_yet", good, nbf=seconds(early)),
        "expiry": _signed("expired this second", "expired", good, exp=seconds()),
        "lifetime": _signed("outlives its proposal", "lifetime", good, exp=seconds(timedelta(minutes=21))),
        "catalogue": _signed("made for another catalogue", "catalogue", proposal(catalogue="sha256:" + "d" * 64)),
        "params": _signed("a parameter out of bounds", "params", proposal(params={"count": 10})),
        "risk": _signed("shown as a smaller risk", "risk", proposal(risk="low")),
        "promises": _signed("shown without a check afterwards", "promises", proposal(expect=good["expect"][:1])),
        "precondition": _signed(
            "rehearsed on a running service",
            "precondition",
            proposal(effect={"before": {"state": "running"}, "after": {"state": "stopped"}}),
        ),
        "change": _signed(
            "changes nothing",
            "no_change",
            proposal(effect={"before": {"state": "stopped"}, "after": {"state": "stopped"}}),
        ),
        "facets": _signed("a service without a supervisor", "facets", proposal(target="letters")),
        "agent": _signed("approved by the agent", "agent", proposal("start", author="grace"), sub="countersign"),
        "entitlement": _signed("approved by a responder only", "entitlement", proposal(requester=""), sub="linus"),
        "four_eyes": _signed("approved by its requester", "four_eyes", proposal(requester="ada")),
        "passkey": _signed("high risk", "passkey", proposal("wipe")),
    }
    return [{**case, "check": name} for name, case in found.items()]


def cases() -> list[dict[str, Any]]:
    """Return every case of the file."""
    good = proposal()
    low = proposal("start")
    hmac_header = {"alg": "HS256", "typ": "countersign-grant+jwt"}
    none_header = {"alg": "none", "typ": "countersign-grant+jwt"}
    fine = grant(good)
    head, body, signature = fine.split(".")
    return [
        _case("good, medium risk", "admitted", good, fine),
        _signed("good, low risk, approved by its requester, a responder", "admitted", low, sub="linus"),
        _signed("good, the approver's clock is 30 seconds ahead", "admitted", good, nbf=seconds(timedelta(seconds=30))),
        _signed("good until the end of the proposal", "admitted", good, exp=seconds(timedelta(minutes=20))),
        *one_for_each_check(),
        _case("no algorithm", "signature", good, _by_hand(none_header, claims(good))),
        _case("signed with the public key as a shared secret", "signature", good, _forged_hmac(hmac_header, good)),
        _case("the signature of another token", "signature", good, f"{head}.{body}.{grant(low).split('.')[2]}"),
        _case("half a signature", "signature", good, f"{head}.{body}.{signature[:40]}"),
        _case("no signature", "signature", good, f"{head}.{body}."),
        _case("not a token", "grant_unreadable", good, "approved"),
        _case("empty", "grant_unreadable", good, ""),
        _case("much too long", "grant_unreadable", good, "a" * 5000),
        _signed("a claim too many", "grant_unreadable", good, admin=True),
        _signed("times as fractions", "grant_unreadable", good, exp=seconds(timedelta(minutes=5)) + 0.5),
        _signed("no approver", "grant_unreadable", good, sub=""),
        _signed("jti of another operation", "binding", good, jti="sha256:" + "0" * 64),
        _signed("digest of another proposal", "binding", good, digest="sha256:" + "0" * 64),
        _case("another operation id", "binding", good, fine, operation_id="sha256:" + "0" * 64),
        _signed("issued in the future", "not_yet", good, iat=seconds(timedelta(seconds=60))),
        _signed("an expired proposal", "expired", proposal(expires_at="2026-11-20T11:59:00Z")),
        _signed("an unknown action", "action_unknown", {**good, "action": "format_disk"}),
        _signed("an unknown target", "target_unknown", {**good, "target": "elsewhere"}),
        _signed("a parameter that does not exist", "params", proposal(params={"force": True})),
        _signed("a parameter of the wrong type", "params", proposal(params={"count": True})),
        _signed("another precondition in words", "promises", proposal(precondition="Always.")),
        _signed("an expectation that is 1 and not true", "promises", _with_expect(good, 1)),
        _signed("an undo that the catalogue does not state", "promises", proposal(undo={"cannot": "never mind"})),
        _signed("approved by nobody known", "entitlement", good, sub="mallory"),
        _signed("approved by its author", "four_eyes", proposal(author="grace"), sub="grace"),
        _signed("approved by its author, written in capitals", "four_eyes", proposal(author="GRACE"), sub="grace"),
        _signed("approved by its requester, written otherwise", "four_eyes", proposal(requester=" Ada ")),
        _signed("approved by the agent, written otherwise", "agent", good, sub=" Countersign"),
        _signed("another domain", "proposal_unreadable", proposal(domain="countersign.invoice")),
        _signed("another version", "proposal_unreadable", proposal(v=2)),
        _signed("a field too many", "proposal_unreadable", {**good, "note": "please"}),
        _signed("a field too few", "proposal_unreadable", {k: v for k, v in good.items() if k != "nonce"}),
        _signed("expires before it was created", "proposal_unreadable", proposal(expires_at="2026-11-20T11:00:00Z")),
    ]


def _with_expect(good: dict[str, Any], value: Any) -> dict[str, Any]:
    first, second = good["expect"]
    return {**good, "expect": [first, {**second, "equals": value}]}


def _forged_hmac(header: dict[str, Any], good: dict[str, Any]) -> str:
    """Sign with HMAC over the public key's text: accepted by a verifier that lets the token choose the algorithm."""
    signer = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    unsigned = _by_hand(header, claims(good)).rsplit(".", 1)[0]
    return _by_hand(header, claims(good), signer.sign(unsigned.encode(), PUBLIC_PEM.encode()))


def document() -> dict[str, Any]:
    """Return the whole file."""
    return {
        "about": "Grants and what a server must say to them; see docs/grant.md. The key is for tests and nothing else.",
        "private_seed": SEED.hex(),
        "public_key": PUBLIC_PEM,
        "audience": AUDIENCE,
        "now": "2026-11-20T12:00:00Z",
        "catalogue": CATALOGUE,
        "services": SERVICES,
        "actions": ACTIONS,
        "cases": cases(),
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(document(), indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
