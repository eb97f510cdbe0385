"""Signing in to a demo: whoever has the printed link may be any of the lab's people, to see four eyes at work."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class DemoSignIn:
    """The people of a demo, and the code of the link that its terminal prints: good while the demo runs."""

    code: str = field(repr=False)
    people: Mapping[str, tuple[str, frozenset[str]]]
    """From a person's name in the inventory to how they are called and what their roles are."""

    def knows(self, code: str) -> bool:
        """True for the printed code; takes the same time for every other."""
        return hmac.compare_digest(self.code.encode(), code.encode("utf-8", errors="replace"))

    def what(self, person: str) -> str:
        """Return what a person is, for whoever picks one."""
        roles = self.people[person][1]
        if "approver" in roles:
            return f"{person} · approves fixes"
        if "responder" in roles:
            return f"{person} · looks into problems, approves what is of low risk"
        return f"{person} · reports problems"
