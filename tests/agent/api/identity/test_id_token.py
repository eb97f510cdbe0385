"""Forged ID tokens and a provider that misbehaves: a small one of our own, which answers as the test says."""

from __future__ import annotations

import base64
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from agent.api.identity.oidc import MOST_BYTES, Provider, SignedIn, SignInFailed, is_safe_address
from agent.api.identity.store import Attempt, stamp
from agent.settings import Identity
from tests.agent.api.identity.world import ORIGIN, Clock

CLOCK = Clock()
NOW = int(CLOCK().timestamp())
ATTEMPT = Attempt("the-nonce", "v" * 64, "/", False, stamp(CLOCK()))
AGAIN = Attempt("the-nonce", "v" * 64, "/", True, stamp(CLOCK()))
Answer = tuple[int, bytes, dict[str, str]]


@lru_cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """A key of that name, made once."""
    return rsa.generate_private_key(65537, 2048)


@lru_cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    """The provider's other key."""
    return ec.generate_private_key(ec.SECP256R1())


def jwks(*names: str) -> dict[str, Any]:
    """The public halves of some keys, each with its name as its id."""
    keys = [{**RSAAlgorithm.to_jwk(rsa_key(one).public_key(), as_dict=True), "kid": one, "use": "sig"} for one in names]
    return {"keys": [*keys, {**ECAlgorithm.to_jwk(ec_key().public_key(), as_dict=True), "kid": "ec"}]}


class Forger:
    """A provider whose every answer can be replaced; counts what it was asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[], Answer]] = {}
        self.asked: list[str] = []
        forger = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                forger.asked.append(self.path)
                status, body, headers = forger.answers[self.path]()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass  # the client had enough

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self.metadata: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/me",
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
        }
        self.says("/.well-known/openid-configuration", self.metadata)
        self.says("/jwks", jwks("one"))
        self.token(self.signed())

    def says(self, path: str, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Answer a path with this from now on."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[path] = lambda: (status, content, headers or {})

    def token(self, id_token: Any, **more: Any) -> None:
        """Give this ID token for every code."""
        self.says("/token", {"access_token": "at", "token_type": "Bearer", "id_token": id_token, **more})

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Good claims, but for the changes; None takes a claim away."""
        good = {
            "iss": self.issuer,
            "aud": "countersign",
            "sub": "u-1001",
            "iat": NOW,
            "exp": NOW + 300,
            "nonce": "the-nonce",
            "auth_time": NOW - 60,
            "preferred_username": "dana.meyer",
            "name": "Dana Meyer",
            "groups": ["countersigners"],
        }
        return {name: value for name, value in (good | changes).items() if value is not None}

    def signed(self, key: str = "one", kid: str | None = None, **changes: Any) -> str:
        """An ID token signed with RS256."""
        headers = {} if kid == "" else {"kid": kid or key}
        return jwt.encode(self.claims(**changes), rsa_key(key), "RS256", headers)

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def forger() -> Iterator[Forger]:
    one = Forger()
    yield one
    one.close()


def client(forger: Forger, **changes: Any) -> Provider:
    values: dict[str, Any] = {
        "issuer": forger.issuer,
        "client_id": "countersign",
        "client_secret": None,
        "scopes": ("openid",),
        "person_claim": "preferred_username",
        "roles_claim": "groups",
        "roles": {"countersigners": "approver"},
        "session_hours": 8,
    }
    return Provider(Identity(**values | changes), f"{ORIGIN}/sign-in/callback", CLOCK)


async def come_back(provider: Provider, attempt: Attempt = ATTEMPT) -> SignedIn:
    return await provider.came_back(attempt, "a-code", None)


async def refused(provider: Provider, code: str = "not_proven", attempt: Attempt = ATTEMPT) -> SignInFailed:
    with pytest.raises(SignInFailed) as failure:
        await come_back(provider, attempt)
    assert failure.value.code == code
    return failure.value


def part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


async def test_a_good_token_says_who_signed_in_and_when(forger: Forger) -> None:
    who = await come_back(client(forger))
    assert (who.person, who.name, who.roles) == ("dana.meyer", "Dana Meyer", frozenset({"approver"}))
    assert who.signed_in_at == stamp(CLOCK() - timedelta(seconds=60))


