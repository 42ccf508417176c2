"""Whole numbers beyond 2^53 and libjq: exact or refused, never rounded.

libjq keeps the digits of a number that a program only moves, and rounds it as soon as the program computes
with it; the result does not say which. So a program that meets such numbers runs twice, the second time
with every one of them shifted. A result that only moves, compares or sorts them changes exactly as they do;
anything else depended on their rounded value and is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from counterpoint.core.expr.program import ExpressionFailed
from counterpoint.core.values import JsonValue

MAX_EXACT = 2**53 - 1
"""Largest whole number that a double tells from its neighbours."""

_ALL_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_LONG = b"0" * 16
_STEP = 4_099
"""Distance of two shifted numbers: more than the doubles of 64-bit numbers are apart, and prime."""


def has_large_numbers(text: bytes) -> bool:
    """Whether a JSON text may hold numbers that need care; never misses one."""
    # Ten times faster than a regular expression, which would hold the loop for a text of a megabyte.
    return _LONG in text.translate(_ALL_ZERO) or b"e308" in text or b"e+308" in text


def large_integers(value: JsonValue) -> set[int]:
    """Whole numbers beyond 2^53 in a JSON value."""
    found: set[int] = set()
    stack = [value]
    while stack:
        item = stack.pop()
        if type(item) is int and abs(item) > MAX_EXACT:
            found.add(item)
        elif isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return found


def shifts(numbers: set[int]) -> dict[int, int]:
    """A different number for each, in the same order, all within 64 bits.

    Raises:
        ExpressionFailed: The numbers reach from one end of the 64-bit range to the other.
    """
    ordered = sorted(numbers)
    up = _STEP * (len(ordered) + 1)
    if ordered[-1] + up < 2**64:
        return {number: number + _STEP * (index + 1) for index, number in enumerate(ordered)}
    if ordered[0] - up >= -(2**63):
        count = len(ordered)
        return {number: number - _STEP * (count - index) for index, number in enumerate(ordered)}
    raise ExpressionFailed("the whole numbers are too large to be computed with exactly")


def replaced(value: JsonValue, change: Callable[[int], int]) -> JsonValue:
    """Copy of a JSON value with all large whole numbers changed."""
    if type(value) is int:
        return change(value) if abs(value) > MAX_EXACT else value
    if isinstance(value, dict):
        return {key: replaced(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, change) for item in value]
    return value


def check_numbers(value: JsonValue, known: set[int]) -> None:
    """Refuse numbers in a result that libjq rounded or clipped.

    Args:
        value: The result.
        known: Large whole numbers of the input, which may appear again.

    Raises:
        ExpressionFailed: A computed whole number beyond 2^53, or an infinite number.
    """
    if not large_integers(value) <= known:
        raise ExpressionFailed("a computed whole number is beyond 2^53 and would not be exact")
    stack = [value]
    while stack:
        item = stack.pop()
        if type(item) is float and abs(item) >= sys.float_info.max:
            raise ExpressionFailed("the result holds an infinite number")
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
