"""Check a journal without writing to it: `python -m mcp_servers.remediation --journal FILE --verify`."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from mcp_servers.remediation.journal import FIRST_LINK, link

# The last state that the events of an operation tell, beside the one in its row; an event without a row has no id.
_DISAGREEING = """
select e.operation, coalesce(o.state, 'nothing') as stands, e.kind as told
from events e left join operations o on o.id = e.operation
where e.seq in (select max(seq) from events where kind <> 'not_admitted' group by operation) and o.state is not e.kind
union all
select o.id, o.state, 'nothing' from operations o
where not exists (select 1 from events e where e.operation = o.id and e.kind <> 'not_admitted')
limit 1
"""


@dataclass(frozen=True)
class Verdict:
    """Whether a journal holds, how many of its events do, the last of those as `number:hash`, and what is wrong."""

    ok: bool
    events: int
    head: str
    why: str


def verify(path: Path) -> Verdict:
    """Recompute the chain of events and hold the operations against it; what cannot be read does not hold."""
    count, previous, why = 0, FIRST_LINK, ""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as journal:
            journal.row_factory = sqlite3.Row
            journal.execute("begin")  # everything as of one moment
            for event in journal.execute("select * from events order by seq"):
                why = _wrong(event, count + 1, previous)
                if why:
                    break
                count, previous = count + 1, event["hash"]
            if not why and (odd := journal.execute(_DISAGREEING).fetchone()):
                why = f"operation {odd['operation']}: its record says {odd['stands']}, its events say {odd['told']}"
    except (sqlite3.Error, OSError) as error:
        why = f"cannot read the journal {path}: {error}"
    return Verdict(not why, count, f"{count}:{previous.removeprefix('sha256:')}", why)


def _wrong(event: sqlite3.Row, number: int, previous: str) -> str:
    if event["seq"] != number:
        return f"event {number} is missing"
    if event["previous"] != previous:
        return f"event {number} does not follow the one before it"
    own = link(number, event["at"], event["operation"], event["kind"], event["body"], previous)
    return "" if event["hash"] == own else f"the content of event {number} does not match its hash"
