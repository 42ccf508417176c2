"""Entry to the native subset: a tree in, one closure out, or None when only libjq can run it.

Two things are settled here. A program gives exactly one value: none is null, several are an error (decision
A12). And a result is never much larger than what it was made from: `[.,.]|[.,.]|...` costs nothing to
build, since the parts are shared, but has 2^n leaves for whoever writes it out. Programs that can grow so
have their result counted.
"""

from __future__ import annotations

from counterpoint.core.expr.native.budget import BUDGET, MAX_NATIVE_DEPTH, METERED, leave_to_worker, metered
from counterpoint.core.expr.native.build import Builder
from counterpoint.core.expr.native.code import Code, Foreign, Many
from counterpoint.core.expr.program import ExpressionFailed, Native, NativeLimit, Variables
from counterpoint.core.expr.syntax import (
    Bind,
    Foreach,
    If,
    Literal,
    Node,
    Pipe,
    Reduce,
    children,
    constant_text,
    size_of,
)
from counterpoint.core.values import JsonValue

MAX_GROWTH = 200
"""How often a result may hold the input without being counted."""

MAX_UNMETERED_SIZE = 40
"""Constructs of a program that may go without a meter when nothing in it iterates."""

MAX_RESULT_NODES = 50_000
"""Values in a result that is counted."""

MAX_RESULT_CHARACTERS = 1_000_000
"""Characters in a result that is counted."""

_NONE = object()


def compile_native(tree: Node) -> Native | None:
    """Closure that evaluates a program, or None when a construct is outside the native subset.

    The closure raises `ExpressionFailed` for errors of jq and for arithmetic that would not be exact, and
    `NativeLimit` when it meets more work than it may do.
    """
    size = size_of(tree)
    builder = Builder(size)
    try:
        code = builder.build(tree)
    except Foreign:
        return None
    is_metered = builder.is_metered or size > MAX_UNMETERED_SIZE
    return _entry(code, is_metered, growth_of(tree) > MAX_GROWTH)


def _entry(code: Code, is_metered: bool, is_counted: bool) -> Native:
    run = code.one if code.one is not None else _exactly_one(code.many)
    if not is_metered and not is_counted:
        return run

    def bounded(value: JsonValue, variables: Variables) -> JsonValue:
        try:
            result = run(value, metered(variables, BUDGET))
        except RecursionError:
            raise NativeLimit("the program needs more stack than is left") from None
        if is_counted:
            check_size(result)
        return result

    # A template with several such programs lets them share one budget, or a thousand would take a thousand.
    bounded.__dict__[METERED] = True
    return bounded


def _exactly_one(many: Many) -> Native:
    def run(value: JsonValue, variables: Variables) -> JsonValue:
        results = iter(many(value, variables))
        first = next(results, _NONE)
        if first is _NONE:
            return None
        if next(results, _NONE) is not _NONE:
            raise ExpressionFailed("the expression gives several results where one is expected")
        return first

    return run


def growth_of(node: Node) -> int:
    """Bound on how often a result can hold its input, clipped at ten times the limit."""
    cap = MAX_GROWTH * 10
    if isinstance(node, Literal) or constant_text(node) is not None:
        return 0
    if isinstance(node, Reduce | Foreach):
        return cap
    parts = [growth_of(child) for child in children(node)]
    if isinstance(node, Pipe | Bind):
        product = 1
        for part in parts:
            product = min(product * max(1, part), cap)
        return product
    if isinstance(node, If):
        return max(1, *parts)
    return max(1, min(sum(parts), cap))


def check_size(value: JsonValue) -> None:
    """Leave a result to the worker that would be too large or too deep to write out.

    Raises:
        NativeLimit: It has too many values or characters, or is too deep.
    """
    nodes = characters = 0
    level: list[JsonValue] = [value]
    for _ in range(MAX_NATIVE_DEPTH):
        nodes += len(level)
        below: list[JsonValue] = []
        for item in level:
            if type(item) is str:
                characters += len(item)
            elif type(item) is list:
                below.extend(item)
            elif type(item) is dict:
                below.extend(item.values())
            if nodes + len(below) > MAX_RESULT_NODES or characters > MAX_RESULT_CHARACTERS:
                leave_to_worker("the result is too large")
        if not below:
            return
        level = below
    leave_to_worker("the result is too deep")
