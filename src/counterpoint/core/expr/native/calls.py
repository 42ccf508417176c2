"""Calls of functions whose arguments are expressions: `map`, `select`, `any`, `sort_by` and the like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from counterpoint.core.expr.native.budget import JqError, charge, leave_to_worker
from counterpoint.core.expr.native.code import Code, Foreign, piped, product, single
from counterpoint.core.expr.native.functions import (
    BINARY,
    BY_KEY,
    SELECTORS,
    UNARY,
    from_entries,
    is_any_equal,
    is_true,
    total,
)
from counterpoint.core.expr.native.logic import filtered
from counterpoint.core.expr.native.operators import kind_of
from counterpoint.core.expr.native.paths import elements
from counterpoint.core.expr.native.text import is_plain_pattern
from counterpoint.core.expr.native.updates import build_delete
from counterpoint.core.expr.program import Variables
from counterpoint.core.expr.syntax import Call, Literal, constant_text
from counterpoint.core.values import JsonValue

if TYPE_CHECKING:
    from counterpoint.core.expr.native.build import Builder

_CHEAP = frozenset("not type has startswith endswith length ltrimstr rtrimstr first last".split())
"""Functions whose cost does not grow with the input, so that they need no budget."""


def simple_call(builder: Builder, node: Call) -> Code:
    """Code of a function over single values.

    Raises:
        Foreign: The native subset does not have it.
    """
    if node.name not in _CHEAP:
        builder.is_metered = True
    if not node.arguments and node.name in UNARY:
        return single(UNARY[node.name])
    if not node.arguments and node.name in SELECTORS:
        return _filter(builder, node)
    if len(node.arguments) == 1 and node.name in BINARY:
        run = BINARY[node.name]
        return product(single(lambda value, _variables: value), builder.build(node.arguments[0]), run)
    raise Foreign(node.name)


def _filter(builder: Builder, node: Call) -> Code:
    test = filtered(builder, node)
    if test is None:
        return _select_many(builder, node)
    passes = test
    return Code(lambda value, variables: (value,) if passes(value, variables) else ())


def _select_many(builder: Builder, node: Call) -> Code:
    condition = builder.build(node.arguments[0]).many

    def each(value: JsonValue, variables: Variables) -> Iterator[JsonValue]:
        for item in condition(value, variables):
            if is_true(item):
                yield value

    return Code(each)


def _empty(builder: Builder, node: Call) -> Code:
    return Code(lambda _value, _variables: ())


def _map(builder: Builder, node: Call) -> Code:
    each, body = builder.each(), builder.build(node.arguments[0])
    if body.one is None:
        test = filtered(builder, node.arguments[0])
        if test is not None:
            passes = test
            return single(lambda v, e: [item for item in each.many(v, e) if passes(item, e)])
        many = piped(each, body).many
        return single(lambda value, variables: list(many(value, variables)))
    change, weight = body.one, builder.weight

    def run(value: JsonValue, variables: Variables) -> JsonValue:
        items = elements(value)
        charge(variables, 1 + weight * len(value))
        return [change(item, variables) for item in items]

    return single(run)


def _map_values(builder: Builder, node: Call) -> Code:
    builder.is_metered = True
    change, weight = builder.one(node.arguments[0]), builder.weight

    def run(value: JsonValue, variables: Variables) -> JsonValue:
        if type(value) not in (list, dict):
            raise JqError(f"cannot iterate over {kind_of(value)}")
        charge(variables, 1 + weight * len(value))
        if type(value) is list:
            return [change(item, variables) for item in value]
        return {key: change(item, variables) for key, item in value.items()}

    return single(run)


def _with_entries(builder: Builder, node: Call) -> Code:
    change = _map(builder, node).one
    assert change is not None
    run, to_entries = change, UNARY["to_entries"]
    return single(lambda v, e: from_entries(run(to_entries(v, e), e), e))


def _add_of(builder: Builder, node: Call) -> Code:
    builder.is_metered = True
    many = builder.build(node.arguments[0]).many
    return single(lambda value, variables: total(list(many(value, variables)), variables))


def _any_of(builder: Builder, node: Call) -> Code:
    return _exists(builder, node, wanted=True)


def _all_of(builder: Builder, node: Call) -> Code:
    return _exists(builder, node, wanted=False)


def _exists(builder: Builder, node: Call, wanted: bool) -> Code:
    """`any` (is there a true one?) and `all` (is there no false one?)."""
    source = builder.each() if len(node.arguments) == 1 else builder.build(node.arguments[0])
    builder.is_metered = True
    tests = piped(source, builder.build(node.arguments[-1])).many

    def run(value: JsonValue, variables: Variables) -> JsonValue:
        for item in tests(value, variables):
            if is_true(item) is wanted:
                return wanted
        return not wanted

    return single(run)


def _is_empty(builder: Builder, node: Call) -> Code:
    many = builder.build(node.arguments[0]).many

    def run(value: JsonValue, variables: Variables) -> JsonValue:
        for _ in many(value, variables):
            return False
        return True

    return single(run)


def _is_in(builder: Builder, node: Call) -> Code:
    builder.is_metered = True
    many = builder.build(node.arguments[0]).many
    return single(lambda v, e: is_any_equal(list(many(v, e)), v, e))


def _first_of(builder: Builder, node: Call) -> Code:
    code = builder.build(node.arguments[0])
    if code.one is not None:
        return code
    return Code(lambda value, variables: islice(code.many(value, variables), 1))


def _last_of(builder: Builder, node: Call) -> Code:
    code = builder.build(node.arguments[0])
    if code.one is not None:
        return code

    def run(value: JsonValue, variables: Variables) -> Iterator[JsonValue]:
        found: list[JsonValue] = []
        for item in code.many(value, variables):
            found = [item]
        yield from found

    return Code(run)


def _limit(builder: Builder, node: Call) -> Code:
    count = node.arguments[0]
    if not isinstance(count, Literal) or type(count.value) is not int or not 0 < count.value < 2**31:
        raise Foreign("a limit that is computed")
    most = count.value
    many = builder.build(node.arguments[1]).many
    return Code(lambda value, variables: islice(many(value, variables), most))


def _range(builder: Builder, node: Call) -> Code:
    builder.is_metered = True
    weight = builder.weight
    ends = [builder.one(argument) for argument in node.arguments]

    def each(value: JsonValue, variables: Variables) -> Iterator[JsonValue]:
        bounds = [end(value, variables) for end in ends]
        if not all(type(bound) is int and abs(bound) < 2**31 for bound in bounds):
            leave_to_worker("a range over other than small whole numbers")
        for item in range(*bounds):
            charge(variables, weight)
            yield item

    return Code(each)


def _by_key(builder: Builder, node: Call) -> Code:
    builder.is_metered = True
    gather, key, weight = BY_KEY[node.name], builder.one(node.arguments[0]), builder.weight

    def run(value: JsonValue, variables: Variables) -> JsonValue:
        if type(value) is not list:
            leave_to_worker("the function needs an array")
        charge(variables, 1 + weight * len(value))
        return gather(value, [key(item, variables) for item in value], variables)

    return single(run)


def _test(builder: Builder, node: Call) -> Code:
    pattern = constant_text(node.arguments[0])
    if pattern is None or not is_plain_pattern(pattern):
        raise Foreign("a regular expression")
    builder.is_metered = True

    def test(value: JsonValue, variables: Variables) -> JsonValue:
        if type(value) is not str:
            raise JqError(f"{kind_of(value)} cannot be matched, as it is not a string")
        charge(variables, 1 + (len(value) >> 4))
        return pattern in value

    return single(test)


def _error(builder: Builder, node: Call) -> Code:
    message = builder.one(node.arguments[0]) if node.arguments else None

    def fail(value: JsonValue, variables: Variables) -> JsonValue:
        detail = value if message is None else message(value, variables)
        if type(detail) is not str:
            leave_to_worker("an error that is no string")
        raise JqError(detail[:200])

    return single(fail)


def _delete(builder: Builder, node: Call) -> Code:
    return build_delete(builder, node.arguments[0])


def _in(builder: Builder, node: Call) -> Code:
    has, whole = BINARY["has"], builder.one(node.arguments[0])
    return single(lambda value, variables: has(whole(value, variables), value, variables))


CALLS: dict[tuple[str, int], Callable[[Builder, Call], Code]] = {
    ("empty", 0): _empty,
    ("error", 0): _error,
    ("error", 1): _error,
    ("select", 1): _filter,
    ("map", 1): _map,
    ("map_values", 1): _map_values,
    ("with_entries", 1): _with_entries,
    ("add", 1): _add_of,
    ("any", 1): _any_of,
    ("any", 2): _any_of,
    ("all", 1): _all_of,
    ("all", 2): _all_of,
    ("isempty", 1): _is_empty,
    ("IN", 1): _is_in,
    ("in", 1): _in,
    ("first", 1): _first_of,
    ("last", 1): _last_of,
    ("limit", 2): _limit,
    ("range", 1): _range,
    ("range", 2): _range,
    ("test", 1): _test,
    ("del", 1): _delete,
    **{(name, 1): _by_key for name in BY_KEY},
}
"""Functions with a builder of their own, by name and number of arguments."""
