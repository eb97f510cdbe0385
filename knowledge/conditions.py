"""Conditions of a runbook: CEL over observations, with three answers. What was not seen is not known, and never false.

CEL itself makes `false && error` false and `true || error` true (language definition, "Logical operators"), so an
observation that is absent only matters where it would decide. `has()` and the comprehension macros are refused: the
first turns "not seen" into false, the others can cost any amount of time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import cel

MAX_CHARACTERS = 2000
MAX_DEPTH = 32
RESERVED = frozenset(
    "as break const continue else false for function if import in let loop namespace null package return true "
    "var void while".split()
)
"""Words with a meaning in CEL (language definition, "Syntax")."""
_FUNCTIONS = frozenset({"contains", "startsWith", "endsWith", "matches", "size", "int", "double", "string"})
_REFUSED = {
    "has": "has() says false of what was never seen; name the field, and an absent one is not known",
    **dict.fromkeys(("all", "exists", "exists_one", "map", "filter"), "loops over lists are not used in conditions"),
}


class ConditionError(ValueError):
    """The text is no usable condition; the message is one sentence."""


class Truth(StrEnum):
    """Three answers."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition says of the observations. `missing` names the checks it mentions that did not run."""

    truth: Truth
    reason: str = ""
    missing: tuple[str, ...] = ()


Literals = tuple[str | int | float | bool, ...]


@dataclass(frozen=True, slots=True)
class Mention:
    """One `check.field.field` in a condition, and the literals it is compared with there, if any.

    `operator` is that of the comparison, `truth` where the value itself is the answer, or empty.
    """

    check: str
    path: tuple[str | int, ...]
    operator: str = ""
    literals: Literals = ()

    def __str__(self) -> str:
        return self.check + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)


class Condition:
    """A compiled condition."""

    def __init__(self, source: str) -> None:
        """Compile. Raises ConditionError."""
        self.source = source.strip()
        if len(self.source) > MAX_CHARACTERS:
            raise ConditionError(f"the condition is longer than {MAX_CHARACTERS} characters")
        tokens = tokenize(self.source)
        _refuse(tokens)
        try:
            self._program = cel.compile(self.source)
        except Exception as error:
            first = str(error).split("ERROR: ", 1)[-1].splitlines()[0]
            raise ConditionError(f"the condition cannot be read: {first}") from error
        self.mentions: tuple[Mention, ...] = tuple(_mentions(tokens))
        if not self.mentions:
            raise ConditionError("the condition looks at no check: it would be true or false for ever")
        self.checks: tuple[str, ...] = tuple(dict.fromkeys(mention.check for mention in self.mentions))

    def evaluate(self, observations: Mapping[str, Mapping[str, Any]]) -> Verdict:
        """Answer from the observations by name of check; a check that did not run is absent from them. Never raises."""
        seen = {name: dict(observations[name]) for name in self.checks if name in observations}
        missing = tuple(name for name in self.checks if name not in seen)
        try:
            value = self._program.execute(seen)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of the extension derives from BaseException
            return Verdict(Truth.UNKNOWN, self._why(error, missing), missing)
        if not isinstance(value, bool):
            return Verdict(Truth.UNKNOWN, "the condition answered neither true nor false", missing)
        return Verdict(Truth.TRUE if value else Truth.FALSE, "", missing)

    def _why(self, error: BaseException, missing: tuple[str, ...]) -> str:
        if missing:
            return f"not seen: {', '.join(missing)}"
        if isinstance(error, KeyError):
            return f"no field {error} in what was seen"
        return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


