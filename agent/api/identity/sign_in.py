"""How people sign in to this server: with which provider or to which demo, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.api.identity.demo import DemoSignIn
from agent.api.identity.guard import plain_origin
from agent.api.identity.oidc import Provider
from agent.settings import Serving

CALLBACK = "/sign-in/callback"


@dataclass(frozen=True)
class SignIn:
    """What the sign-in routes need. Without a provider and without a demo nobody signs in, and the page says so."""

    provider: Provider | None = None
    demo: DemoSignIn | None = None
    life: timedelta = timedelta(hours=8)
    """How long a session lives at most."""
    idle: timedelta = timedelta(hours=1)
    """How long a session lives without being used."""


def sign_in_for(serving: Serving, now: Callable[[], datetime], demo: DemoSignIn | None = None) -> SignIn:
    """Return how one signs in, by the configuration. Raises CountersignError where that cannot work.

    A demo lasts for its day, so that nobody has to look for the printed link again.
    """
    if serving.identity is None:
        return SignIn(demo=demo, life=timedelta(hours=24), idle=timedelta(hours=24))
    return SignIn(
        Provider(serving.identity, f"{plain_origin(serving.origin)}{CALLBACK}", now),
        demo,
        timedelta(hours=serving.identity.session_hours),
        timedelta(minutes=serving.identity.idle_minutes),
    )
