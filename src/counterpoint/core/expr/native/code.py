"""What the builder makes of a construct: a closure for exactly one value, or one for any number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from counterpoint.core.expr.native.budget import charge
from counterpoint.core.expr.program import Native, Variables
from counterpoint.core.values import JsonValue

Many: TypeAlias = Callable[[JsonValue, Variables], Iterable[JsonValue]]


class Foreign(Exception):
    """The construct is outside the native subset."""


class Code(NamedTuple):
    """Closures of a construct; `one` is None when it may give none or several values.

    Attributes:
        many: Gives the values one after the other, always present.
        one: Gives the single value.
    """

    many: Many
    one: Native | None = None


def single(one: Native) -> Code:
    """Code of a construct that gives exactly one value."""
    return Code(lambda value, variables: (one(value, variables),), one)


def constant(value: JsonValue) -> Code:
    """Code that gives a value which nobody may change."""
    return single(lambda _value, _variables: value)


def mapped(source: Many, change: Native) -> Many:
    """Each value of a source, changed."""
    return lambda value, variables: (change(item, variables) for item in source(value, variables))


def product(left: Code, right: Code, combine: Callable[[JsonValue, JsonValue, Variables], JsonValue]) -> Code:
    """All pairs of two constructs over one input; the right one varies slowest, as in jq."""
    if left.one is not None and right.one is not None:
        first, second = left.one, right.one
        return single(
            lambda value, variables: combine(first(value, variables), second(value, variables), variables)
        )

    def pairs(value: JsonValue, variables: Variables) -> Iterator[JsonValue]:
        for other in right.many(value, variables):
            for item in left.many(value, variables):
                charge(variables, 1)
                yield combine(item, other, variables)

    return Code(pairs)


def piped(left: Code, right: Code) -> Code:
    """The right construct over each value of the left one."""
    if left.one is not None:
        first = left.one
        if right.one is not None:
            second = right.one
            return single(lambda value, variables: second(first(value, variables), variables))
        return Code(lambda value, variables: right.many(first(value, variables), variables))
    if right.one is not None:
        return Code(mapped(left.many, right.one))

    def nested(value: JsonValue, variables: Variables) -> Iterator[JsonValue]:
        for item in left.many(value, variables):
            yield from right.many(item, variables)

    return Code(nested)
