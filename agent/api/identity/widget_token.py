"""Tokens that the backend of a host page mints for its own signed-in users (contract: docs/identity.md).

HS256 (RFC 7515, 7518) in a JWT (RFC 7519). Such a token is good for ten minutes at most and for many calls, since the
widget sends it with each: its `jti` is therefore not used up, but stands in the record. What bounds a stolen one is
its life, its origin, and that it can decide nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import jwt

from agent.api.identity.principal import Principal, is_person
from agent.api.identity.secret_file import read_secret
from agent.api.identity.store import stamp
from agent.core.display import one_line
from agent.core.errors import Refused
from agent.settings import Host

LONGEST = timedelta(minutes=10)
LEEWAY = 30
"""Seconds by which the host's clock may differ from ours."""
LEAST_KEY_BYTES = 32
"""RFC 7518, 3.2: a key for HS256 is at least as long as the hash."""
NEEDED = ("iss", "aud", "sub", "iat", "exp", "jti", "origin")


def verify(token: str, hosts: Sequence[Host], audience: str, now: datetime) -> Principal:
    """Return who a host page's token speaks for. Refused with `bad_token` or `expired`.

    Everyone who may not know why gets one sentence; which claim it was is for the log (`__cause__`).
    """
    try:
        unproven = jwt.decode(token, options={"verify_signature": False})
        host = next((one for one in hosts if one.key is not None and one.name == unproven.get("iss")), None)
        if host is None or host.key is None:
            raise ValueError("no host of this name signs tokens")
        key = read_secret(host.key, LEAST_KEY_BYTES)
        claims = json.loads(jwt.PyJWS().decode(token, key, ["HS256"]))
        _check(claims, host, audience, now)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise Refused("bad_token", "this token is not one that is accepted here") from error
    if claims["exp"] + LEEWAY <= now.timestamp():
        raise Refused("expired", "this token has expired; the page it stands on makes another one")
    name = claims.get("name")
    return Principal(
        person=claims["sub"],
        name=one_line(name, 100) if isinstance(name, str) and name.strip() else claims["sub"],
        roles=frozenset({"responder"}),
        via="widget",
        signed_in_at=stamp(datetime.fromtimestamp(claims["iat"], now.tzinfo)),
        origin=host.origin,
        credential=one_line(claims["jti"], 64),
    )


def _check(claims: Mapping[str, Any], host: Host, audience: str, now: datetime) -> None:
    """Raise ValueError for the first claim that is not as it has to be; the expiry itself is the caller's."""
    missing = [name for name in NEEDED if name not in claims]
    if missing:
        raise ValueError(f"claims are missing: {', '.join(missing)}")
    times = [claims[name] for name in ("iat", "exp", "nbf") if name in claims]
    if not all(isinstance(one, int) and not isinstance(one, bool) and 0 < one < 1 << 40 for one in times):
        raise ValueError("iat, exp and nbf are whole seconds")
    if claims["aud"] != audience:
        raise ValueError("aud is another place")
    if claims["origin"] != host.origin:
        raise ValueError("origin is not that of the host")
    if not is_person(claims["sub"]):
        raise ValueError("sub is no person's name")
    if not isinstance(claims["jti"], str) or not claims["jti"]:
        raise ValueError("jti is empty")
    if not 0 < claims["exp"] - claims["iat"] <= LONGEST.total_seconds():
        raise ValueError("exp is more than ten minutes after iat, or before it")
    if max(claims["iat"], claims.get("nbf", 0)) > now.timestamp() + LEEWAY:
        raise ValueError("it is not good yet")


def mint(
    key: bytes,
    *,
    host: str,
    audience: str,
    person: str,
    origin: str,
    now: datetime,
    name: str = "",
    life: timedelta = LONGEST,
) -> str:
    """Return a token as a host page's backend makes it, with nothing but a hash function at hand.

    `person` is the user who is signed in at the host, by their name in the inventory; never one that a browser sent.
    """
    issued = int(now.timestamp())
    claims: dict[str, str | int] = {
        "iss": host,
        "aud": audience,
        "sub": person,
        "iat": issued,
        "exp": issued + int(life.total_seconds()),
        "jti": secrets.token_urlsafe(16),
        "origin": origin,
    }
    if name:
        claims["name"] = name
    head, body = (_part(json.dumps(one).encode()) for one in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{head}.{body}.{_part(hmac.digest(key, f'{head}.{body}'.encode(), hashlib.sha256))}"


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
