"""Who asks: a person or a machine, how they proved it, and what follows from that."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Via = Literal["session", "frame", "widget", "key", "demo"]
Permission = Literal["public", "signed_in", "read", "ask", "decide", "stop", "audit", "metrics"]
PERMISSIONS: frozenset[str] = frozenset(get_args(Permission)) - {"public", "signed_in"}
"""Those that a role or a scope gives; the other two follow from having signed in, or from nothing."""

ROLES: Mapping[str, frozenset[str]] = {
    "viewer": frozenset({"read"}),
    "responder": frozenset({"read", "ask", "decide"}),
    "approver": frozenset({"read", "ask", "decide"}),
    "operator": frozenset({"read", "ask", "stop"}),
    "auditor": frozenset({"read", "audit", "metrics"}),
    "admin": PERMISSIONS,
}
"""What each role may. `decide` alone approves nothing: the approvals process asks the inventory as well."""

WIDGET: frozenset[str] = frozenset({"read", "ask"})
"""What a token of a host page may at most: it never decides, and reads only what belongs to its own threads."""

_PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")


@dataclass(frozen=True)
class Principal:
    """Whoever a request comes from, as the credential proves it."""

    person: str
    """The name in the inventory; `machine:NAME` for a key that belongs to no person."""
    name: str
    roles: frozenset[str]
    via: Via
    signed_in_at: str
    """When they proved who they are, UTC; for a key, when it was made."""
    origin: str = ""
    """The host page that a widget's token was made for."""
    scopes: frozenset[str] = frozenset()
    """What a key may, of the permissions; empty for everything else."""
    credential: str = ""
    """Which session or key this is, by a name that is no secret: for counting, and for the record."""

    @property
    def permissions(self) -> frozenset[str]:
        """What this principal may: by its scopes where it is a key, else by its roles; no role, nothing."""
        if self.via == "key":
            return self.scopes & PERMISSIONS - ({"decide"} if self.is_machine else set())
        if self.via == "widget":
            return WIDGET
        return frozenset().union(*(ROLES.get(role, frozenset()) for role in self.roles))

    @property
    def is_machine(self) -> bool:
        """True when no person stands behind it."""
        return self.person.startswith("machine:")

    @property
    def own_only(self) -> bool:
        """True when it may see nothing but its own threads and what belongs to them."""
        return self.via == "widget"

    def owns(self, person: str, origin: str) -> bool:
        """True when a thread of this person, begun on this host page (empty: on none), is theirs to see.

        Who signed in sees what is theirs wherever it began. A host page's token sees what began on that page alone: its
        backend may say that it is anyone, and must not see what they said elsewhere.
        """
        return person == self.person and (not self.own_only or origin == self.origin)


def is_person(text: object) -> bool:
    """True for what can be a person's name in the inventory: one plain word, so it can stand in any line."""
    return isinstance(text, str) and _PERSON.fullmatch(text) is not None