async def test_other_asymmetric_signatures_are_good_where_the_provider_offers_them(forger: Forger) -> None:
    forger.token(jwt.encode(forger.claims(), ec_key(), "ES256", {"kid": "ec"}))
    assert (await come_back(client(forger))).person == "dana.meyer"
    forger.metadata["id_token_signing_alg_values_supported"] = ["RS256"]
    forger.says("/.well-known/openid-configuration", forger.metadata)
    await refused(client(forger))


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "elsewhere"},
        {"aud": "elsewhere", "azp": "countersign"},
        {"aud": ["elsewhere"], "azp": "countersign"},
        {"aud": ["countersign", "elsewhere"]},
        {"aud": ["countersign", "elsewhere"], "azp": "elsewhere"},
        {"azp": "elsewhere"},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"exp": NOW - 61},
        {"exp": None},
        {"exp": "later"},
        {"iat": NOW + 61},
        {"iat": None},
        {"nbf": NOW + 61},
        {"nonce": "another"},
        {"nonce": None},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        {"auth_time": "yesterday"},
    ],
    ids=str,
)
async def test_one_wrong_claim_is_enough(forger: Forger, change: dict[str, Any]) -> None:
    forger.token(forger.signed(**change))
    await refused(client(forger))


async def test_several_audiences_are_good_where_we_are_the_one_it_was_made_for(forger: Forger) -> None:
    forger.token(forger.signed(aud=["countersign", "elsewhere"], azp="countersign"))
    assert (await come_back(client(forger))).person == "dana.meyer"


async def test_a_token_without_signature_or_signed_with_the_public_key_is_refused(forger: Forger) -> None:
    public = rsa_key("one").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for header in ({"alg": "none"}, {"alg": "None", "kid": "one"}, {"kid": "one"}, {"alg": ["RS256"], "kid": "one"}):
        forger.token(f"{part(header)}.{part(forger.claims())}.")
        await refused(client(forger))
    for key in (public, public.strip(), b"secret"):
        text = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(forger.claims())}"
        mac = base64.urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")).rstrip(b"=").decode()
        forger.token(f"{text}.{mac}")
        await refused(client(forger))


async def test_a_key_that_came_with_the_token_is_not_used(forger: Forger) -> None:
    stranger = RSAAlgorithm.to_jwk(rsa_key("stranger").public_key(), as_dict=True)
    headers = {"kid": "one", "jwk": stranger, "jku": f"{forger.issuer}/evil"}
    forger.token(jwt.encode(forger.claims(), rsa_key("stranger"), "RS256", headers))
    await refused(client(forger))
    assert "/evil" not in forger.asked


async def test_a_changed_byte_and_a_foreign_key_are_refused(forger: Forger) -> None:
    head, _, mac = forger.signed().split(".")
    forger.token(f"{head}.{part(forger.claims(preferred_username='sam.okafor'))}.{mac}")
    await refused(client(forger))
    forger.token(forger.signed("stranger", kid="one"))
    await refused(client(forger))


async def test_an_unknown_key_id_has_the_keys_fetched_once_more_and_then_is_unknown(forger: Forger) -> None:
    provider = client(forger)
    await come_back(provider)
    assert forger.asked.count("/jwks") == 1
    await come_back(provider)
    assert forger.asked.count("/jwks") == 1, "the keys are kept"
    forger.token(forger.signed("two"))
    await refused(provider)
    assert forger.asked.count("/jwks") == 2
    await refused(client(forger))
    assert forger.asked.count("/jwks") == 3, "keys that were fetched a moment ago are not fetched again"
    forger.says("/jwks", jwks("one", "two"))
    assert (await come_back(provider)).person == "dana.meyer"
    assert forger.asked.count("/jwks") == 4


async def test_a_token_that_names_no_key_is_good_where_there_is_one_alone(forger: Forger) -> None:
    forger.token(forger.signed(kid=""))
    await refused(client(forger))
    forger.says("/jwks", {"keys": jwks("one")["keys"][:1]})
    assert (await come_back(client(forger))).person == "dana.meyer"


