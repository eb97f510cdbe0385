"""Reading JSON schemas as far as lint needs it: where a path leads, and whether a value fits. Unknown constructs fit
everything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
MAX_STEPS = 20


def alternatives(schema: Schema, root: Schema, depth: int = 0) -> Iterator[Schema]:
    """The schema with `$ref` followed and `anyOf`, `oneOf` and `allOf` opened; each one a plain schema."""
    if depth > MAX_STEPS:
        return
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target: Any = root
        for part in reference.removeprefix("#").strip("/").split("/"):
            target = target.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(target, Mapping) else {}
        yield from alternatives(target, root, depth + 1)
        return
    opened = False
    for word in ("anyOf", "oneOf", "allOf"):
        for item in schema.get(word) or ():
            opened = True
            yield from alternatives(item, root, depth + 1)
    if not opened or "properties" in schema:
        yield schema


def below(schema: Schema, path: Sequence[str | int], root: Schema) -> list[Schema] | int:
    """The schemas at a path, or the number of steps after which it leads nowhere."""
    here = list(alternatives(schema, root))
    for number, step in enumerate(path):
        following = [found for item in here for found in _step(item, step, root)]
        if not following:
            return number
        here = following
    return here


def _step(schema: Schema, step: str | int, root: Schema) -> Iterator[Schema]:
    if isinstance(step, int):
        if schema.get("type", "array") == "array":
            yield from alternatives(schema.get("items") or {}, root)
        return
    properties = schema.get("properties") or {}
    if step in properties:
        yield from alternatives(properties[step], root)
    elif _open(schema):
        extra = schema.get("additionalProperties")
        yield from alternatives(extra if isinstance(extra, Mapping) else {}, root)


def _open(schema: Schema) -> bool:
    """Whether fields that are not listed may be there: a bare schema, or one that says so. A list of fields counts as
    complete."""
    if schema.get("type", "object") != "object":
        return False
    return bool(schema["additionalProperties"]) if "additionalProperties" in schema else "properties" not in schema


def names(schemas: Sequence[Schema]) -> list[str]:
    """The fields that objects of these schemas have."""
    return sorted({name for schema in schemas for name in schema.get("properties") or {}})


def types(schemas: Sequence[Schema]) -> set[str] | None:
    """The types a value may have, or None when anything goes."""
    found: set[str] = set()
    for schema in schemas:
        said = schema.get("type")
        if said is None:
            values = [schema["const"]] if "const" in schema else list(schema.get("enum") or ())
            if not values:
                return None
            found |= {name for value in values for name in _TYPES if fits_type(value, name)}
        else:
            found |= {said} if isinstance(said, str) else set(said)
    return found


def fits_type(value: Any, name: str) -> bool:
    """Whether a value is of a JSON type; a boolean is no integer."""
    wanted = _TYPES.get(name)
    return wanted is None or (isinstance(value, wanted) and (name == "boolean" or not isinstance(value, bool)))


def why_not(value: Any, schemas: Sequence[Schema], *, only_type_and_choice: bool = False) -> str:
    """Why a literal fits none of the schemas, or "" when it fits one."""
    reasons = [_why_not(value, schema, only_type_and_choice) for schema in schemas]
    return "" if not reasons or "" in reasons else reasons[0]


def _why_not(value: Any, schema: Schema, short: bool) -> str:
    allowed = types([schema])
    number = bool(
        allowed and "integer" in allowed and isinstance(value, float)
    )  # CEL compares whole and broken numbers
    if allowed is not None and not number and not any(fits_type(value, name) for name in allowed):
        return f"is {_called(value)}, and this is {' or '.join(sorted(allowed))}"
    choices = [schema["const"]] if "const" in schema else list(schema.get("enum") or ())
    if choices and value not in choices:
        return f"is none of {', '.join(repr(choice) for choice in choices)}"
    return "" if short else _out_of_bounds(value, schema)


def _out_of_bounds(value: Any, schema: Schema) -> str:
    if isinstance(value, str):
        pattern = schema.get("pattern")
        if isinstance(pattern, str) and not _matches(pattern, value):
            return f"does not match {pattern}"
        if len(value) > schema.get("maxLength", len(value)) or len(value) < schema.get("minLength", 0):
            return "is too long or too short"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        if not low <= value <= high or value <= schema.get("exclusiveMinimum", value - 1):
            return f"is outside of {schema.get('minimum', '…')} to {schema.get('maximum', '…')}"
    return ""


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return True


def _called(value: Any) -> str:
    return next(
        (name for name in ("boolean", "integer", "number", "string") if fits_type(value, name)), "of another type"
    )
