"""Signing in with an OpenID Connect provider: authorization code with PKCE, and what its ID token proves.

OpenID Connect Core 1.0 (3.1), Discovery 1.0, RFC 7636 (PKCE), RFC 9207 (who answered). Nothing the provider or the
browser says is shown to anyone in its own words: a failure has a code and a sentence of ours, the log has the rest.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import httpx
import jwt
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc.errors import JoseError

from agent.api.identity.principal import is_person
from agent.api.identity.secret_file import read_secret
from agent.api.identity.store import Attempt, stamp
from agent.core.display import one_line
from agent.core.errors import CountersignError
from agent.settings import Identity

LOG = logging.getLogger("countersign.sign-in")

ANSWER_WITHIN = 10.0
"""Seconds that one call to the provider may take in all."""
MOST_BYTES = 512 * 1024
KEPT_FOR = timedelta(hours=1)
"""How long what the provider says of itself is believed; an unknown key is asked for at once."""
LEEWAY = 60
"""Seconds by which the provider's clock may differ from ours."""
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"},
)
"""What may sign an ID token: nothing symmetric, so that no public key can be taken for a secret, and never `none`."""


class SignInFailed(Exception):
    """A sign-in that came to nothing: `code` for programs, the message for the person, `status` for HTTP."""

    def __init__(self, code: str, says: str, status: int = 403) -> None:
        super().__init__(says)
        self.code, self.says, self.status = code, says, status


@dataclass(frozen=True)
class SignedIn:
    """Who came back from the provider, as this program knows them."""

    person: str
    name: str
    roles: frozenset[str]
    subject: str
    signed_in_at: str
    """When the provider saw them prove it (`auth_time`), else when they came back."""


@dataclass(frozen=True)
class _About:
    """What the provider says of itself, read and checked."""

    authorization: str
    token: str
    jwks: str
    userinfo: str
    end_session: str
    algorithms: tuple[str, ...]
    secret_in_body: bool
    always_names_itself: bool
    read_at: datetime


