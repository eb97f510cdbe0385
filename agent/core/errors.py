"""The two ways in which something lawful does not happen."""

from __future__ import annotations


class CountersignError(Exception):
    """Something a person can mend; the message says what happened and what to do, in one or two sentences."""


class Refused(CountersignError):
    """A lawful no: `code` is stable and for programs, the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
