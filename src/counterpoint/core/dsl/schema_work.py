"""How much work a schema makes of one part of a value: the bound that keeps a check inside a turn.

A check cannot be interrupted. `items: {allOf: [two thousand schemas]}` looks at each item of an array two
thousand times, so a document of some kilobytes could hold everything else up for seconds. The width of a
schema says how many of its parts apply to one place of the value; width times parts of the value is the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from counterpoint.core.values import JsonValue

MAX_WIDTH = 100_000
"""Width from which a schema is not looked at further."""

MAX_GROUPS = 2_000
"""Different sets of subschemas that are looked at; a schema with more counts as `MAX_WIDTH` wide."""

UNIQUE_COST = 16
"""Cost of `uniqueItems` for each item, compared to a keyword."""

LISTED_SHIFT = 4
"""Names and constants of a list that cost as much as a keyword, as a power of two."""

_IN_PLACE = ("allOf", "anyOf", "oneOf")
_IN_PLACE_ONE = ("not", "if", "then", "else")
_EACH_MEMBER = (
    "items", "additionalItems", "unevaluatedItems", "contains",
    "additionalProperties", "unevaluatedProperties", "propertyNames",
)  # fmt: skip

Group = tuple[dict[str, Any], ...]


def width_of(schema: JsonValue) -> int:
    """Most parts of a schema that apply to one place of a value; recursion counts once."""
    if not isinstance(schema, dict):
        return 1
    seen: set[frozenset[int]] = set()
    waiting: list[list[dict[str, Any]]] = [[schema]]
    widest = 1
    while waiting:
        group = _applied(waiting.pop(), schema)
        if group is None or len(seen) > MAX_GROUPS:
            return MAX_WIDTH
        identity = frozenset(map(id, group))
        if identity in seen:
            continue
        seen.add(identity)
        widest = max(widest, sum(_weight(one) for one in group))
        waiting.extend(_below(group))
    return min(widest, MAX_WIDTH)


def _applied(start: list[dict[str, Any]], root: JsonValue) -> Group | None:
    """All subschemas that apply where some do; None when there are too many."""
    found: dict[int, dict[str, Any]] = {}
    stack = list(start)
    while stack:
        one = stack.pop()
        if id(one) in found:
            continue
        found[id(one)] = one
        if len(found) > MAX_WIDTH:
            return None
        stack.extend(part for part in _in_place(one, root) if isinstance(part, dict))
    return tuple(found.values())


def _in_place(schema: dict[str, Any], root: JsonValue) -> Iterator[JsonValue]:
    for name in _IN_PLACE:
        parts = schema.get(name)
        if isinstance(parts, list):
            yield from parts
    for name in _IN_PLACE_ONE:
        yield schema.get(name)
    dependent = schema.get("dependentSchemas")
    if isinstance(dependent, dict):
        yield from dependent.values()
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        yield target_of(reference, root)


def _below(group: Group) -> Iterator[list[dict[str, Any]]]:
    """For each kind of member, the subschemas that apply to it."""
    each: list[dict[str, Any]] = []
    named: dict[str, list[dict[str, Any]]] = {}
    for schema in group:
        each.extend(part for name in _EACH_MEMBER if isinstance(part := schema.get(name), dict))
        patterns = schema.get("patternProperties")
        if isinstance(patterns, dict):
            each.extend(part for part in patterns.values() if isinstance(part, dict))
        for key, part in _placed(schema):
            named.setdefault(key, []).append(part)
    if each:
        yield each
    for parts in named.values():
        yield [*each, *parts]


def _placed(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    properties, prefix = schema.get("properties"), schema.get("prefixItems")
    if isinstance(properties, dict):
        yield from ((f".{key}", part) for key, part in properties.items() if isinstance(part, dict))
    if isinstance(prefix, list):
        yield from ((f"[{n}]", part) for n, part in enumerate(prefix) if isinstance(part, dict))


def _weight(schema: dict[str, Any]) -> int:
    lists = [schema.get(name) for name in ("enum", "required")]
    listed = sum(len(names) for names in lists if isinstance(names, list))
    return 1 + (listed >> LISTED_SHIFT) + (UNIQUE_COST if schema.get("uniqueItems") else 0)


def target_of(pointer: str, root: JsonValue) -> JsonValue:
    """Part of a schema that a local reference names; None when there is none."""
    node = root
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict):
            node = node.get(name)
        elif isinstance(node, list) and name.isdigit() and int(name[:9]) < len(node):
            node = node[int(name[:9])]
        else:
            return None
    return node
