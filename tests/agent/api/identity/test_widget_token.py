"""A host page's token: every claim has to be right, and each is wrong once here."""

from __future__ import annotations

import base64
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.api.identity import widget_token
from agent.core.errors import CountersignError, Refused
from agent.settings import Host
from tests.agent.api.identity.world import INTRANET, KEY, ORIGIN, Clock, World, problem

CLOCK = Clock()
NOW = int(CLOCK().timestamp())
GOOD: dict[str, Any] = {
    "iss": "intranet",
    "aud": ORIGIN,
    "sub": "ines.costa",
    "name": "Ines Costa",
    "iat": NOW,
    "exp": NOW + 600,
    "jti": "j-1",
    "origin": INTRANET,
}


def part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def signed(claims: Any, key: bytes = KEY, header: Any = None, hash_: str = "sha256") -> str:
    text = f"{part(header or {'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    return f"{text}.{base64.urlsafe_b64encode(hmac.digest(key, text.encode(), hash_)).rstrip(b'=').decode()}"


@pytest.fixture
def hosts(tmp_path: Path) -> list[Host]:
    file = tmp_path / "key"
    file.write_bytes(KEY + b"\n")
    file.chmod(0o600)
    other = tmp_path / "other"
    other.write_bytes(KEY[::-1])
    other.chmod(0o600)
    return [Host("silent", ORIGIN, None), Host("intranet", INTRANET, file), Host("wiki", "https://wiki.test", other)]


def test_a_good_token_says_who_is_there(hosts: list[Host]) -> None:
    who = widget_token.verify(signed(GOOD), hosts, ORIGIN, CLOCK())
    assert (who.person, who.name, who.via, who.origin) == ("ines.costa", "Ines Costa", "widget", INTRANET)
    assert (who.roles, who.credential) == (frozenset({"responder"}), "j-1")


def test_what_the_reference_mints_is_accepted_until_ten_minutes_later(hosts: list[Host]) -> None:
    token = widget_token.mint(
        KEY, host="intranet", audience=ORIGIN, person="ines.costa", origin=INTRANET, now=CLOCK(), name="Ines\x1b[31m"
    )
    assert widget_token.verify(token, hosts, ORIGIN, CLOCK()).name == "Ines"
    assert widget_token.verify(token, hosts, ORIGIN, CLOCK() + timedelta(minutes=10)).person == "ines.costa"
    assert widget_token.verify(token, hosts, ORIGIN, CLOCK() - timedelta(seconds=29)).person == "ines.costa"
    with pytest.raises(Refused, match="expired"):
        widget_token.verify(token, hosts, ORIGIN, CLOCK() + timedelta(minutes=10, seconds=30))
    with pytest.raises(Refused, match="not one that is accepted"):
        widget_token.verify(token, hosts, ORIGIN, CLOCK() - timedelta(seconds=31))


@pytest.mark.parametrize(
    "change",
    [
        *({name: None} for name in widget_token.NEEDED),
        {"iss": "wiki"},
        {"iss": "silent"},
        {"iss": "nobody"},
        {"iss": ["intranet"]},
        {"aud": "https://elsewhere.example.org"},
        {"aud": [ORIGIN, "https://elsewhere.example.org"]},
        {"aud": ORIGIN + "/"},
        {"sub": ""},
        {"sub": "ines costa"},
        {"sub": "machine:x"},
        {"sub": 7},
        {"iat": NOW + 31, "exp": NOW + 90},
        {"iat": "now"},
        {"iat": True},
        {"iat": float(NOW)},
        {"exp": NOW + 601},
        {"exp": NOW - 1},
        {"exp": 1e400},
        {"nbf": NOW + 31},
        {"jti": ""},
        {"jti": 1},
        {"origin": "https://wiki.test"},
        {"origin": ""},
    ],
    ids=str,
)
def test_one_wrong_claim_is_enough(hosts: list[Host], change: dict[str, Any]) -> None:
    claims = {name: value for name, value in (GOOD | change).items() if value is not None}
    with pytest.raises(Refused) as refused:
        widget_token.verify(signed(claims), hosts, ORIGIN, CLOCK())
    assert refused.value.code == "bad_token"


@pytest.mark.parametrize(
    "token",
    [
        signed(GOOD, KEY[::-1]),
        signed(GOOD, b""),
        signed(GOOD, KEY, {"alg": "HS512", "typ": "JWT"}, "sha512"),
        signed(GOOD, KEY, {"alg": "HS256", "typ": "JWT", "crit": ["b64"], "b64": False}),
        f"{part({'alg': 'none'})}.{part(GOOD)}.",
        f"{part({'alg': 'None'})}.{part(GOOD)}.x",
        signed(GOOD)[:-2],
        signed(GOOD).replace(".", ".A", 1),
        signed([1]),
        signed("text"),
        "..",
        "a.b.c",
    ],
    ids=range(12),
)
def test_a_signature_that_is_not_the_hosts_is_none(hosts: list[Host], token: str) -> None:
    with pytest.raises(Refused) as refused:
        widget_token.verify(token, hosts, ORIGIN, CLOCK())
    assert refused.value.code == "bad_token"


def test_a_key_that_others_can_read_or_that_is_short_signs_nothing(hosts: list[Host]) -> None:
    file = hosts[1].key
    assert file is not None
    file.chmod(0o640)
    with pytest.raises(CountersignError, match="chmod 600"):
        widget_token.verify(signed(GOOD), hosts, ORIGIN, CLOCK())
    file.chmod(0o600)
    file.write_bytes(KEY[:-1])
    with pytest.raises(CountersignError, match="32 bytes"):
        widget_token.verify(signed(GOOD, KEY[:-1]), hosts, ORIGIN, CLOCK())


def test_the_example_for_a_hosts_backend_makes_a_token_that_is_accepted(
    hosts: list[Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[4] / "docs" / "identity.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "intranet.key").write_bytes(KEY + b"\n")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(example, names)
    who = widget_token.verify(names["countersign_token"]("ines.costa"), hosts, ORIGIN, datetime.now(UTC))
    assert (who.person, who.origin) == ("ines.costa", INTRANET)


async def test_a_token_comes_from_its_own_page_or_from_ours(world: World) -> None:
    token = widget_token.mint(
        KEY, host="intranet", audience=ORIGIN, person="ines.costa", origin=INTRANET, now=world.clock()
    )
    browser = world.browser(headers={"Authorization": f"Bearer {token}"})
    for origin in ("", ORIGIN, INTRANET):
        assert (await browser.get("/own", headers={"Origin": origin})).status_code == 200
    problem(await browser.get("/own", headers={"Origin": "https://evil.example"}), 401, "wrong_origin")


async def test_why_a_token_was_refused_is_in_the_log_alone(world: World, caplog: pytest.LogCaptureFixture) -> None:
    token = signed(GOOD | {"aud": "https://elsewhere.example.org"})
    answer = await world.browser().get("/own", headers={"Authorization": f"Bearer {token}"})
    body = problem(answer, 401, "bad_token")
    assert "aud" not in body["detail"] and "aud is another place" in caplog.text and token not in caplog.text
