"""Functions of the native subset over single values, by name and number of arguments.

A type that a function is not made for is left to the worker, which knows jq's error; only the errors that
programs meet every day are raised here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TypeAlias

from counterpoint.core.expr.native.budget import JqError, charge, leave_to_worker, metered
from counterpoint.core.expr.native.operators import (
    MAX_EXACT,
    add,
    contains,
    exact,
    is_equal,
    kind_of,
    number,
    order_key,
    split,
)
from counterpoint.core.expr.native.paths import elements, member
from counterpoint.core.expr.native.text import joined, to_json, to_number, to_text
from counterpoint.core.expr.program import Native, Variables
from counterpoint.core.values import JsonValue

Binary: TypeAlias = Callable[[JsonValue, JsonValue, Variables], JsonValue]

_BLANKS = " \t\n\r\f\v"


def is_true(value: JsonValue) -> bool:
    """Truth of jq: everything but null and false."""
    return value is not None and value is not False


def _string(value: JsonValue, variables: Variables) -> str:
    if type(value) is not str:
        leave_to_worker("the function needs a string")
    charge(variables, len(value) >> 6)
    return value


def _array(value: JsonValue, variables: Variables) -> list[JsonValue]:
    if type(value) is not list:
        leave_to_worker("the function needs an array")
    charge(variables, 1 + len(value))
    return value


def _length(value: JsonValue, variables: Variables) -> JsonValue:
    kind = type(value)
    if kind in (str, list, dict):
        return len(value)
    if value is None:
        return 0
    if kind is int:
        return abs(exact(value))
    if kind is float:
        return number(abs(value))
    raise JqError(f"{kind_of(value)} has no length")


def _keys(value: JsonValue, variables: Variables) -> JsonValue:
    if type(value) is dict:
        charge(variables, 1 + len(value))
        return sorted(value)
    return list(range(len(_array(value, variables))))


def _keys_unsorted(value: JsonValue, variables: Variables) -> JsonValue:
    if type(value) is dict:
        charge(variables, 1 + len(value))
        return list(value)
    return _keys(value, variables)


def _add(value: JsonValue, variables: Variables) -> JsonValue:
    return total(list(elements(value)), variables)


def total(items: Sequence[JsonValue], variables: Variables) -> JsonValue:
    """`add` of jq over values that are already gathered."""
    charge(variables, 1 + len(items))
    kinds = set(map(type, items))
    if kinds == {str}:
        return joined(list(items), "", variables)
    if kinds == {int} and sum(map(abs, items)) <= MAX_EXACT:
        return sum(items)
    return reduce(lambda left, right: add(left, right, variables), items, None)


def _any(value: JsonValue, variables: Variables) -> JsonValue:
    return any(is_true(item) for item in _array(value, variables))


def _all(value: JsonValue, variables: Variables) -> JsonValue:
    return all(is_true(item) for item in _array(value, variables))


def _sort(value: JsonValue, variables: Variables) -> JsonValue:
    return sorted_by(_array(value, variables), None, variables)


def sorted_by(items: list[JsonValue], keys: list[JsonValue] | None, variables: Variables) -> list[JsonValue]:
    """Elements in the order of their keys, or of themselves; equal ones stay in place."""
    meter = metered(variables)
    charge(meter, len(items) * 2)
    ranks = [order_key(key, meter) for key in (items if keys is None else keys)]
    return [items[index] for index in sorted(range(len(items)), key=ranks.__getitem__)]


def grouped_by(items: list[JsonValue], keys: list[JsonValue], variables: Variables) -> list[list[JsonValue]]:
    """Groups of elements with equal keys, in the order of the keys."""
    meter = metered(variables)
    charge(meter, len(items) * 2)
    ranks = [order_key(key, meter) for key in keys]
    groups: list[list[JsonValue]] = []
    last: object = None
    for index in sorted(range(len(items)), key=ranks.__getitem__):
        if groups and ranks[index] == last:
            groups[-1].append(items[index])
        else:
            groups.append([items[index]])
            last = ranks[index]
    return groups


def _unique(value: JsonValue, variables: Variables) -> JsonValue:
    items = _array(value, variables)
    return [group[0] for group in grouped_by(items, items, variables)]


def extreme_by(
    items: list[JsonValue], keys: list[JsonValue], variables: Variables, is_max: bool
) -> JsonValue:
    """Least element by its key (the first of several), or the greatest (the last)."""
    if not items:
        return None
    meter = metered(variables)
    ranks = [order_key(key, meter) for key in keys]
    order = sorted(range(len(items)), key=ranks.__getitem__)
    return items[order[-1] if is_max else order[0]]


def _min(value: JsonValue, variables: Variables) -> JsonValue:
    items = _array(value, variables)
    return extreme_by(items, items, variables, is_max=False)


def _max(value: JsonValue, variables: Variables) -> JsonValue:
    items = _array(value, variables)
    return extreme_by(items, items, variables, is_max=True)


def _reverse(value: JsonValue, variables: Variables) -> JsonValue:
    return _array(value, variables)[::-1]


def _flatten(value: JsonValue, variables: Variables) -> JsonValue:
    flat: list[JsonValue] = []
    stack = [iter(_array(value, variables))]
    while stack:
        item = next(stack[-1], stack)
        if item is stack:
            stack.pop()
        elif type(item) is list:
            charge(variables, 1 + len(item))
            stack.append(iter(item))
        else:
            flat.append(item)
    return flat


def _to_entries(value: JsonValue, variables: Variables) -> JsonValue:
    if type(value) is not dict:
        leave_to_worker("the function needs an object")
    charge(variables, 1 + len(value))
    return [{"key": key, "value": item} for key, item in value.items()]


def from_entries(value: JsonValue, variables: Variables) -> JsonValue:
    """`from_entries` for entries with a string `key` and a `value`; other spellings are the worker's."""
    made: dict[str, JsonValue] = {}
    for entry in _array(value, variables):
        if type(entry) is not dict or type(entry.get("key")) is not str or "value" not in entry:
            leave_to_worker("an entry in another form")
        made[entry["key"]] = entry["value"]
    return made


