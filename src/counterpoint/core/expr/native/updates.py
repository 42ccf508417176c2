"""Assignment along paths of plain fields: `.a.b = x`, `|=`, `+=`, `//=` and the like, and `del`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from counterpoint.core.expr.native.budget import charge
from counterpoint.core.expr.native.code import Code, Foreign, single
from counterpoint.core.expr.native.functions import is_true
from counterpoint.core.expr.native.operators import OPERATIONS
from counterpoint.core.expr.native.paths import changed_at, without
from counterpoint.core.expr.program import Native, Variables
from counterpoint.core.expr.syntax import Comma, Identity, Index, Node, Update, constant_text
from counterpoint.core.values import JsonValue

if TYPE_CHECKING:
    from counterpoint.core.expr.native.build import Builder


def plain_path(node: Node) -> tuple[str, ...]:
    """Keys of a path of plain fields.

    Raises:
        Foreign: It is another kind of path.
    """
    keys: list[str] = []
    while isinstance(node, Index) and (key := constant_text(node.key)) is not None:
        keys.append(key)
        node = node.term
    if not isinstance(node, Identity) or not keys:
        raise Foreign("a path that is not made of plain fields")
    return tuple(reversed(keys))


def build_update(builder: Builder, node: Update) -> Code:
    """Code of an assignment whose right side gives one value."""
    keys, right = plain_path(node.target), builder.one(node.value)
    if node.operator == "=":
        return single(_set(keys, right))
    if node.operator == "|=":
        return single(_modify(keys, right))
    if node.operator == "//=":
        return single(_default(keys, right))
    return single(_combine(keys, right, node.operator[:-1]))


def _charged(value: JsonValue, variables: Variables) -> None:
    if type(value) is dict:
        charge(variables, 1 + (len(value) >> 3))


def _set(keys: tuple[str, ...], right: Native) -> Native:
    def assign(value: JsonValue, variables: Variables) -> JsonValue:
        _charged(value, variables)
        item = right(value, variables)
        return changed_at(value, keys, lambda _before: item)

    return assign


def _modify(keys: tuple[str, ...], change: Native) -> Native:
    def modify(value: JsonValue, variables: Variables) -> JsonValue:
        _charged(value, variables)
        return changed_at(value, keys, lambda before: change(before, variables))

    return modify


def _default(keys: tuple[str, ...], right: Native) -> Native:
    def default(value: JsonValue, variables: Variables) -> JsonValue:
        _charged(value, variables)
        item = right(value, variables)
        return changed_at(value, keys, lambda before: before if is_true(before) else item)

    return default


def _combine(keys: tuple[str, ...], right: Native, operator: str) -> Native:
    operation = OPERATIONS[operator]

    def combine(value: JsonValue, variables: Variables) -> JsonValue:
        _charged(value, variables)
        item = right(value, variables)
        return changed_at(value, keys, lambda before: operation(before, item, variables))

    return combine


def build_delete(builder: Builder, target: Node) -> Code:
    """Code of `del` of one or several paths of plain fields."""
    paths = [plain_path(item) for item in (target.items if isinstance(target, Comma) else (target,))]

    def delete(value: JsonValue, variables: Variables) -> JsonValue:
        for keys in paths:
            _charged(value, variables)
            value = without(value, keys)
        return value

    return single(delete)
