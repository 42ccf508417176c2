"""Order, equality, arithmetic and containment, as libjq has them.

Python differs in three places that matter: `True == 1`, integers without end, and `/` on integers. Numbers
of jq are doubles; a whole number beyond 2^53 passes unchanged, but arithmetic with it is refused instead of
rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from counterpoint.core.expr.native.budget import (
    MAX_NATIVE_DEPTH,
    JqError,
    Meter,
    charge,
    leave_to_worker,
    metered,
)
from counterpoint.core.expr.program import ExpressionFailed, Variables
from counterpoint.core.values import JsonValue

Operation: TypeAlias = Callable[[JsonValue, JsonValue, Variables], JsonValue]

MAX_EXACT = 2**53 - 1
"""Largest whole number that arithmetic may touch: above it doubles skip numbers."""

MAX_TEXT = 1_000_000
"""Longest string, in characters, that an operator may build."""

KIND = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
_LONG = 1_024
_SCALARS = frozenset((type(None), bool, int, float, str))
_NUMBERS = frozenset((int, float))


def kind_of(value: JsonValue) -> str:
    """Name of the type, as `type` of jq gives it."""
    kind = KIND.get(type(value))
    if kind is None:
        raise ExpressionFailed(f"{type(value).__name__} is no JSON value")
    return kind


def is_number(value: JsonValue) -> bool:
    """Whether it is a number; booleans are none."""
    return type(value) in _NUMBERS


def number(result: float) -> int | float:
    """A computed number: whole ones are integers; what jq would round or clip is the worker's."""
    if result.is_integer():
        if -MAX_EXACT <= result <= MAX_EXACT:
            whole = int(result)
            return result if whole == 0 and math.copysign(1.0, result) < 0 else whole
        return leave_to_worker("a computed whole number is beyond 2^53")
    if math.isfinite(result):
        return result
    return leave_to_worker("a computed number is not finite")


def exact(value: int) -> int:
    """A whole number that arithmetic may use.

    Raises:
        ExpressionFailed: It is beyond 2^53, where jq would round.
    """
    if -MAX_EXACT <= value <= MAX_EXACT:
        return value
    raise ExpressionFailed("arithmetic with whole numbers beyond 2^53 would not be exact")


def _floats(left: float, right: float) -> tuple[float, float]:
    return (
        float(exact(left)) if type(left) is int else left,
        float(exact(right)) if type(right) is int else right,
    )


# --- equality and order


def is_equal(left: JsonValue, right: JsonValue, variables: Variables) -> bool:
    """`==` of jq: a boolean equals no number, `1` equals `1.0`."""
    kind = type(left)
    if kind is type(right):
        if kind is str and len(left) > _LONG:
            charge(variables, len(left) >> 7)
        if kind in _SCALARS:
            return bool(left == right)
        return _same(left, right, metered(variables), 0)
    return kind in _NUMBERS and type(right) in _NUMBERS and bool(left == right)


def _same(left: JsonValue, right: JsonValue, meter: Meter, depth: int) -> bool:
    kind = type(left)
    if kind is not type(right):
        return kind in _NUMBERS and type(right) in _NUMBERS and bool(left == right)
    if kind in _SCALARS:
        if kind is str and len(left) > _LONG:
            charge(meter, len(left) >> 7)
        return bool(left == right)
    if depth > MAX_NATIVE_DEPTH:
        leave_to_worker("the value is too deep")
    if len(left) != len(right):
        return False
    charge(meter, 1 + len(left))
    if kind is list:
        return all(_same(a, b, meter, depth + 1) for a, b in zip(left, right, strict=True))
    return all(key in right and _same(item, right[key], meter, depth + 1) for key, item in left.items())


def order_key(value: JsonValue, meter: Meter, depth: int = 0) -> tuple[Any, ...]:
    """Sort key in the order of jq: null, false, true, numbers, strings, arrays, objects."""
    kind = type(value)
    if kind is str:
        if len(value) > _LONG:
            charge(meter, len(value) >> 5)
        return (4, value)
    if kind in _NUMBERS:
        return (3, value)
    if value is None:
        return (0,)
    if kind is bool:
        return (2,) if value else (1,)
    if depth > MAX_NATIVE_DEPTH:
        leave_to_worker("the value is too deep")
    charge(meter, 1 + len(value))
    if kind is list:
        return (5, [order_key(item, meter, depth + 1) for item in value])
    keys = sorted(value)
    return (6, keys, [order_key(value[key], meter, depth + 1) for key in keys])


def is_less(left: JsonValue, right: JsonValue, variables: Variables) -> bool:
    """`<` of jq, across types."""
    kind = type(left)
    if kind in _NUMBERS and type(right) in _NUMBERS:
        return bool(left < right)
    if kind is str and type(right) is str and len(left) <= _LONG:
        return bool(left < right)
    meter = metered(variables)
    return order_key(left, meter) < order_key(right, meter)


def _not_equal(left: JsonValue, right: JsonValue, variables: Variables) -> bool:
    return not is_equal(left, right, variables)


def _is_more(left: JsonValue, right: JsonValue, variables: Variables) -> bool:
    return is_less(right, left, variables)


def _is_at_most(left: JsonValue, right: JsonValue, variables: Variables) -> bool:
    return not is_less(right, left, variables)


def _is_at_least(left: JsonValue, right: JsonValue, variables: Variables) -> bool:
    return not is_less(left, right, variables)


# --- arithmetic


