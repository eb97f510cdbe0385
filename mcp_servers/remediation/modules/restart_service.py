"""Ansible module: bring a service to running through its supervisor."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.countersign_supervisord import DidNotStart, Program, SupervisorError
from ansible.module_utils.countersign_text import clean

ANOTHER = "another"
"""What stands for the instance after a restart: its start cannot be foretold."""


def facts(state: str, instance: str) -> dict[str, str]:
    """What is compared; `instance` only where one was named and found."""
    return {"state": state, "instance": instance} if instance else {"state": state}


def main() -> None:
    """Look; start or restart where that is needed and this is no rehearsal; look again."""
    module: Any = AnsibleModule(
        argument_spec={
            "supervisor": {"type": "dict", "required": True},
            "instance": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    supervisor, named = module.params["supervisor"], module.params["instance"]
    program = Program(supervisor["socket"], supervisor["program"])
    try:
        seen = program.look()
        again = bool(named) and seen.is_instance(named)
        before = facts(seen.state, named if again else "")
        changes = again or (seen.state in ("stopped", "failed") and not named)
        after = facts("running", ANOTHER if again else "") if changes else before
        observed = seen.volatile()
        if changes and not module.check_mode:
            try:
                now = program.restart() if again else program.start()
            except DidNotStart as error:
                state = program.look().state
                tail = clean(program.log_tail(), 2000)
                module.fail_json(
                    msg=f"{error}\n{tail}".strip(), before=before, after=facts(state, ""), observed=observed
                )
            after = facts(now.state, ANOTHER if again and now.pid != seen.pid else "")
            observed = now.volatile()
    except SupervisorError as error:
        module.fail_json(msg=str(error))
    text = f"{supervisor['program']}: {before['state']} -> {'running, restarted' if again else 'running'}"
    module.exit_json(
        changed=changes,
        before=before,
        after=after,
        observed=observed,
        undo={},
        diff={"prepared": clean(text) if changes else ""},
    )


if __name__ == "__main__":
    main()
