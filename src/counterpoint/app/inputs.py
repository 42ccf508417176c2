"""Checking that a value handed in is JSON within our limits, before anything else sees it."""

from __future__ import annotations

from math import isfinite
from typing import Any

from counterpoint.core.values import MAX_DEPTH, MAX_VALUE_BYTES, JsonValue, encode_json, excess_of
from counterpoint.errors import InvalidRequest, LimitExceeded, Problem

MAX_INPUT_BYTES = MAX_VALUE_BYTES
"""Largest input of a run, in bytes of JSON."""

_TOO_LARGE = "Store large data where the workflow can fetch it, and hand in its address."

MAX_INTEGER = 2**64 - 1
MIN_INTEGER = -(2**63)


def check_input(value: JsonValue, limit: int = MAX_INPUT_BYTES) -> None:
    """Refuse a value that is not JSON, is nested too deep or is too large.

    Raises:
        InvalidRequest: Not JSON; says where.
        LimitExceeded: Deeper than `MAX_DEPTH` levels or larger than `limit` bytes.
    """
    excess = excess_of(value, limit)
    if excess:
        raise LimitExceeded(f"the input {excess}", _TOO_LARGE)
    problem = _first_problem(value)
    if problem is not None:
        raise InvalidRequest(
            f"the input is not JSON: {problem.pointer or '/'}: {problem.message}", problems=[problem]
        )
    size = len(encode_json(value))
    if size > limit:
        raise LimitExceeded(
            f"the input has {size:,} bytes; at most {limit:,} are taken",
            _TOO_LARGE,
        )


def _first_problem(value: JsonValue) -> Problem | None:
    # Level by level instead of recursion: hostile nesting must not exhaust the stack.
    level: list[tuple[str, Any]] = [("", value)]
    for _ in range(MAX_DEPTH + 1):
        below: list[tuple[str, Any]] = []
        for pointer, item in level:
            problem = _look_at(pointer, item, below)
            if problem is not None:
                return problem
        if not below:
            return None
        level = below
    raise LimitExceeded(
        f"the input is nested deeper than {MAX_DEPTH} levels",
        "Hand in a flatter value, or part of it as text.",
    )


def _look_at(pointer: str, item: Any, below: list[tuple[str, Any]]) -> Problem | None:
    match item:
        case None | bool() | str():
            return None
        case int():
            is_exact = MIN_INTEGER <= item <= MAX_INTEGER
            return None if is_exact else Problem(pointer, "this integer has more than 64 bits")
        case float():
            return None if isfinite(item) else Problem(pointer, "NaN and Infinity are not JSON")
        case dict():
            below.extend((f"{pointer}/{_escape(str(key))}", child) for key, child in item.items())
            is_keyed = all(isinstance(key, str) for key in item)
            return None if is_keyed else Problem(pointer, "a key of an object must be a text")
        case list():
            below.extend((f"{pointer}/{index}", child) for index, child in enumerate(item))
            return None
    return Problem(pointer, f"{type(item).__name__} is not a kind of JSON value")


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