def _trim(value: JsonValue, variables: Variables) -> JsonValue:
    return _string(value, variables).strip(_BLANKS)


def _rounding(how: Callable[[float], int]) -> Native:
    def rounded(value: JsonValue, variables: Variables) -> JsonValue:
        if type(value) is int:
            return exact(value)
        if type(value) is not float:
            leave_to_worker("the function needs a number")
        if abs(value) > MAX_EXACT:
            leave_to_worker("a computed whole number is beyond 2^53")
        whole = how(value)
        return -0.0 if whole == 0 and (value < 0 or math.copysign(1.0, value) < 0) else whole

    return rounded


def _away_from_zero(value: float) -> int:
    return int(math.copysign(math.floor(abs(value) + 0.5), value)) if abs(value) % 1 else int(value)


def _ascii_case(change: Callable[[str], str]) -> Native:
    table = {code: change(chr(code)) for code in range(128)}

    def cased(value: JsonValue, variables: Variables) -> JsonValue:
        text = _string(value, variables)
        charge(variables, len(text) >> 4)
        return text.translate(table)

    return cased


def _absolute(value: JsonValue, variables: Variables) -> JsonValue:
    if type(value) is int:
        return -exact(value) if value < 0 else value
    if type(value) is float:
        return number(-value) if value < 0 else value
    return leave_to_worker("the function needs a number")


def _first(value: JsonValue, variables: Variables) -> JsonValue:
    return member(value, 0)


def _last(value: JsonValue, variables: Variables) -> JsonValue:
    return member(value, -1)


def _utf8_length(value: JsonValue, variables: Variables) -> JsonValue:
    text = _string(value, variables)
    charge(variables, len(text) >> 5)
    return len(text.encode())


