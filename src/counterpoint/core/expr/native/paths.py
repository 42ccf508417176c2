"""Reaching into values: fields, indices, slices, iteration, and assignment along a path of fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from counterpoint.core.expr.native.budget import JqError, charge, leave_to_worker
from counterpoint.core.expr.native.operators import kind_of
from counterpoint.core.expr.program import ExpressionFailed, Native, Variables
from counterpoint.core.values import JsonValue

Change: TypeAlias = Callable[[JsonValue], JsonValue]

_MAX_INDEX = 2**31


def member(value: JsonValue, key: JsonValue) -> JsonValue:
    """`value[key]`: a member, an element, or null when there is none."""
    kind, key_kind = type(value), type(key)
    if key_kind is str:
        if kind is dict:
            return value.get(key)
        if value is None:
            return None
        raise JqError(f'cannot index {kind_of(value)} with "{key[:40]}"')
    if key_kind is int or key_kind is float:
        if kind is list:
            return _element(value, key)
        if value is None:
            return None
    elif key_kind in (dict, list):
        leave_to_worker("an index that is no string or number")
    raise JqError(f"cannot index {kind_of(value)} with {kind_of(key)}")


def _element(items: list[JsonValue], index: float) -> JsonValue:
    position = index if type(index) is int else _whole(index)
    if position < 0:
        position += len(items)
    return items[position] if 0 <= position < len(items) else None


def _whole(index: float) -> int:
    if not index.is_integer() or abs(index) >= _MAX_INDEX:
        leave_to_worker("an index that is no whole number")
    return int(index)


def slice_of(value: JsonValue, low: JsonValue, high: JsonValue, variables: Variables) -> JsonValue:
    """`value[low:high]` of an array, a string or null."""
    if type(value) not in (list, str):
        if value is None and all(type(end) in (int, type(None)) for end in (low, high)):
            return None
        if value is None:
            leave_to_worker("a slice with unusual ends")
        raise JqError(f"cannot index {kind_of(value)} with object")
    if not all(type(end) in (int, type(None)) and abs(end or 0) < _MAX_INDEX for end in (low, high)):
        leave_to_worker("a slice with unusual ends")
    charge(variables, len(value) >> 5)
    return value[low:high]


def elements(value: JsonValue) -> Iterable[JsonValue]:
    """`value[]`: elements of an array, values of an object."""
    kind = type(value)
    if kind is list:
        return value  # type: ignore[no-any-return]
    if kind is dict:
        return value.values()  # type: ignore[no-any-return]
    raise JqError(f"cannot iterate over {kind_of(value)}")


def variable(name: str) -> Native:
    """Closure that reads a variable."""

    def read(value: JsonValue, variables: Variables) -> JsonValue:
        try:
            return variables[name]
        except KeyError:
            raise ExpressionFailed(f"${name} has no value here") from None

    return read


def field_chain(keys: tuple[str, ...]) -> Native:
    """Closure for `.a.b.c`; short chains avoid the loop, since they are most of all expressions."""
    if len(keys) == 1:
        return _one_field(keys[0])
    if len(keys) == 2:
        return _two_fields(keys[0], keys[1])

    def chain(value: JsonValue, variables: Variables) -> JsonValue:
        for key in keys:
            if type(value) is dict:
                value = value.get(key)
            elif value is not None:
                return member(value, key)
        return value

    return chain


def _one_field(key: str) -> Native:
    def field(value: JsonValue, variables: Variables) -> JsonValue:
        if type(value) is dict:
            return value.get(key)
        return member(value, key)

    return field


def _two_fields(first: str, second: str) -> Native:
    def fields(value: JsonValue, variables: Variables) -> JsonValue:
        if type(value) is dict:
            value = value.get(first)
            if type(value) is dict:
                return value.get(second)
        else:
            value = member(value, first)
        return member(value, second)

    return fields


def variable_chain(name: str, keys: tuple[str, ...]) -> Native:
    """Closure for `$name.a.b`."""
    read, below = variable(name), field_chain(keys)

    def chain(value: JsonValue, variables: Variables) -> JsonValue:
        return below(variables[name] if name in variables else read(value, variables), variables)

    return chain


def changed_at(value: JsonValue, keys: tuple[str, ...], change: Change) -> JsonValue:
    """Copy of a value in which the member at a path is changed; missing objects on the way are made."""
    if value is not None and type(value) is not dict:
        raise JqError(f'cannot index {kind_of(value)} with "{keys[0][:40]}"')
    before = None if value is None else value.get(keys[0])
    after = change(before) if len(keys) == 1 else changed_at(before, keys[1:], change)
    return {keys[0]: after} if value is None else {**value, keys[0]: after}


def without(value: JsonValue, keys: tuple[str, ...]) -> JsonValue:
    """Copy of a value without the member at a path."""
    if value is None:
        return None
    if type(value) is not dict:
        raise JqError(f"cannot delete a field of {kind_of(value)}")
    key = keys[0]
    if key not in value:
        return value
    if len(keys) > 1:
        below = value[key]
        return value if below is None else {**value, key: without(below, keys[1:])}
    return {name: item for name, item in value.items() if name != key}
