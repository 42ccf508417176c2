"""Turns a syntax tree into closures, or says that it is outside the native subset.

Each construct becomes a `Code`. What gives exactly one value stays a plain closure and is put together
without loops or generators; that is most of what people write, and it costs 0.1 to 1 microsecond.
Constructs that iterate set `is_metered`, and then the whole program runs with a budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from counterpoint.core.expr.native.budget import JqError, Meter, charge
from counterpoint.core.expr.native.calls import CALLS, simple_call
from counterpoint.core.expr.native.code import Code, Foreign, constant, piped, product, single
from counterpoint.core.expr.native.logic import LOGIC, build_if, build_try, filtered, with_constant
from counterpoint.core.expr.native.operators import OPERATIONS, negate
from counterpoint.core.expr.native.paths import (
    elements,
    field_chain,
    member,
    slice_of,
    variable,
    variable_chain,
)
from counterpoint.core.expr.native.shapes import build_array, build_object, build_text
from counterpoint.core.expr.native.text import FORMATS
from counterpoint.core.expr.native.updates import build_update
from counterpoint.core.expr.program import Variables
from counterpoint.core.expr.syntax import (
    Array,
    ArrayPattern,
    Binary,
    Bind,
    Call,
    Comma,
    Format,
    Identity,
    If,
    Index,
    Iterate,
    Literal,
    Negate,
    Node,
    Object,
    ObjectPattern,
    Pattern,
    Pipe,
    Reduce,
    Slice,
    Text,
    Try,
    Update,
    Variable,
    VariablePattern,
    constant_text,
)
from counterpoint.core.values import JsonValue

_AT_ONCE = 64
"""Elements that are charged at once; of longer arrays the first may be all that is read."""


class Builder:
    """Builds the closures of one program.

    Args:
        size: Number of constructs in the program; an iteration is charged by it, since its body may be as
            large.
    """

    def __init__(self, size: int) -> None:
        self.weight = 1 + size // 8
        self.is_metered = False

    def build(self, node: Node) -> Code:
        """Code of a construct.

        Raises:
            Foreign: It is outside the native subset.
        """
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise Foreign(type(node).__name__)
        return handler(self, node)

    def one(self, node: Node) -> Callable[[JsonValue, Variables], JsonValue]:
        """Closure of a construct that gives exactly one value."""
        code = self.build(node)
        if code.one is None:
            raise Foreign("several values where one is needed")
        return code.one

    def each(self, is_optional: bool = False) -> Code:
        """Code of `.[]`, which is charged for every element."""
        self.is_metered = True
        weight = self.weight

        def run(value: JsonValue, variables: Variables) -> Iterable[JsonValue]:
            if is_optional and type(value) not in (list, dict):
                return ()
            items = elements(value)
            if len(value) <= _AT_ONCE:
                charge(variables, weight * len(value))
                return items
            return _charged_one_by_one(items, variables, weight)

        return Code(run)


def _charged_one_by_one(items: Iterable[JsonValue], variables: Variables, weight: int) -> Iterator[JsonValue]:
    for item in items:
        charge(variables, weight)
        yield item


def _identity(builder: Builder, node: Identity) -> Code:
    return single(lambda value, _variables: value)


def _literal(builder: Builder, node: Literal) -> Code:
    value = node.value
    if type(value) is float and not value.is_integer() and repr(value) != node.text:
        raise Foreign("a number whose spelling libjq keeps")
    return constant(value)


def _variable(builder: Builder, node: Variable) -> Code:
    return single(variable(node.name))


def _format(builder: Builder, node: Format) -> Code:
    write = FORMATS.get(node.name)
    if write is None:
        raise Foreign(node.name)
    return single(write)


def _index(builder: Builder, node: Index) -> Code:
    keys: list[str] = []
    base: Node = node
    while isinstance(base, Index) and not base.is_optional and (key := constant_text(base.key)) is not None:
        keys.append(key)
        base = base.term
    if keys:
        chain = tuple(reversed(keys))
        if isinstance(base, Identity):
            return single(field_chain(chain))
        if isinstance(base, Variable):
            return single(variable_chain(base.name, chain))
        return piped(builder.build(base), single(field_chain(chain)))
    term, key_code = builder.build(node.term), builder.build(node.key)
    if node.is_optional:
        return _optional_index(term, key_code)
    return product(term, key_code, lambda value, key, _variables: member(value, key))


def _optional_index(term: Code, key_code: Code) -> Code:
    def found(value: JsonValue, variables: Variables) -> Iterator[JsonValue]:
        for key in key_code.many(value, variables):
            for item in term.many(value, variables):
                try:
                    result = member(item, key)
                except JqError:
                    continue
                yield result

    return Code(found)


def _slice(builder: Builder, node: Slice) -> Code:
    if node.is_optional:
        raise Foreign("an optional slice")
    term = builder.build(node.term)
    low = builder.one(node.low or Literal(None))
    high = builder.one(node.high or Literal(None))
    if term.one is not None:
        read = term.one
        return single(lambda v, e: slice_of(read(v, e), low(v, e), high(v, e), e))
    builder.is_metered = True

    def slices(value: JsonValue, variables: Variables) -> Iterator[JsonValue]:
        ends = low(value, variables), high(value, variables)
        for item in term.many(value, variables):
            yield slice_of(item, *ends, variables)

    return Code(slices)


def _iterate(builder: Builder, node: Iterate) -> Code:
    each = builder.each(node.is_optional)
    return each if isinstance(node.term, Identity) else piped(builder.build(node.term), each)


def _pipe(builder: Builder, node: Pipe) -> Code:
    code = builder.build(node.stages[0])
    for stage in node.stages[1:]:
        test = filtered(builder, stage) if code.one is None else None
        code = piped(code, builder.build(stage)) if test is None else _kept(code, test)
    return code


def _kept(source: Code, test: Callable[[JsonValue, Variables], bool]) -> Code:
    return Code(lambda v, e: (item for item in source.many(v, e) if test(item, e)))


def _comma(builder: Builder, node: Comma) -> Code:
    builder.is_metered = True
    codes = [builder.build(item) for item in node.items]
    weight = builder.weight

    def each(value: JsonValue, variables: Variables) -> Iterator[JsonValue]:
        for code in codes:
            charge(variables, weight)
            yield from code.many(value, variables)

    return Code(each)


def _negate(builder: Builder, node: Negate) -> Code:
    code = builder.build(node.operand)
    if isinstance(node.operand, Literal) and code.one is not None:
        return constant(negate(node.operand.value))
    return piped(code, single(lambda value, _variables: negate(value)))


def _binary(builder: Builder, node: Binary) -> Code:
    left, right = builder.build(node.left), builder.build(node.right)
    if node.operator in LOGIC:
        return LOGIC[node.operator](left, right)
    if isinstance(node.right, Literal | Text) and left.one is not None:
        quick = with_constant(node.operator, left.one, node.right)
        if quick is not None:
            return single(quick)
    if left.one is None or right.one is None:
        builder.is_metered = True
    return product(left, right, OPERATIONS[node.operator])


def _bind(builder: Builder, node: Bind) -> Code:
    builder.is_metered = True
    source, body = builder.build(node.source), builder.build(node.body)
    places = _places(node.patterns)

    def scope(item: JsonValue, variables: Variables) -> Meter:
        charge(variables, 1 + len(variables) // 8)
        inner = variables if type(variables) is Meter else Meter(variables)
        for path, name in places:
            inner = inner.bind(name, _reach(item, path))
        return inner

    if source.one is not None and body.one is not None:
        read, run = source.one, body.one
        return single(lambda value, variables: run(value, scope(read(value, variables), variables)))

    def each(value: JsonValue, variables: Variables) -> Iterator[JsonValue]:
        for item in source.many(value, variables):
            yield from body.many(value, scope(item, variables))

    return Code(each)


def _places(patterns: tuple[Pattern, ...]) -> list[tuple[tuple[str | int, ...], str]]:
    """Path and name of each variable of a pattern whose keys are constants."""
    if len(patterns) != 1:
        raise Foreign("alternative patterns")
    found: list[tuple[tuple[str | int, ...], str]] = []
    _walk_pattern(patterns[0], (), found)
    return found


def _walk_pattern(
    pattern: Pattern, path: tuple[str | int, ...], found: list[tuple[tuple[str | int, ...], str]]
) -> None:
    match pattern:
        case VariablePattern(name=name):
            found.append((path, name))
        case ArrayPattern(items=items):
            for index, item in enumerate(items):
                _walk_pattern(item, (*path, index), found)
        case ObjectPattern(entries=entries):
            for key_node, bound, below in entries:
                key = constant_text(key_node)
                if key is None:
                    raise Foreign("computed key in a pattern")
                if bound is not None:
                    found.append(((*path, key), bound))
                if below is not None:
                    _walk_pattern(below, (*path, key), found)


def _reach(value: JsonValue, path: tuple[str | int, ...]) -> JsonValue:
    for key in path:
        value = member(value, key)
    return value


def _reduce(builder: Builder, node: Reduce) -> Code:
    builder.is_metered = True
    source, start = builder.build(node.source), builder.one(node.start)
    update = builder.one(node.update)
    places = _places(node.patterns)
    weight = builder.weight

    def fold(value: JsonValue, variables: Variables) -> JsonValue:
        result = start(value, variables)
        # One scope serves all rounds: an update that gives one value keeps nothing of it.
        inner = Meter(variables, variables.left if type(variables) is Meter else None)
        for item in source.many(value, variables):
            charge(variables, weight)
            for path, name in places:
                inner[name] = _reach(item, path)
            result = update(result, inner)
        return result

    return single(fold)


def _call(builder: Builder, node: Call) -> Code:
    special = CALLS.get((node.name, len(node.arguments)))
    if special is not None:
        return special(builder, node)
    return simple_call(builder, node)


_HANDLERS: dict[type[Node], Callable[[Builder, Any], Code]] = {
    Identity: _identity,
    Literal: _literal,
    Variable: _variable,
    Format: _format,
    Text: build_text,
    Index: _index,
    Slice: _slice,
    Iterate: _iterate,
    Pipe: _pipe,
    Comma: _comma,
    Negate: _negate,
    Binary: _binary,
    If: build_if,
    Try: build_try,
    Bind: _bind,
    Reduce: _reduce,
    Array: build_array,
    Object: build_object,
    Update: build_update,
    Call: _call,
}