Kind = Literal["name", "string", "number", "mark"]


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a condition; `value` is what a string or number stands for."""

    kind: Kind
    text: str
    value: str | int | float | None = None


_STRING = r"""(?:[rR]|[bB][rR]?|[rR][bB])?(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
_TOKEN = re.compile(
    rf"""(?P<space>\s+|//[^\n]*)
    |(?P<string>{_STRING})
    |(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<mark>==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]{{}}])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "`": "`", "?": "?"}
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_LOGIC = frozenset({"&&", "||"})
_TEXT_TESTS = frozenset({"contains", "startsWith", "endsWith", "matches"})


def tokenize(source: str) -> list[Token]:
    """The tokens of a condition, without space and comments. Raises ConditionError at what CEL has no token for."""
    tokens: list[Token] = []
    position = 0
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            raise ConditionError(f"the condition cannot be read at {source[position : position + 12]!r}")
        position = match.end()
        text = match.group()
        if match.lastgroup == "string":
            tokens.append(Token("string", text, _string_value(text)))
        elif match.lastgroup == "number":
            tokens.append(Token("number", text, _number_value(text)))
        elif match.lastgroup == "name":
            tokens.append(Token("name", text))
        elif match.lastgroup == "mark":
            tokens.append(Token("mark", text))
    return tokens


def _string_value(text: str) -> str:
    start = min(text.index(quote) for quote in "\"'" if quote in text)
    raw = "r" in text[:start].lower()
    quoted = text[start:]
    width = 3 if quoted[:3] in ('"""', "'''") else 1
    inner = quoted[width:-width]
    return inner if raw else re.sub(r"\\(.)", lambda m: _ESCAPES.get(m.group(1), m.group(0)), inner, flags=re.DOTALL)


def _number_value(text: str) -> int | float:
    plain = text.rstrip("uU")
    if plain.lower().startswith("0x"):
        return int(plain, 16)
    return float(plain) if re.search(r"[.eE]", plain) else int(plain)


def _refuse(tokens: list[Token]) -> None:
    depth = 0
    for position, token in enumerate(tokens):
        depth += (token.text in "([{") - (token.text in ")]}") if token.kind == "mark" else 0
        if depth > MAX_DEPTH:
            raise ConditionError(f"the condition is nested deeper than {MAX_DEPTH}")
        is_call = token.kind == "name" and [item.text for item in tokens[position + 1 : position + 2]] == ["("]
        if not is_call or token.text in RESERVED:
            continue
        if token.text in _REFUSED:
            raise ConditionError(f"`{token.text}(...)`: {_REFUSED[token.text]}")
        if token.text not in _FUNCTIONS:
            raise ConditionError(
                f"`{token.text}(...)` is no function of conditions; there are {', '.join(sorted(_FUNCTIONS))}"
            )


def _mentions(tokens: list[Token]) -> list[Mention]:
    found: list[Mention] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        after_dot = at > 0 and tokens[at - 1].text == "." and tokens[at - 1].kind == "mark"
        is_call = at + 1 < len(tokens) and tokens[at + 1].text == "("
        if token.kind != "name" or token.text in RESERVED or after_dot or is_call:
            at += 1
            continue
        path, end = _path(tokens, at + 1)
        found.append(_with_comparison(Mention(token.text, path), tokens, at, end))
        at = end
    return found


def _path(tokens: list[Token], at: int) -> tuple[tuple[str | int, ...], int]:
    """Read `.field`, `[0]` and `["field"]` from `at`; a method (`.size()`) ends the path before its dot."""
    path: list[str | int] = []
    while at < len(tokens):
        ahead = tokens[at : at + 3]
        if len(ahead) >= 2 and ahead[0].text == "." and ahead[1].kind == "name":
            if len(ahead) == 3 and ahead[2].text == "(":
                break
            path.append(ahead[1].text)
            at += 2
        elif len(ahead) == 3 and ahead[0].text == "[" and ahead[2].text == "]" and ahead[1].kind != "mark":
            step = ahead[1].value
            path.append(step if isinstance(step, str | int) else ahead[1].text)
            at += 3
        else:
            break
    return tuple(path), at


def _with_comparison(mention: Mention, tokens: list[Token], start: int, end: int) -> Mention:
    if end < len(tokens):
        operator = tokens[end].text
        if operator in _COMPARISONS:
            return _compared(mention, operator, _literal(tokens, end + 1))
        if operator == "in" and end + 1 < len(tokens) and tokens[end + 1].text == "[":
            return _compared(mention, "in", _listed(tokens, end + 2))
        if operator == "." and end + 2 < len(tokens) and tokens[end + 1].text in _TEXT_TESTS:
            return _compared(mention, tokens[end + 1].text, _literal(tokens, end + 3))
    if start >= 2 and tokens[start - 1].text in _COMPARISONS:
        before = _literal(tokens, start - 2)
        minus = start >= 3 and tokens[start - 3].text == "-" and isinstance(tokens[start - 2].value, int | float)
        return _compared(mention, tokens[start - 1].text, _literal(tokens, start - 3) if minus else before)
    return Mention(mention.check, mention.path, "truth") if _stands_alone(tokens, start, end) else mention


def _stands_alone(tokens: list[Token], start: int, end: int) -> bool:
    """Whether the value itself is the answer, as in `!http.ok && …`: it must be true or false then."""
    before = tokens[start - 1].text if start else "&&"
    after = tokens[end].text if end < len(tokens) else "&&"
    if before == "(" and start >= 2 and tokens[start - 2].kind == "name":
        return False
    return before in _LOGIC | {"!", "("} and after in _LOGIC | {")", "?"}


def _compared(mention: Mention, operator: str, literals: Literals) -> Mention:
    return Mention(mention.check, mention.path, operator, literals) if literals else mention


def _literal(tokens: list[Token], at: int) -> Literals:
    if not 0 <= at < len(tokens):
        return ()
    token = tokens[at]
    if token.text == "-" and at + 1 < len(tokens) and isinstance(tokens[at + 1].value, int | float):
        return (-tokens[at + 1].value,)  # type: ignore[operator]  # narrowed by isinstance above
    if token.kind == "name" and token.text in ("true", "false"):
        return (token.text == "true",)
    return () if token.value is None else (token.value,)


def _listed(tokens: list[Token], at: int) -> Literals:
    values: list[str | int | float | bool] = []
    while at < len(tokens) and tokens[at].text != "]":
        values += _literal(tokens, at)
        at += 1
    return tuple(values)