async def test_what_the_provider_says_of_itself_is_read_again_after_an_hour(forger: Forger) -> None:
    clock = Clock()
    provider = client(forger)
    provider._now = clock
    await provider.address("s", "n", "v" * 64, False)
    clock.forward(minutes=59)
    await provider.address("s", "n", "v" * 64, False)
    assert forger.asked.count("/.well-known/openid-configuration") == 1
    clock.forward(minutes=1)
    await provider.address("s", "n", "v" * 64, False)
    assert forger.asked.count("/.well-known/openid-configuration") == 2


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "http://login.example.org/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
        {"userinfo_endpoint": "ftp://x"},
        {"token_endpoint": 7},
    ],
    ids=str,
)
async def test_a_discovery_document_of_somebody_else_is_not_used(forger: Forger, change: dict[str, Any]) -> None:
    forger.says("/.well-known/openid-configuration", forger.metadata | change)
    failure = await refused(client(forger), "provider_unavailable")
    assert failure.status == 503
    assert forger.asked == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"no json", {}),
        (200, b"[]", {}),
        (404, b"{}", {}),
        (500, b"<h1>Traceback</h1>", {}),
        (302, b"", {"Location": "/elsewhere"}),
    ],
    ids=["text", "list", "404", "500", "redirect"],
)
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token"])
async def test_a_provider_that_answers_nonsense_is_away(forger: Forger, path: str, answer: Answer) -> None:
    forger.says("/elsewhere", forger.metadata)
    forger.answers[path] = lambda: answer
    failure = await refused(client(forger), "provider_unavailable")
    assert failure.status == 503 and "Traceback" not in failure.says and "/elsewhere" not in forger.asked


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token"])
async def test_a_provider_that_does_not_stop_talking_is_not_listened_to(forger: Forger, path: str) -> None:
    status, body, headers = forger.answers[path]()
    forger.answers[path] = lambda: (status, body + b" " * (MOST_BYTES - len(body)), headers)
    assert (await come_back(client(forger))).person == "dana.meyer", "white space at the end is no harm to JSON"
    forger.answers[path] = lambda: (status, body + b" " * MOST_BYTES, headers)
    await refused(client(forger), "provider_unavailable")


async def test_nothing_symmetric_is_accepted_whatever_the_provider_offers(forger: Forger) -> None:
    provider = client(forger)
    assert (await provider._discover()).algorithms == ("RS256", "ES256")
    secret = base64.urlsafe_b64encode(b"s" * 32).rstrip(b"=").decode()
    forger.says("/jwks", {"keys": [{"kty": "oct", "k": secret, "kid": "shared"}]})
    forger.token(jwt.encode(forger.claims(), b"s" * 32, "HS256", {"kid": "shared"}))
    await refused(provider)


async def test_a_key_set_without_keys_and_an_answer_without_a_token_prove_nothing(forger: Forger) -> None:
    for keys in ({}, {"keys": "x"}, {"keys": [7, {}]}, {"keys": [{"kid": "one", "kty": "RSA"}]}):
        forger.says("/jwks", keys)
        await refused(client(forger))
    forger.says("/jwks", jwks("one"))
    for token in (None, 7, "", "a.b", "a.b.c", part([1]), f"{part({'alg': 'RS256', 'kid': 'one'})}.!.!"):
        forger.token(token)
        await refused(client(forger))


async def test_claims_that_are_missing_are_asked_for_and_must_be_of_the_same_person(forger: Forger) -> None:
    forger.token(forger.signed(preferred_username=None, groups=None))
    more = {"sub": "u-1001", "preferred_username": "dana.meyer", "groups": "countersigners", "nonce": "x"}
    forger.says("/me", more)
    who = await come_back(client(forger))
    assert (who.person, who.roles) == ("dana.meyer", frozenset({"approver"})), "one group may come as a text"
    forger.says("/me", more | {"sub": "u-1002"})
    await refused(client(forger))
    forger.says("/me", {})
    await refused(client(forger))
    forger.says("/me", b"eyJhbGciOiJub25lIn0.e30.")
    await refused(client(forger), "provider_unavailable")


