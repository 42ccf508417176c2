"""Strings of jq: `tostring`, `tojson`, `tonumber`, the formats and plain patterns.

libjq keeps the digits of a number literal that it did not compute with, so `1.0` prints as `1.0` but `0.5 +
0.5` as `1`. A closure cannot tell the two apart; floats whose two spellings differ are left to the worker.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from json.encoder import encode_basestring
from urllib.parse import quote

from counterpoint.core.expr.native.budget import (
    MAX_NATIVE_DEPTH,
    JqError,
    Meter,
    charge,
    leave_to_worker,
    metered,
)
from counterpoint.core.expr.native.operators import MAX_EXACT, kind_of
from counterpoint.core.expr.program import Variables
from counterpoint.core.values import JsonValue

_NUMERAL = re.compile(r"(?:0|-?[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?\Z")
_PLAIN_PATTERN = re.compile(r"[A-Za-z0-9 _,:;@/=<>!%&~'\"#\u00a1-\u024f-]+\Z")
_HTML = str.maketrans({"<": "&lt;", ">": "&gt;", "&": "&amp;", "'": "&apos;", '"': "&quot;"})


def to_text(value: JsonValue, variables: Variables) -> str:
    """`tostring`: strings as they are, the rest as JSON."""
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    return to_json(value, metered(variables))


def to_json(value: JsonValue, meter: Meter, depth: int = 0) -> str:
    """`tojson`: compact, members in their order."""
    kind = type(value)
    if kind is str:
        charge(meter, 1 + (len(value) >> 5))
        return encode_basestring(value).replace("\x7f", "\\u007f")
    if kind is int:
        return str(value)
    if kind is float:
        return float_text(value)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if depth > MAX_NATIVE_DEPTH:
        leave_to_worker("the value is too deep")
    charge(meter, 1 + 2 * len(value))
    if kind is list:
        return "[" + ",".join([to_json(item, meter, depth + 1) for item in value]) + "]"
    members = [to_json(key, meter) + ":" + to_json(item, meter, depth + 1) for key, item in value.items()]
    return "{" + ",".join(members) + "}"


def float_text(value: float) -> str:
    """Digits of a fraction that reads the same as literal and as result; others are the worker's."""
    if value.is_integer() or not 1e-4 <= abs(value) < 1e15:
        leave_to_worker("the spelling of the number depends on its origin")
    return repr(value)


def to_number(value: JsonValue) -> JsonValue:
    """`tonumber` of numbers and of plainly written decimals."""
    if type(value) in (int, float):
        return value
    if type(value) is not str:
        raise JqError(f"{kind_of(value)} cannot be parsed as a number")
    if _NUMERAL.match(value) is None:
        leave_to_worker("the number is written in an unusual way")
    if "." not in value:
        return int(value)
    parsed = float(value)
    if parsed.is_integer() or repr(parsed) != value:
        leave_to_worker("the number is written in an unusual way")
    return parsed


def joined(items: list[JsonValue], separator: JsonValue, variables: Variables) -> str:
    """`join`: null is empty, numbers and booleans are written out."""
    if type(separator) is not str:
        leave_to_worker("the separator is no string")
    charge(variables, 1 + len(items))
    parts: list[str] = []
    size = 0
    for item in items:
        if item is None:
            part = ""
        elif type(item) is str:
            part = item
        elif type(item) in (list, dict):
            raise JqError(f"string and {kind_of(item)} cannot be added")
        else:
            part = to_text(item, variables)
        size += len(part) + len(separator)
        parts.append(part)
    if size > MAX_EXACT or size > 1_000_000:
        leave_to_worker("the string is too long")
    charge(variables, size >> 5)
    return separator.join(parts)


def is_plain_pattern(pattern: str) -> bool:
    """Whether a regular expression stands for exactly its own text in every dialect."""
    return _PLAIN_PATTERN.match(pattern) is not None


def _as_html(value: JsonValue, variables: Variables) -> str:
    text = to_text(value, variables)
    charge(variables, len(text) >> 4)
    return text.translate(_HTML)


def _as_uri(value: JsonValue, variables: Variables) -> str:
    text = to_text(value, variables)
    charge(variables, len(text) >> 3)
    return quote(text, safe="-_.~")


def _as_base64(value: JsonValue, variables: Variables) -> str:
    text = to_text(value, variables)
    charge(variables, len(text) >> 5)
    return base64.b64encode(text.encode()).decode("ascii")


def _as_json(value: JsonValue, variables: Variables) -> str:
    return to_json(value, metered(variables))


FORMATS: dict[str, Callable[[JsonValue, Variables], str]] = {
    "": to_text,
    "text": to_text,
    "json": _as_json,
    "html": _as_html,
    "uri": _as_uri,
    "base64": _as_base64,
}
"""Formats of the native subset, by name without `@`."""