def add(left: JsonValue, right: JsonValue, variables: Variables) -> JsonValue:
    """`+`: numbers, strings, arrays, objects; null is neutral."""
    one, other = type(left), type(right)
    if one is int and other is int:
        result = left + right
        if -MAX_EXACT <= result <= MAX_EXACT and -MAX_EXACT <= left <= MAX_EXACT:
            exact(right)
            return result
        return exact(exact(left) + exact(right))
    if one is str and other is str:
        size = len(left) + len(right)
        if size > MAX_TEXT:
            leave_to_worker("the string is too long")
        charge(variables, size >> 6)
        return left + right
    if left is None:
        return right
    if right is None:
        return left
    if one in _NUMBERS and other in _NUMBERS:
        a, b = _floats(left, right)
        return number(a + b)
    if one is other and one in (list, dict):
        charge(variables, 1 + ((len(left) + len(right)) >> (5 if one is list else 3)))
        return left + right if one is list else {**left, **right}
    raise JqError(f"{kind_of(left)} and {kind_of(right)} cannot be added")


def subtract(left: JsonValue, right: JsonValue, variables: Variables) -> JsonValue:
    """`-`: numbers; arrays without the elements of another."""
    if type(left) is int and type(right) is int:
        return exact(exact(left) - exact(right))
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        a, b = _floats(left, right)
        return number(a - b)
    if type(left) is list and type(right) is list:
        charge(variables, 1 + len(left) * (1 + len(right)))
        meter = metered(variables)
        return [item for item in left if not any(is_equal(item, other, meter) for other in right)]
    raise JqError(f"{kind_of(left)} and {kind_of(right)} cannot be subtracted")


def multiply(left: JsonValue, right: JsonValue, variables: Variables) -> JsonValue:
    """`*`: numbers; objects are merged deeply. Repeated strings are left to the worker."""
    if type(left) is int and type(right) is int:
        result = exact(exact(left) * exact(right))
        return -0.0 if result == 0 and (left < 0) != (right < 0) else result
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        a, b = _floats(left, right)
        return number(a * b)
    if type(left) is dict and type(right) is dict:
        return _merge(left, right, metered(variables), 0)
    if str in (type(left), type(right)):
        leave_to_worker("a string is repeated")
    raise JqError(f"{kind_of(left)} and {kind_of(right)} cannot be multiplied")


def _merge(left: dict[str, JsonValue], right: dict[str, JsonValue], meter: Meter, depth: int) -> JsonValue:
    if depth > MAX_NATIVE_DEPTH:
        leave_to_worker("the value is too deep")
    charge(meter, 1 + len(left) + len(right))
    merged = dict(left)
    for key, item in right.items():
        before = merged.get(key)
        if type(before) is dict and type(item) is dict:
            item = _merge(before, item, meter, depth + 1)
        merged[key] = item
    return merged


def divide(left: JsonValue, right: JsonValue, variables: Variables) -> JsonValue:
    """`/`: numbers; a string is split at another."""
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        a, b = _floats(left, right)
        if b == 0:
            raise JqError("a number cannot be divided because the divisor is zero")
        return number(a / b)
    if type(left) is str and type(right) is str:
        return split(left, right, variables)
    raise JqError(f"{kind_of(left)} and {kind_of(right)} cannot be divided")


def remainder(left: JsonValue, right: JsonValue, variables: Variables) -> JsonValue:
    """`%`: of whole numbers, with the sign of the left one; fractions are cut off first."""
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        a, b = exact(int(left)), exact(int(right))
        if b == 0:
            raise JqError("a number cannot be divided (remainder) because the divisor is zero")
        result = abs(a) % abs(b)
        return -result if a < 0 else result
    raise JqError(f"{kind_of(left)} and {kind_of(right)} cannot be divided (remainder)")


def negate(value: JsonValue) -> JsonValue:
    """`-value`; zero becomes minus zero, which jq prints as such."""
    if type(value) is int:
        return -exact(value) if value else -0.0
    if type(value) is float:
        return number(-value)
    raise JqError(f"{kind_of(value)} cannot be negated")


def split(text: str, separator: str, variables: Variables) -> list[str]:
    """Parts of a string between separators; an empty separator gives the characters."""
    if not text:
        return []
    charge(variables, 1 + (len(text) >> 3))
    return text.split(separator) if separator else list(text)


def contains(whole: JsonValue, part: JsonValue, variables: Variables) -> bool:
    """`contains` of jq: substrings, any matching element, members one by one."""
    if type(whole) is bool or type(part) is bool:
        leave_to_worker("containment of booleans")
    if kind_of(whole) != kind_of(part):
        raise JqError(f"{kind_of(whole)} and {kind_of(part)} cannot have their containment checked")
    return _does_contain(whole, part, metered(variables), 0)


def _does_contain(whole: JsonValue, part: JsonValue, meter: Meter, depth: int) -> bool:
    kind = type(whole)
    if kind is not type(part):
        return kind in _NUMBERS and type(part) in _NUMBERS and bool(whole == part)
    if kind is str:
        charge(meter, 1 + (len(whole) >> 4))
        return part in whole
    if kind in _SCALARS:
        return bool(whole == part)
    if depth > MAX_NATIVE_DEPTH:
        leave_to_worker("the value is too deep")
    charge(meter, 1 + len(part) + len(whole))
    if kind is dict:
        return all(
            key in whole and _does_contain(whole[key], item, meter, depth + 1) for key, item in part.items()
        )
    return all(any(_does_contain(have, want, meter, depth + 1) for have in whole) for want in part)


OPERATIONS: dict[str, Operation] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "==": is_equal,
    "!=": _not_equal,
    "<": is_less,
    ">": _is_more,
    "<=": _is_at_most,
    ">=": _is_at_least,
}
"""Function of each operator that takes two values."""
