"""Who blocks whom: the sessions at the root of PostgreSQL's lock queues. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# Quoted text of every kind PostgreSQL reads ('..' with '' and E'\'', $tag$..$tag$), and numbers standing alone.
_QUOTED = re.compile(
    r"(?is)\$((?:[a-z_]\w*)?)\$.*?(?:\$\1\$|\Z)|\b[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z)|'(?:[^']|'')*(?:'|\Z)"
)
_NUMBER = re.compile(r"(?<![\w$])\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b")


def roots(waiting_for: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """Return the sessions that block others and wait for nobody, with how many wait directly or indirectly behind.

    `waiting_for` maps each waiting session to those it waits for (pg_blocking_pids). A prepared transaction, which
    PostgreSQL calls 0, is no session and is left out.
    """
    behind: dict[int, set[int]] = {}
    for waiter in waiting_for:
        seen = {waiter}
        queue = list(waiting_for[waiter])
        while queue:
            blocker = queue.pop()
            if blocker in seen or blocker == 0:
                continue
            seen.add(blocker)
            if waiting_for.get(blocker):
                queue.extend(waiting_for[blocker])
            else:
                behind.setdefault(blocker, set()).add(waiter)
    return {root: len(waiters) for root, waiters in behind.items()}


def without_literals(query: str) -> str:
    """Return a statement with its quoted strings and numbers replaced by `?`: they are the users' data."""
    return _NUMBER.sub("?", _QUOTED.sub("?", query))
