"""Conditions: comparison with constants, `and`, `or`, `//`, `if`, `try`, and the filter `select`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from counterpoint.core.expr.native.budget import JqError
from counterpoint.core.expr.native.code import Code, Foreign, single
from counterpoint.core.expr.native.functions import SELECTORS, is_true
from counterpoint.core.expr.native.operators import OPERATIONS, add, subtract
from counterpoint.core.expr.program import Native, Variables
from counterpoint.core.expr.syntax import Call, If, Literal, Node, Text, Try, constant_text
from counterpoint.core.values import JsonValue

if TYPE_CHECKING:
    from counterpoint.core.expr.native.build import Builder

_SMALL = 2**51
"""The sum of two whole numbers within it is exact."""


def with_constant(operator: str, read: Native, constant: Literal | Text) -> Native | None:
    """Closure for an operator whose right side is a constant; None when there is no shorter way."""
    if isinstance(constant, Text):
        text = constant_text(constant)
        return None if text is None else _with_text(operator, read, text)
    value = constant.value
    if value is None or type(value) is bool:
        return _with_singleton(operator, read, value)
    return _with_number(operator, read, value)


def _with_text(operator: str, read: Native, text: str) -> Native | None:
    # No other JSON type equals a string in Python, so that the plain comparison is jq's.
    if operator == "==":
        return lambda value, variables: read(value, variables) == text
    if operator == "!=":
        return lambda value, variables: read(value, variables) != text
    return _plain(operator, read, text)


def _with_singleton(operator: str, read: Native, constant: bool | None) -> Native | None:
    if operator == "==":
        return lambda value, variables: read(value, variables) is constant
    if operator == "!=":
        return lambda value, variables: read(value, variables) is not constant
    return _plain(operator, read, constant)


def _with_number(operator: str, read: Native, constant: float) -> Native | None:
    if type(constant) is not int or abs(constant) > _SMALL:
        return _plain(operator, read, constant)
    quick = _INTEGER_OPERATIONS.get(operator)
    return _plain(operator, read, constant) if quick is None else quick(read, constant)


def _plain(operator: str, read: Native, constant: JsonValue) -> Native:
    combine = OPERATIONS[operator]
    return lambda value, variables: combine(read(value, variables), constant, variables)


def _integer_test(operator: str, direct: Callable[[int, int], bool]) -> Callable[[Native, int], Native]:
    slow = OPERATIONS[operator]

    def bound(read: Native, constant: int) -> Native:
        def test(value: JsonValue, variables: Variables) -> JsonValue:
            item = read(value, variables)
            if type(item) is int:
                return direct(item, constant)
            return slow(item, constant, variables)

        return test

    return bound


def _sum_with(read: Native, constant: int) -> Native:
    def plus(value: JsonValue, variables: Variables) -> JsonValue:
        item = read(value, variables)
        if type(item) is int and -_SMALL <= item <= _SMALL:
            return item + constant
        return add(item, constant, variables)

    return plus


def _difference_with(read: Native, constant: int) -> Native:
    def minus(value: JsonValue, variables: Variables) -> JsonValue:
        item = read(value, variables)
        if type(item) is int and -_SMALL <= item <= _SMALL:
            return item - constant
        return subtract(item, constant, variables)

    return minus


_INTEGER_OPERATIONS: dict[str, Callable[[Native, int], Native]] = {
    "+": _sum_with,
    "-": _difference_with,
    "==": _integer_test("==", int.__eq__),
    "!=": _integer_test("!=", int.__ne__),
    "<": _integer_test("<", int.__lt__),
    "<=": _integer_test("<=", int.__le__),
    ">": _integer_test(">", int.__gt__),
    ">=": _integer_test(">=", int.__ge__),
}


def _and(left: Code, right: Code) -> Code:
    if left.one is not None and right.one is not None:
        first, second = left.one, right.one

        def both(value: JsonValue, variables: Variables) -> JsonValue:
            item = first(value, variables)
            if item is None or item is False:
                return False
            item = second(value, variables)
            return item is not None and item is not False

        return single(both)

    def each(value: JsonValue, variables: Variables) -> Iterator[JsonValue]:
        for item in left.many(value, variables):
            if is_true(item):
                yield from (is_true(other) for other in right.many(value, variables))
            else:
                yield False

    return Code(each)


def _or(left: Code, right: Code) -> Code:
    if left.one is not None and right.one is not None:
        first, second = left.one, right.one

        def either(value: JsonValue, variables: Variables) -> JsonValue:
            item = first(value, variables)
            if item is not None and item is not False:
                return True
            item = second(value, variables)
            return item is not None and item is not False

        return single(either)

    def each(value: JsonValue, variables: Variables) -> Iterator[JsonValue]:
        for item in left.many(value, variables):
            if is_true(item):
                yield True
            else:
                yield from (is_true(other) for other in right.many(value, variables))

    return Code(each)


def _alternative(left: Code, right: Code) -> Code:
    if left.one is not None and right.one is not None:
        first, second = left.one, right.one

        def preferred(value: JsonValue, variables: Variables) -> JsonValue:
            item = first(value, variables)
            return second(value, variables) if item is None or item is False else item

        return single(preferred)

    def each(value: JsonValue, variables: Variables) -> Iterator[JsonValue]:
        has_found = False
        for item in left.many(value, variables):
            if is_true(item):
                has_found = True
                yield item
        if not has_found:
            yield from right.many(value, variables)

    return Code(each)


LOGIC: dict[str, Callable[[Code, Code], Code]] = {"and": _and, "or": _or, "//": _alternative}
"""Operators that look at their left side first."""


def build_if(builder: Builder, node: If) -> Code:
    """Code of `if`."""
    condition, yes = builder.build(node.condition), builder.build(node.yes)
    no = single(lambda value, _variables: value) if node.no is None else builder.build(node.no)
    if condition.one is not None and yes.one is not None and no.one is not None:
        test, then, otherwise = condition.one, yes.one, no.one

        def choose(value: JsonValue, variables: Variables) -> JsonValue:
            item = test(value, variables)
            if item is None or item is False:
                return otherwise(value, variables)
            return then(value, variables)

        return single(choose)

    def each(value: JsonValue, variables: Variables) -> Iterator[JsonValue]:
        for item in condition.many(value, variables):
            yield from (yes if is_true(item) else no).many(value, variables)

    return Code(each)


def build_try(builder: Builder, node: Try) -> Code:
    """Code of `try` and `?`; a handler must be a constant, since messages of errors are libjq's own."""
    body = builder.build(node.body)
    if node.handler is None:
        handler: list[JsonValue] = []
    elif isinstance(node.handler, Literal):
        handler = [node.handler.value]
    elif constant_text(node.handler) is not None:
        handler = [constant_text(node.handler)]
    else:
        raise Foreign("a handler that sees the error")
    if body.one is not None and handler:
        run, fallback = body.one, handler[0]

        def attempt(value: JsonValue, variables: Variables) -> JsonValue:
            try:
                return run(value, variables)
            except JqError:
                return fallback

        return single(attempt)

    def each(value: JsonValue, variables: Variables) -> Iterator[JsonValue]:
        try:
            yield from body.many(value, variables)
        except JqError:
            yield from handler

    return Code(each)


def filtered(builder: Builder, node: Node) -> Callable[[JsonValue, Variables], bool] | None:
    """Test of a construct that only lets values pass, such as `select(.a)` or `strings`; else None."""
    if not isinstance(node, Call):
        return None
    if not node.arguments and node.name in SELECTORS:
        kinds = SELECTORS[node.name]
        return lambda value, _variables: type(value) in kinds
    if node.name != "select" or len(node.arguments) != 1:
        return None
    code = builder.build(node.arguments[0])
    if code.one is None:
        return None
    condition = code.one
    return lambda value, variables: is_true(condition(value, variables))
