"""The one place that turns a request into a principal: by its cookie, or by the bearer token it carries."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from fastapi import Request

from agent.api.identity import keys, widget_token
from agent.api.identity.permissions import CHALLENGE
from agent.api.identity.principal import Principal
from agent.api.identity.store import KEY_PREFIX, Session, Store
from agent.api.problems import Problem
from agent.core.display import one_line
from agent.core.errors import Refused
from agent.settings import Host

LOG = logging.getLogger("countersign.identity")

COOKIE = "__Host-countersign"
FRAME_PREFIX = "csf_"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
IN_QUERY = frozenset(
    {"access_token", "api_key", "apikey", "authorization", "bearer", "id_token", "jwt", "key", "token"}
)
"""Names under which people put credentials into addresses, where logs and histories keep them."""
LONGEST_TOKEN = 4096


class Failures:
    """How many bad credentials each peer may still send: a bucket that fills again with time (a token bucket).

    It slows guessing and keeps the log short. A good credential is never held up: behind a proxy everybody has one
    address, and one who guesses would lock out all. The credentials themselves are too long to be guessed.
    """

    MOST = 20
    REFILL_SECONDS = 15.0
    MOST_PEERS = 10_000

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, peer: str) -> int:
        """Return how many seconds this peer has to wait; 0 when it may try."""
        left = self._tokens(peer)
        return 0 if left >= 1 else max(1, round((1 - left) * self.REFILL_SECONDS))

    def count(self, peer: str) -> None:
        """Note a bad credential."""
        left, at = self._tokens(peer), self._now().timestamp()
        self._left.pop(peer, None)  # put in again at the end: the dictionary's order is that of the last failure
        self._left[peer] = (max(0.0, left - 1), at)
        while len(self._left) > self.MOST_PEERS:
            del self._left[next(iter(self._left))]

    def _tokens(self, peer: str) -> float:
        left, at = self._left.get(peer, (float(self.MOST), 0.0))
        return min(float(self.MOST), left + max(0.0, self._now().timestamp() - at) / self.REFILL_SECONDS)


class Guard:
    """Knows every kind of credential, and what a request with it must look like. Set it as `app.state.guard`."""

    def __init__(
        self,
        store: Store,
        origin: str,
        hosts: Sequence[Host] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store, self.origin, self.now = store, plain_origin(origin), now
        self.failures = Failures(now)
        self._hosts = tuple(hosts)

    async def who(self, request: Request) -> Principal | None:
        """Return who asks, None for nobody. Raises Problem for a credential that is not good, or not good here.

        A request that carries a bearer token is judged by that token alone: its cookie neither helps nor harms.
        """
        return self._who(request, use=True)

    async def still(self, request: Request) -> bool:
        """True while a request that was let in before would be let in again: for streams that stay open.

        It is no use of the session: one that nobody works in ends, also where a page of it stands open.
        """
        try:
            return self._who(request, use=False) is not None
        except Problem:
            return False

    def _who(self, request: Request, use: bool) -> Principal | None:
        self._nothing_in_the_address(request)
        headers = request.headers.getlist("authorization")
        if headers:
            return self._bearer(request, headers, use)
        session = self.session(request, use)
        if session is None:
            return None
        if request.method not in SAFE:
            self.from_our_own_page(request)
        return _of_session(session, "demo" if session.via == "demo" else "session")

    def session(self, request: Request, use: bool = True) -> Session | None:
        """Return the live session that the browser's cookie names."""
        secret = request.cookies.get(COOKIE, "")
        return self.store.session(secret, use) if 0 < len(secret) <= LONGEST_TOKEN else None

    def from_our_own_page(self, request: Request) -> None:
        """Raise Problem unless this request comes from a page of our own: a browser sends the cookie for anyone's.

        Browsers send `Origin` with every request that is not GET or HEAD (Fetch Standard, 3.2), and `Sec-Fetch-Site`
        where the connection is trustworthy (Fetch Metadata).
        """
        site = request.headers.get("sec-fetch-site", "same-origin")
        if plain_origin(request.headers.get("origin", "")) != self.origin or site != "same-origin":
            raise Problem(403, "cross_site", "this request does not come from a page of this server")

    def peer(self, request: Request) -> str:
        """Return whom failures are counted for: an address, of IPv6 the network that one subscriber has (/64)."""
        host = request.client.host if request.client else ""
        try:
            address = ip_address(host)
        except ValueError:
            return host
        return str(int(address) >> 64) if isinstance(address, IPv6Address) and not address.ipv4_mapped else host

    def failed(self, request: Request) -> None:
        """Count a bad credential. Raise Problem 429 in place of what it would have been told after too many."""
        peer = self.peer(request)
        if seconds := self.failures.wait(peer):
            detail = f"too many bad credentials came from your address; try again in {seconds} seconds"
            raise Problem(429, "slow_down", detail, headers={"Retry-After": str(seconds)})
        self.failures.count(peer)

    def _nothing_in_the_address(self, request: Request) -> None:
        for name, value in request.query_params.multi_items():
            if name.lower() in IN_QUERY or value.startswith((KEY_PREFIX, FRAME_PREFIX)):
                raise Problem(400, "credential_in_address", "a credential belongs into a header, never into an address")

    def _bearer(self, request: Request, headers: Sequence[str], use: bool) -> Principal:
        scheme, _, token = headers[0].partition(" ")
        token = token.strip()
        if len(headers) > 1 or scheme.lower() != "bearer" or not token or len(token) > LONGEST_TOKEN:
            raise _not_good("bad_credential", "a credential is sent as `Authorization: Bearer …`", "invalid_request")
        try:
            found = self._of_token(request, token, use)
        except Refused as refusal:
            if refusal.code == "bad_token":
                self.failed(request)
                LOG.warning("a token was refused: %s", one_line(str(refusal.__cause__), 200))
            raise _not_good(refusal.code, str(refusal)) from refusal
        if found is None:
            self.failed(request)
            raise _not_good("bad_credential", "this credential is not known here")
        return found

    def _of_token(self, request: Request, token: str, use: bool) -> Principal | None:
        if token.startswith(KEY_PREFIX):
            key = self.store.key(token)
            return keys.principal(key) if key is not None else None
        origin = plain_origin(request.headers.get("origin", ""))
        if token.startswith(FRAME_PREFIX):
            session = self.store.frame_session(token.removeprefix(FRAME_PREFIX), use)
            if session is None:
                return None
            if origin not in {"", self.origin}:
                raise Refused("wrong_origin", "this token is for pages of this server alone")
            return _of_session(session, "frame")
        if token.count(".") == 2:
            principal = widget_token.verify(token, self._hosts, self.origin, self.now())
            if origin not in {"", self.origin, plain_origin(principal.origin)}:
                raise Refused("wrong_origin", "this token was made for another page")
            return principal
        return None


def plain_origin(text: str) -> str:
    """Return an origin as browsers write it (RFC 6454, 6.2): lower case, without the scheme's own port."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        return text
    if not parts.scheme or not parts.hostname:
        return text
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in {None, usual} else "")


def _of_session(session: Session, via: str) -> Principal:
    return Principal(
        person=session.person,
        name=session.name,
        roles=session.roles,
        via="demo" if via == "demo" else "frame" if via == "frame" else "session",
        signed_in_at=session.signed_in_at,
        credential=session.hash[:12],
    )


def _not_good(code: str, says: str, error: str = "invalid_token") -> Problem:
    # RFC 6750, 3.1: the challenge says that a token was there and was not good.
    return Problem(401, code, says, headers={"WWW-Authenticate": f'{CHALLENGE["WWW-Authenticate"]}, error="{error}"'})
