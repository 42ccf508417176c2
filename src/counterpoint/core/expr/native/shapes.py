"""Construction of arrays, objects and strings; small objects without a loop, as templates use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from counterpoint.core.expr.native.budget import JqError, charge, leave_to_worker
from counterpoint.core.expr.native.code import Code, Foreign, Many, constant, single
from counterpoint.core.expr.native.operators import MAX_TEXT, kind_of
from counterpoint.core.expr.native.text import FORMATS
from counterpoint.core.expr.program import Native, Variables
from counterpoint.core.expr.syntax import Array, Comma, Object, Text, constant_text
from counterpoint.core.values import JsonValue

Piece: TypeAlias = Callable[[JsonValue, Variables], str]

if TYPE_CHECKING:
    from counterpoint.core.expr.native.build import Builder


def build_array(builder: Builder, node: Array) -> Code:
    """Code of `[body]`."""
    if node.body is None:
        return single(lambda _value, _variables: [])
    items = node.body.items if isinstance(node.body, Comma) else (node.body,)
    codes = [builder.build(item) for item in items]
    ones = [code.one for code in codes if code.one is not None]
    if len(ones) == len(codes):
        return single(array_of(ones))
    many = builder.build(node.body).many
    return single(lambda value, variables: list(many(value, variables)))


def array_of(items: list[Native]) -> Native:
    """Closure that puts single values into an array."""
    if len(items) == 1:
        only = items[0]
        return lambda value, variables: [only(value, variables)]
    return lambda value, variables: [item(value, variables) for item in items]


def object_of(entries: list[tuple[str, Native]]) -> Native:
    """Closure that puts single values under constant keys."""
    match entries:
        case [(key, read)]:
            return lambda v, e: {key: read(v, e)}
        case [(key, read), (key2, read2)]:
            return lambda v, e: {key: read(v, e), key2: read2(v, e)}
        case [(key, read), (key2, read2), (key3, read3)]:
            return lambda v, e: {key: read(v, e), key2: read2(v, e), key3: read3(v, e)}
        case [(key, read), (key2, read2), (key3, read3), (key4, read4)]:
            return lambda v, e: {key: read(v, e), key2: read2(v, e), key3: read3(v, e), key4: read4(v, e)}
    return lambda v, e: {key: read(v, e) for key, read in entries}


def build_object(builder: Builder, node: Object) -> Code:
    """Code of `{key: value}`; several keys or values multiply, the first entry varying slowest."""
    keys = [constant_text(key) for key, _ in node.entries]
    values = [builder.build(value) for _, value in node.entries]
    ones = [(key, code.one) for key, code in zip(keys, values, strict=True) if key is not None and code.one]
    if not node.entries:
        return single(lambda _value, _variables: {})
    if len(ones) == len(node.entries):
        return single(object_of(ones))
    key_codes = [builder.build(key) for key, _ in node.entries]
    computed = [
        (key.one, code.one) for key, code in zip(key_codes, values, strict=True) if key.one and code.one
    ]
    if len(computed) == len(node.entries):
        return single(lambda v, e: {_key(key(v, e)): read(v, e) for key, read in computed})
    builder.is_metered = True
    return Code(_objects(list(zip(key_codes, values, strict=True))))


def _objects(entries: list[tuple[Code, Code]]) -> Many:
    def each(value: JsonValue, variables: Variables) -> Iterator[JsonValue]:
        return _combinations(entries, value, variables, {})

    return each


def _combinations(
    entries: list[tuple[Code, Code]], value: JsonValue, variables: Variables, made: dict[str, JsonValue]
) -> Iterator[JsonValue]:
    if not entries:
        yield made
        return
    charge(variables, 1 + len(made))
    key_code, value_code = entries[0]
    for key in key_code.many(value, variables):
        for item in value_code.many(value, variables):
            yield from _combinations(entries[1:], value, variables, {**made, _key(key): item})


def _key(key: JsonValue) -> str:
    if type(key) is str:
        return key
    raise JqError(f"{kind_of(key)} cannot be the key of an object")


def build_text(builder: Builder, node: Text) -> Code:
    """Code of a string with interpolations."""
    plain = constant_text(node)
    if plain is not None:
        return constant(plain)
    write = FORMATS.get(node.format)
    if write is None:
        raise Foreign(node.format)
    parts = [
        _piece(part) if isinstance(part, str) else _written(builder.one(part), write) for part in node.parts
    ]

    def interpolate(value: JsonValue, variables: Variables) -> JsonValue:
        pieces = [part(value, variables) for part in parts]
        size = sum(map(len, pieces))
        if size > MAX_TEXT:
            leave_to_worker("the string is too long")
        charge(variables, size >> 6)
        return "".join(pieces)

    return single(interpolate)


def _piece(text: str) -> Piece:
    return lambda _value, _variables: text


def _written(read: Native, write: Piece) -> Piece:
    return lambda value, variables: write(read(value, variables), variables)
