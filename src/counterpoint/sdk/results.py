"""Values that cross between actions and runs: plain JSON, and a copy of their own.

Copied even when they are plain already: an action that keeps changing what it got or gave would otherwise
change the memory of a run behind its history.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from counterpoint.core.values import MAX_DEPTH, JsonValue, decode_json, encode_json, is_too_deep

MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**64 - 1

_LONG_NUMBER = re.compile(rb"[0-9]{19}")


def copy_argument(value: JsonValue) -> JsonValue:
    """A copy of an argument, which is JSON already."""
    return msgspec.to_builtins(value)


def as_json(value: Any) -> JsonValue:
    """Plain JSON for what an action returned; dataclasses, structs, dates and the like take their JSON form.

    Raises:
        ValueError: The value has no exact JSON form; the message says which part and why.
    """
    try:
        encoded = encode_json(value)
    except (TypeError, RecursionError, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from error
    # The encoder writes NaN and infinity as null, so only a text with a null can hide one.
    if encoded.find(b"null") >= 0 and (unreal := _unreal_number(value)):
        raise ValueError(f"{unreal} is not a JSON number")
    if len(encoded) > MAX_DEPTH and is_too_deep(encoded):
        raise ValueError(f"it nests deeper than {MAX_DEPTH} levels")
    return decode_json(encoded)


def parse_json(text: bytes) -> JsonValue:
    """The JSON value of a text from outside.

    Raises:
        ValueError: It is not JSON, nests too deep, or holds a number that cannot be kept exactly.
    """
    try:
        value = decode_json(text)
    except (RecursionError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    if is_too_deep(text):
        raise ValueError(f"it nests deeper than {MAX_DEPTH} levels")
    if _LONG_NUMBER.search(text) and any(
        type(leaf) is int and not MIN_INTEGER <= leaf <= MAX_INTEGER for leaf in _leaves(value)
    ):
        raise ValueError("an integer in it does not fit 64 bits")
    return value


def _unreal_number(value: Any) -> float | None:
    leaves = _leaves(msgspec.to_builtins(value, str_keys=True))
    return next((leaf for leaf in leaves if type(leaf) is float and not math.isfinite(leaf)), None)


def _leaves(value: Any) -> list[Any]:
    """All scalars of a value of plain types; iterative, because depth is checked elsewhere."""
    leaves: list[Any] = []
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list | tuple):
            pending.extend(item)
        else:
            leaves.append(item)
    return leaves
