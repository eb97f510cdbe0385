"""Ansible module: end one PostgreSQL session that others wait for."""

from __future__ import annotations

import datetime
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.countersign_text import clean

try:
    import psycopg
    import psycopg.rows
except ImportError:
    HAS_PSYCOPG = False
else:
    HAS_PSYCOPG = True

APPLICATION = "countersign"
GONE_LIMIT_S = 8.0
POLL_S = 0.05

LOOK = """
select a.backend_type, a.application_name, coalesce(a.usename, '') as usename, coalesce(a.state, '') as state,
       coalesce(extract(epoch from clock_timestamp() - a.xact_start)::bigint, 0) as transaction_age_s,
       coalesce(r.rolsuper, false) as superuser, left(a.query, 200) as query,
       (select count(*) from pg_stat_activity w where a.pid = any(pg_blocking_pids(w.pid))) as waiting_behind,
       a.pid = pg_backend_pid() as myself,
       coalesce(pg_has_role(current_user, a.usesysid, 'MEMBER'), false)
         or pg_has_role(current_user, 'pg_signal_backend', 'MEMBER') as permitted
from pg_stat_activity a left join pg_roles r on r.oid = a.usesysid
where a.pid = %s and a.backend_start = %s
"""
# Identity and end in one statement: between a look and this, the number may have gone to another session.
END = "select pg_terminate_backend(pid) from pg_stat_activity where pid = %s and backend_start = %s"


def why_protected(row: dict[str, Any]) -> str:
    """Return why a session must not be ended whatever it blocks, or nothing."""
    if row["backend_type"] != "client backend":
        return f"it is a {row['backend_type']}, not a client"
    if row["superuser"]:
        return "it belongs to a superuser"
    if row["myself"] or row["application_name"].startswith(APPLICATION):
        return "it is one of our own"
    return "" if row["permitted"] else "the role we connect with may not end it"


def facts(row: dict[str, Any] | None) -> dict[str, Any]:
    """What is compared. How many wait is not: that changes by the second."""
    if row is None:
        return {"session": "gone"}
    return {"session": "present", "blocking": row["waiting_behind"] > 0, "protected": bool(why_protected(row))}


def volatile(row: dict[str, Any] | None) -> dict[str, Any]:
    """What is worth seeing and changes from one look to the next."""
    if row is None:
        return {}
    return {
        "application": clean(row["application_name"], 100),
        "user": row["usename"],
        "state": row["state"],
        "transaction_age_s": row["transaction_age_s"],
        "waiting_behind": row["waiting_behind"],
        "query": clean(row["query"], 200),
        "protected_because": why_protected(row),
    }


def end(connection: Any, identity: tuple[int, datetime.datetime]) -> dict[str, Any] | None:
    """End the session and wait until it is gone; returns what is left of it after GONE_LIMIT_S."""
    connection.execute(END, identity)
    deadline = time.monotonic() + GONE_LIMIT_S
    while (row := connection.execute(LOOK, identity).fetchone()) is not None and time.monotonic() < deadline:
        time.sleep(POLL_S)
    left: dict[str, Any] | None = row
    return left


def work(module: Any, connection: Any, identity: tuple[int, datetime.datetime]) -> dict[str, Any]:
    """Look and, where this is no rehearsal, end the session. Returns what the module answers with."""
    row = connection.execute(LOOK, identity).fetchone()
    before = facts(row)
    changes = before.get("blocking") is True and before.get("protected") is False
    after = facts(None) if changes else before
    if changes and not module.check_mode:
        after = facts(end(connection, identity))
        if after != facts(None):
            module.fail_json(
                msg=f"The session was told to end and is still there after {GONE_LIMIT_S:g} seconds.",
                before=before,
                after=after,
                observed=volatile(row),
            )
    seen = volatile(row)
    text = ""
    if changes:
        text = (
            f"session {identity[0]} of {seen['user']} ({seen['application'] or 'no name'}), {seen['state']} "
            f"for {seen['transaction_age_s']} s, with {seen['waiting_behind']} waiting behind it: present -> gone"
        )
    return {
        "changed": changes,
        "before": before,
        "after": after,
        "observed": seen,
        "undo": {},
        "diff": {"prepared": clean(text)},
    }


def main() -> None:
    """End a blocking session, or rehearse it."""
    module: Any = AnsibleModule(
        argument_spec={
            "postgres": {"type": "dict", "required": True},
            "pid": {"type": "int", "required": True},
            "backend_start": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    if not HAS_PSYCOPG:
        module.fail_json(msg="The Python of this node has no psycopg; set ansible_python_interpreter to one that has.")
    server = module.params["postgres"]
    reach = {key: server[key] for key in ("host", "port", "dbname", "user", "passfile") if server.get(key)}
    try:
        started = datetime.datetime.fromisoformat(module.params["backend_start"].replace("Z", "+00:00"))
    except ValueError:
        module.fail_json(msg="backend_start is not a time.")
    try:
        connection = psycopg.connect(
            **reach,
            connect_timeout=3,
            application_name=f"{APPLICATION}-remediation",
            autocommit=True,
            options="-c statement_timeout=3000",
            row_factory=psycopg.rows.dict_row,
        )
        with connection:
            answer = work(module, connection, (module.params["pid"], started))
    except psycopg.Error as error:
        said = clean(str(error), 300).strip().splitlines() or ["no reason given"]
        module.fail_json(msg=f"The database does not answer as asked: {said[0]}")
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