UNARY: dict[str, Native] = {
    "not": lambda value, variables: value is None or value is False,
    "length": _length,
    "utf8bytelength": _utf8_length,
    "keys": _keys,
    "keys_unsorted": _keys_unsorted,
    "type": lambda value, variables: kind_of(value),
    "tostring": to_text,
    "tojson": lambda value, variables: to_json(value, metered(variables)),
    "tonumber": lambda value, variables: to_number(value),
    "ascii_downcase": _ascii_case(str.lower),
    "ascii_upcase": _ascii_case(str.upper),
    "trim": _trim,
    "ltrim": lambda value, variables: _string(value, variables).lstrip(_BLANKS),
    "rtrim": lambda value, variables: _string(value, variables).rstrip(_BLANKS),
    "add": _add,
    "any": _any,
    "all": _all,
    "min": _min,
    "max": _max,
    "sort": _sort,
    "unique": _unique,
    "reverse": _reverse,
    "flatten": _flatten,
    "first": _first,
    "last": _last,
    "to_entries": _to_entries,
    "from_entries": from_entries,
    "abs": _absolute,
    "floor": _rounding(math.floor),
    "ceil": _rounding(math.ceil),
    "round": _rounding(_away_from_zero),
}
"""Functions without arguments that give one value."""


def _has(value: JsonValue, key: JsonValue, variables: Variables) -> JsonValue:
    if type(value) is dict and type(key) is str:
        return key in value
    if type(value) is list and type(key) is int:
        return 0 <= key < len(value)
    return leave_to_worker("a key of another type")


def _starts_with(value: JsonValue, prefix: JsonValue, variables: Variables) -> JsonValue:
    if type(value) is str and type(prefix) is str:
        return value.startswith(prefix)
    raise JqError("startswith() requires string inputs")


def _ends_with(value: JsonValue, suffix: JsonValue, variables: Variables) -> JsonValue:
    if type(value) is str and type(suffix) is str:
        return value.endswith(suffix)
    raise JqError("endswith() requires string inputs")


def _without_prefix(value: JsonValue, prefix: JsonValue, variables: Variables) -> JsonValue:
    return _string(value, variables).removeprefix(_string(prefix, variables))


def _without_suffix(value: JsonValue, suffix: JsonValue, variables: Variables) -> JsonValue:
    return _string(value, variables).removesuffix(_string(suffix, variables))


def _split(value: JsonValue, separator: JsonValue, variables: Variables) -> JsonValue:
    return split(_string(value, variables), _string(separator, variables), variables)


def _join(value: JsonValue, separator: JsonValue, variables: Variables) -> JsonValue:
    return joined(_array(value, variables), separator, variables)


def _contains(value: JsonValue, part: JsonValue, variables: Variables) -> JsonValue:
    return contains(value, part, variables)


def _inside(value: JsonValue, whole: JsonValue, variables: Variables) -> JsonValue:
    return contains(whole, value, variables)


BINARY: dict[str, Binary] = {
    "has": _has,
    "startswith": _starts_with,
    "endswith": _ends_with,
    "ltrimstr": _without_prefix,
    "rtrimstr": _without_suffix,
    "split": _split,
    "join": _join,
    "contains": _contains,
    "inside": _inside,
}
"""Functions of the input and one argument that give one value."""


def _min_by(items: list[JsonValue], keys: list[JsonValue], variables: Variables) -> JsonValue:
    return extreme_by(items, keys, variables, is_max=False)


def _max_by(items: list[JsonValue], keys: list[JsonValue], variables: Variables) -> JsonValue:
    return extreme_by(items, keys, variables, is_max=True)


def _unique_by(items: list[JsonValue], keys: list[JsonValue], variables: Variables) -> JsonValue:
    return [group[0] for group in grouped_by(items, keys, variables)]


BY_KEY: dict[str, Callable[[list[JsonValue], list[JsonValue], Variables], JsonValue]] = {
    "sort_by": sorted_by,
    "group_by": grouped_by,
    "unique_by": _unique_by,
    "min_by": _min_by,
    "max_by": _max_by,
}
"""Functions of an array and the key of each element."""

SELECTORS: dict[str, frozenset[type]] = {
    "nulls": frozenset({type(None)}),
    "booleans": frozenset({bool}),
    "numbers": frozenset({int, float}),
    "strings": frozenset({str}),
    "arrays": frozenset({list}),
    "objects": frozenset({dict}),
    "iterables": frozenset({list, dict}),
    "scalars": frozenset({type(None), bool, int, float, str}),
    "values": frozenset({bool, int, float, str, list, dict}),
}
"""Functions that let values of some types pass."""


def is_any_equal(items: Sequence[JsonValue], value: JsonValue, variables: Variables) -> bool:
    """Whether a value is among others."""
    charge(variables, 1 + len(items))
    return any(is_equal(item, value, variables) for item in items)
