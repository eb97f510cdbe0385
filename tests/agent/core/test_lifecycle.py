"""The states of a proposal: only the steps of the table, and nothing after an end."""

from __future__ import annotations

import pytest

from agent.core.errors import Refused
from agent.core.lifecycle import STEPS, State, step


@pytest.mark.parametrize("current", list(State))
@pytest.mark.parametrize("to", list(State))
def test_only_the_steps_of_the_table_are_possible(current: State, to: State) -> None:
    if to in STEPS.get(current, ()):
        assert step(current, to) is to
        return
    with pytest.raises(Refused) as refused:
        step(current, to)
    assert refused.value.code == "illegal_step"


def test_what_was_not_approved_can_never_execute() -> None:
    before_execution = {state for state, steps in STEPS.items() if State.EXECUTING in steps}
    assert before_execution == {State.APPROVED}
    assert {State.REJECTED, State.EXPIRED, State.SUPERSEDED, State.WITHDRAWN, State.STALE} <= frozenset(
        State
    ) - STEPS.keys()


def test_unknown_is_never_executed_again_by_itself() -> None:
    assert State.EXECUTING not in STEPS[State.UNKNOWN]
