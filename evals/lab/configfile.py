"""Reading a TOML configuration file strictly: every problem is named with its file, line and key.

Only the standard library: a service's `--check-config` runs this before anything heavy is imported, so that checking
twenty old versions of a file takes a second and not ten.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

EX_CONFIG = 78
"""The exit code of a service whose configuration is refused (sysexits.h)."""

Value = str | int
Values = dict[str, dict[str, Value]]


@dataclass(frozen=True)
class Key:
    """What one key of a section may hold; without `default` it must be there."""

    kind: Literal["text", "integer", "file", "url", "choice"]
    low: int = 0
    high: int = 2**31 - 1
    choices: tuple[str, ...] = ()
    default: Value | None = None


Schema = Mapping[str, Mapping[str, Key]]


class ConfigError(ValueError):
    """The file cannot be used. The message is one line a person can act on."""


def read(path: Path, schema: Schema) -> Values:
    """Return the values of the file at `path`, with defaults filled in; raises ConfigError about the first problem."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    _refuse_wrong(path, text, document, schema)
    return _completed(path, text, document, schema)


def _refuse_wrong(path: Path, text: str, document: dict[str, Any], schema: Schema) -> None:
    """Raise ConfigError about the first thing in the file that must not be there or not be so."""
    for section, content in document.items():
        if section not in schema:
            raise _at(path, text, section, None, f"unknown section [{section}]{_nearest(section, schema)}")
        if not isinstance(content, dict):
            raise _at(path, text, None, section, f"{section} must be a section")
        for key, value in content.items():
            if key not in schema[section]:
                raise _at(path, text, section, key, f"unknown key {section}.{key}{_nearest(key, schema[section])}")
            complaint = _complaint(value, schema[section][key])
            if complaint:
                raise _at(path, text, section, key, f"{section}.{key} {complaint}")


def _completed(path: Path, text: str, document: dict[str, Any], schema: Schema) -> Values:
    """Return every key of the schema with its value or default; raises ConfigError about the first that is missing."""
    values: Values = {}
    for section, keys in schema.items():
        values[section] = {}
        for key, rule in keys.items():
            value = document.get(section, {}).get(key, rule.default)
            if value is None:
                raise _at(path, text, section, None, f"{section}.{key} is missing")
            values[section][key] = value
    return values


def _complaint(value: object, rule: Key) -> str:
    """Say what is wrong with a value under a rule, or nothing."""
    if rule.kind == "integer":
        if isinstance(value, bool) or not isinstance(value, int):
            return f"must be a whole number, found {_shown(value)}"
        return "" if rule.low <= value <= rule.high else f"must lie between {rule.low} and {rule.high}, found {value}"
    if not isinstance(value, str) or not value:
        return f"must be a text in quotes, found {_shown(value)}"
    if rule.kind == "choice" and value not in rule.choices:
        return f"must be one of {', '.join(rule.choices)}, found {_shown(value)}"
    if rule.kind == "file" and not Path(value).is_file():
        return f"names a file that is not there: {value}"
    return _url_complaint(value) if rule.kind == "url" else ""


def _url_complaint(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    return "" if usable else f"must be an http or https URL, found {_shown(value)}"


def _shown(value: object) -> str:
    return f'the text "{value}"' if isinstance(value, str) else f"{value!r}"


def _nearest(word: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f" (is {close[0]} meant?)" if close else ""


def _at(path: Path, text: str, section: str | None, key: str | None, message: str) -> ConfigError:
    line = _line_of(text, section, key)
    return ConfigError(f"{path}, line {line}: {message}" if line else f"{path}: {message}")


def _line_of(text: str, section: str | None, key: str | None) -> int:
    """Find the line (from 1) of a section, or of a key in it; 0 where there is none. tomllib keeps no positions."""
    current: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*([^\]]+?)\s*\]", line)
        if header:
            current = header.group(1).strip("\"'")
            if key is None and current == section:
                return number
        elif key is not None and current == section and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return 0