async def test_what_the_id_token_says_is_not_overruled(forger: Forger) -> None:
    forger.token(forger.signed(groups=None))
    forger.says("/me", {"sub": "u-1001", "preferred_username": "sam.okafor", "groups": ["countersigners"]})
    assert (await come_back(client(forger))).person == "dana.meyer"


@pytest.mark.parametrize("name", ["", " ", "Dana Meyer", "dana\nmeyer", "machine:x", "dana|sam", 7, ["dana.meyer"], {}])
async def test_a_person_is_one_plain_name(forger: Forger, name: Any) -> None:
    forger.token(forger.signed(preferred_username=name))
    await refused(client(forger), "no_person")


async def test_an_address_is_a_name_only_where_the_provider_has_verified_it(forger: Forger) -> None:
    for verified in (None, False, "true"):
        forger.token(forger.signed(email="dana.meyer@example.org", email_verified=verified))
        await refused(client(forger, person_claim="email"), "no_person")
    forger.token(forger.signed(email="dana.meyer@example.org", email_verified=True))
    assert (await come_back(client(forger, person_claim="email"))).person == "dana.meyer@example.org"


@pytest.mark.parametrize("groups", [[], ["all-staff"], "all-staff", {"countersigners": True}, [["countersigners"]], 7])
async def test_no_mapped_group_is_no_sign_in(forger: Forger, groups: Any) -> None:
    forger.token(forger.signed(groups=groups))
    await refused(client(forger), "no_role")


async def test_roles_stand_under_a_path_or_under_a_name_with_dots(forger: Forger) -> None:
    more: dict[str, Any] = {"realm_access": {"roles": ["countersigners"]}, "https://x.org/r": ["countersigners"]}
    forger.token(forger.signed(**more))
    for claim in ("realm_access.roles", "https://x.org/r"):
        assert (await come_back(client(forger, roles_claim=claim))).roles == frozenset({"approver"})
    forger.says("/me", {"sub": "u-1001"})
    for claim in ("realm_access.roles.x", "realm_access.groups", "realm_access..", "."):
        await refused(client(forger, roles_claim=claim), "no_role")


async def test_a_name_is_shown_on_one_line_without_hidden_characters(forger: Forger) -> None:
    forger.token(forger.signed(name="Dana\u202e\x1b[31m\nMeyer" + "x" * 200))
    who = await come_back(client(forger))
    assert who.name.startswith("Dana Meyerx") and len(who.name) == 100


async def test_an_old_sign_in_does_not_pass_for_a_new_one(forger: Forger) -> None:
    for auth_time in (None, NOW - 61, NOW - 3600):
        forger.token(forger.signed(auth_time=auth_time))
        await refused(client(forger), "not_fresh", AGAIN)
    forger.token(forger.signed(auth_time=NOW + 20))
    who = await come_back(client(forger), AGAIN)
    assert who.signed_in_at == stamp(CLOCK()), "a provider's clock that is ahead makes nobody fresher than now"


async def test_a_provider_that_names_itself_must_do_so_and_be_the_right_one(forger: Forger) -> None:
    provider = client(forger)
    for issuer in ("https://evil.example", "", forger.issuer + "/"):
        with pytest.raises(SignInFailed):
            await provider.came_back(ATTEMPT, "a-code", issuer)
    assert (await provider.came_back(ATTEMPT, "a-code", forger.issuer)).person == "dana.meyer"
    forger.metadata["authorization_response_iss_parameter_supported"] = True
    forger.says("/.well-known/openid-configuration", forger.metadata)
    await refused(client(forger))
    assert "/token" not in forger.asked[-1:], "the code is not even sent"


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://login.example.org/a", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]", True),
        ("http://localhost", True),
        ("http://login.example.org", False),
        ("http://localhost.example.org", False),
        ("https://user@login.example.org", False),
        ("file:///etc/passwd", False),
        ("//login.example.org", False),
    ],
)
def test_an_address_of_a_provider_is_https_or_on_this_machine(url: str, safe: bool) -> None:
    assert is_safe_address(url) is safe