class Provider:
    """One OpenID Connect provider. Fetches what it needs when it is first needed, and keeps it for an hour."""

    def __init__(self, identity: Identity, redirect_uri: str, now: Callable[[], datetime]) -> None:
        if not is_safe_address(identity.issuer) or urlsplit(identity.issuer).query:
            raise CountersignError(f"`issuer` in [identity] is an https address, not {identity.issuer!r}")
        if not is_safe_address(redirect_uri):
            raise CountersignError(
                f"people cannot sign in at {redirect_uri}: browsers keep a session over https alone. "
                "Put a proxy with TLS in front and name its address as `public_url` in [server]"
            )
        self._identity, self._redirect_uri, self._now = identity, redirect_uri, now
        self._about: _About | None = None
        self._keys: list[Mapping[str, Any]] = []
        self._keys_read_at = datetime.min.replace(tzinfo=UTC)
        self._lock = asyncio.Lock()

    @property
    def host(self) -> str:
        """The provider's name, for pages."""
        return urlsplit(self._identity.issuer).netloc

    async def address(self, state: str, nonce: str, verifier: str, again: bool) -> str:
        """Return where to send the browser. `again` asks the provider to have the person prove who they are anew."""
        about = await self._discover()
        more = {"prompt": "login", "max_age": "0"} if again else {}
        return str(
            prepare_grant_uri(
                about.authorization,
                self._identity.client_id,
                "code",
                self._redirect_uri,
                " ".join(self._identity.scopes),
                state,
                nonce=nonce,
                code_challenge=create_s256_code_challenge(verifier),
                code_challenge_method="S256",
                **more,
            )
        )

    async def sign_out_address(self) -> str:
        """Return where one signs out at the provider itself; empty where it has no such page, or does not answer."""
        try:
            about = await self._discover()
        except SignInFailed:
            return ""
        if not about.end_session:
            return ""
        mark = "&" if "?" in about.end_session else "?"
        return f"{about.end_session}{mark}client_id={quote(self._identity.client_id, safe='')}"

    async def came_back(self, attempt: Attempt, code: str, issuer: str | None) -> SignedIn:
        """Return who signed in. Raises SignInFailed when anything about the answer is not as it has to be."""
        about = await self._discover()
        if (issuer is None and about.always_names_itself) or issuer not in {None, self._identity.issuer}:
            raise _untrue("the answer does not name this provider as its issuer (RFC 9207)")
        tokens = await self._exchange(about, code, attempt.verifier)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str):
            raise _untrue("the token answer has no ID token")
        claims = await self._proven(about, id_token, access_token, attempt)
        wanted = (self._identity.person_claim, self._identity.roles_claim)
        if about.userinfo and isinstance(access_token, str) and any(_claim(claims, one) is None for one in wanted):
            claims = {**await self._userinfo(about, access_token, claims["sub"]), **claims}
        return self._person(claims)

    async def _discover(self) -> _About:
        async with self._lock:
            if self._about is None or self._about.read_at + KEPT_FOR <= self._now():
                issuer = self._identity.issuer
                said = await self._json("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                self._about = _about(said, issuer, self._now())
                self._keys = []
            return self._about

    async def _exchange(self, about: _About, code: str, verifier: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
            "client_id": self._identity.client_id,
        }
        auth = None
        if self._identity.client_secret is not None:
            try:
                secret = read_secret(self._identity.client_secret).decode("utf-8", errors="replace")
            except CountersignError as error:
                raise _misconfigured(str(error)) from error
            if about.secret_in_body:
                form["client_secret"] = secret
            else:  # RFC 6749, 2.3.1: both are form-encoded before they are joined
                auth = httpx.BasicAuth(quote_plus(self._identity.client_id), quote_plus(secret))
        return await self._json("POST", about.token, data=form, auth=auth)

    async def _proven(self, about: _About, id_token: str, access_token: object, attempt: Attempt) -> Mapping[str, Any]:
        """Return the claims of an ID token that is signed by the provider, for us, for this sign-in, and now."""
        try:
            header = jwt.get_unverified_header(id_token)
            algorithm = header.get("alg")
            if algorithm not in about.algorithms:
                raise _untrue(f"the ID token is signed with {one_line(str(algorithm), 20)}, which is not accepted")
            key = jwt.PyJWK(dict(await self._key(about, header)), algorithm)
            # The signature here, the claims below: authlib knows what OpenID Connect wants of them.
            claims: dict[str, Any] = json.loads(jwt.PyJWS().decode(id_token, key.key, [algorithm]))
            CodeIDToken(
                claims,
                header,
                {
                    "iss": {"essential": True, "value": self._identity.issuer},
                    "aud": {"essential": True, "value": self._identity.client_id},
                },
                {
                    "client_id": self._identity.client_id,
                    "nonce": attempt.nonce,
                    "access_token": access_token if isinstance(access_token, str) else None,
                },
            ).validate(int(self._now().timestamp()), LEEWAY)
        except (jwt.PyJWTError, JoseError, ValueError, TypeError, KeyError) as error:
            raise _untrue(f"the ID token does not hold: {type(error).__name__}: {error}") from error
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise _untrue("the ID token names no subject")
        if attempt.again and _seconds(claims.get("auth_time")) < _seconds_of(attempt.begun_at) - LEEWAY:
            raise SignInFailed("not_fresh", "The sign-in page did not ask you anew who you are. Try again.")
        return claims

    async def _key(self, about: _About, header: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the one key that the header names; the set is fetched anew, once, when it has none of that name."""
        kid = header.get("kid")
        stale = self._keys_read_at + KEPT_FOR <= self._now()
        fresh = False
        if not self._keys or stale:
            await self._fetch_keys(about)
            fresh = True
        found = _fitting(self._keys, kid)
        if not found and not fresh:
            await self._fetch_keys(about)
            found = _fitting(self._keys, kid)
        if len(found) != 1:
            raise _untrue(f"{len(found)} of the provider's keys fit the ID token's key id")
        return found[0]

    async def _fetch_keys(self, about: _About) -> None:
        keys = (await self._json("GET", about.jwks)).get("keys")
        self._keys = [one for one in keys if isinstance(one, dict)] if isinstance(keys, list) else []
        self._keys_read_at = self._now()

    async def _userinfo(self, about: _About, access_token: str, subject: str) -> Mapping[str, Any]:
        said = await self._json("GET", about.userinfo, headers={"Authorization": f"Bearer {access_token}"})
        if said.get("sub") != subject:  # OpenID Connect Core, 5.3.2: else it may be about somebody else
            raise _untrue("the user information is about another subject than the ID token")
        return said

    def _person(self, claims: Mapping[str, Any]) -> SignedIn:
        identity, now = self._identity, self._now()
        person = _claim(claims, identity.person_claim)
        if not is_person(person):
            LOG.warning(
                "the claim %s is missing or no plain name: %s", identity.person_claim, one_line(repr(person), 80)
            )
            raise SignInFailed("no_person", "Your account does not say who you are in a way that is understood here.")
        if identity.person_claim == "email" and claims.get("email_verified") is not True:
            raise SignInFailed("no_person", "Your account's e-mail address has not been verified by the provider.")
        values = _claim(claims, identity.roles_claim)
        listed = [values] if isinstance(values, str) else values if isinstance(values, list) else []
        groups = {one for one in listed if isinstance(one, str)}
        roles = frozenset(identity.roles[one] for one in groups & identity.roles.keys())
        if not roles:
            raise SignInFailed("no_role", "You are known, but none of your groups has a role here.")
        name = claims.get("name")
        signed_in = min(_seconds(claims.get("auth_time")) or now.timestamp(), now.timestamp())
        return SignedIn(
            str(person),
            one_line(name, 100) if isinstance(name, str) and name.strip() else str(person),
            roles,
            one_line(claims["sub"], 255),
            stamp(datetime.fromtimestamp(signed_in, UTC)),
        )

    async def _json(self, method: str, url: str, **request: Any) -> Mapping[str, Any]:
        """Return a JSON object from the provider: within seconds, of bounded size, and from this address itself."""
        # A proxy of the environment stands between us and the outside, not between us and this machine.
        outside = not _is_loopback(urlsplit(url).hostname or "")
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **request.pop("headers", {})}
        try:
            async with (
                asyncio.timeout(ANSWER_WITHIN),
                httpx.AsyncClient(
                    follow_redirects=False, timeout=5.0, trust_env=outside, verify=_tls(outside)
                ) as client,
                client.stream(method, url, headers=headers, **request) as answer,
            ):
                content = bytearray()
                async for part in answer.aiter_bytes():
                    content += part
                    if len(content) > MOST_BYTES:
                        raise _unavailable(f"{url} answers more than {MOST_BYTES} bytes")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            raise _unavailable(f"{url} does not answer: {type(error).__name__}: {error}") from error
        try:
            said = json.loads(bytes(content))
        except ValueError:
            said = None
        if method == "POST" and answer.status_code in {400, 401} and isinstance(said, dict):
            word = one_line(str(said.get("error")), 60)
            if word in {"invalid_client", "unauthorized_client"}:
                raise _misconfigured(f"the provider does not take this client or its secret: {word}")
            raise _untrue(f"the token request was refused: {word}")
        if answer.status_code != 200 or not isinstance(said, dict):
            raise _unavailable(f"{url} answers {answer.status_code} and no JSON object")
        return said


def _about(said: Mapping[str, Any], issuer: str, now: datetime) -> _About:
    if said.get("issuer") != issuer:  # OpenID Connect Discovery, 4.3: exactly, or it is somebody else's document
        raise _unavailable(
            f"the discovery document is of issuer {one_line(str(said.get('issuer')), 200)}, not {issuer}"
        )
    local = _is_loopback(urlsplit(issuer).hostname or "")

    def endpoint(name: str, needed: bool = True) -> str:
        url = said.get(name)
        if url is None and not needed:
            return ""
        if not isinstance(url, str) or not is_safe_address(url, local):
            raise _unavailable(f"`{name}` in the discovery document is no https address")
        return url

    offered = said.get("id_token_signing_alg_values_supported", ["RS256"])
    methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return _About(
        authorization=endpoint("authorization_endpoint"),
        token=endpoint("token_endpoint"),
        jwks=endpoint("jwks_uri"),
        userinfo=endpoint("userinfo_endpoint", needed=False),
        end_session=endpoint("end_session_endpoint", needed=False),
        algorithms=tuple(one for one in offered if one in ALGORITHMS),
        secret_in_body="client_secret_basic" not in methods and "client_secret_post" in methods,
        always_names_itself=said.get("authorization_response_iss_parameter_supported") is True,
        read_at=now,
    )


def is_safe_address(url: str, loopback_too: bool = True) -> bool:
    """True for an https address, and for http on this machine where that is allowed."""
    parts = urlsplit(url)
    if not parts.hostname or parts.username is not None:
        return False
    return parts.scheme == "https" or (loopback_too and parts.scheme == "http" and _is_loopback(parts.hostname))


@lru_cache(maxsize=2)
def _tls(outside: bool) -> ssl.SSLContext:
    """Return how to tell the provider by its certificate; made once, since reading the authorities takes a while.

    On this machine itself no authority is trusted: plain HTTP needs none.
    """
    return httpx.create_ssl_context() if outside else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _fitting(keys: list[Mapping[str, Any]], kid: object) -> list[Mapping[str, Any]]:
    """Return the keys for signatures of this id; of all ids where the token names none."""
    signing = [one for one in keys if one.get("use", "sig") == "sig"]
    return signing if kid is None else [one for one in signing if one.get("kid") == kid]


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim by its name, or by a path with dots (`realm_access.roles`); None when it is not there."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0.0


def _seconds_of(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


def _untrue(why: str) -> SignInFailed:
    LOG.warning("a sign-in was refused: %s", one_line(why, 300))
    return SignInFailed("not_proven", "What came back does not prove who you are. Try again.")


def _misconfigured(why: str) -> SignInFailed:
    LOG.error("signing in is not set up as it should be: %s", one_line(why, 300))
    return SignInFailed("misconfigured", "Signing in is not set up as it should be on this server.", status=503)


def _unavailable(why: str) -> SignInFailed:
    LOG.error("the identity provider cannot be used: %s", one_line(why, 300))
    return SignInFailed(
        "provider_unavailable", "The identity provider cannot be reached now. Try again in a moment.", status=503
    )
