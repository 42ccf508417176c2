"""Syntax tree of a jq program, as the parser builds it.

One class per construct; `at` is the offset of the construct in the text. `children` walks without recursion
in mind: depth is measured with a stack before anything recursive touches the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from counterpoint.core.values import JsonValue


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """Any construct; `at` is its offset in the text."""

    at: int = 0


class Identity(Node, frozen=True):
    """`.`."""


class Literal(Node, frozen=True):
    """A number; also `null`, `true` and `false` once the parser has recognised them.

    Attributes:
        value: The constant.
        text: A number as it is written; libjq keeps its digits.
    """

    value: JsonValue
    text: str = ""


class Text(Node, frozen=True):
    """A string with its interpolations.

    Attributes:
        parts: Literal text and expressions, in order.
        format: Name of the format of the interpolations, without `@`; empty for the plain form.
    """

    parts: tuple[str | Node, ...]
    format: str = ""


class Format(Node, frozen=True):
    """`@base64` and the like, applied to the input."""

    name: str


class Index(Node, frozen=True):
    """`term.key` or `term[key]`; with a `?` behind it, its own error (not the term's) gives nothing."""

    term: Node
    key: Node
    is_optional: bool = False


class Slice(Node, frozen=True):
    """`term[low:high]`; a missing end is None."""

    term: Node
    low: Node | None
    high: Node | None
    is_optional: bool = False


class Iterate(Node, frozen=True):
    """`term[]`."""

    term: Node
    is_optional: bool = False


class Try(Node, frozen=True):
    """`try body catch handler`, or `body?` with no handler."""

    body: Node
    handler: Node | None = None


class Pipe(Node, frozen=True):
    """`a | b | c`."""

    stages: tuple[Node, ...]


class Comma(Node, frozen=True):
    """`a, b, c`."""

    items: tuple[Node, ...]


class Negate(Node, frozen=True):
    """`-operand`."""

    operand: Node


class Binary(Node, frozen=True):
    """Arithmetic, comparison, `and`, `or`, `//`."""

    operator: str
    left: Node
    right: Node


class Update(Node, frozen=True):
    """`=`, `|=`, `+=` and the other assignments."""

    operator: str
    target: Node
    value: Node


class If(Node, frozen=True):
    """`if condition then yes else no end`; without `else` the input passes."""

    condition: Node
    yes: Node
    no: Node | None


class Reduce(Node, frozen=True):
    """`reduce source as patterns (start; update)`."""

    source: Node
    patterns: tuple[Pattern, ...]
    start: Node
    update: Node


class Foreach(Node, frozen=True):
    """`foreach source as patterns (start; update; extract)`."""

    source: Node
    patterns: tuple[Pattern, ...]
    start: Node
    update: Node
    extract: Node | None


class Bind(Node, frozen=True):
    """`source as patterns | body`."""

    source: Node
    patterns: tuple[Pattern, ...]
    body: Node


class Define(Node, frozen=True):
    """`def name(parameters): body; rest`; a parameter with a dollar sign is a value."""

    name: str
    parameters: tuple[str, ...]
    body: Node
    rest: Node


class Label(Node, frozen=True):
    """`label $name | body`."""

    name: str
    body: Node


class Break(Node, frozen=True):
    """`break $name`."""

    name: str


class Call(Node, frozen=True):
    """A function with its arguments, which are expressions."""

    name: str
    arguments: tuple[Node, ...] = ()


class Variable(Node, frozen=True):
    """`$name`."""

    name: str


class Location(Node, frozen=True):
    """`$__loc__`."""

    line: int


class Array(Node, frozen=True):
    """`[body]`; an empty array has no body."""

    body: Node | None


class Object(Node, frozen=True):
    """`{key: value, ...}`; the short forms are already written out."""

    entries: tuple[tuple[Node, Node], ...]


class VariablePattern(Node, frozen=True):
    """`$name` in a pattern."""

    name: str


class ArrayPattern(Node, frozen=True):
    """`[p, q]`."""

    items: tuple[Pattern, ...]


class ObjectPattern(Node, frozen=True):
    """`{key: p, $name}`.

    Attributes:
        entries: Key, name that is bound to the member (`$name` forms) or None, and the pattern below or None.
    """

    entries: tuple[tuple[Node, str | None, Pattern | None], ...]


Pattern: TypeAlias = VariablePattern | ArrayPattern | ObjectPattern


def children(node: Node) -> Iterator[Node]:
    """Constructs directly inside one, in the order of the text."""
    for field in node.__struct_fields__:
        yield from _nodes_in(getattr(node, field))


def _nodes_in(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes_in(item)


def constant_text(node: Node) -> str | None:
    """Text of a string without interpolations, or None for anything else."""
    if isinstance(node, Text) and (not node.format or not node.parts):
        pieces = [part for part in node.parts if isinstance(part, str)]
        if len(pieces) == len(node.parts):
            return "".join(pieces)
    return None


def size_of(root: Node) -> int:
    """Number of constructs."""
    count = 0
    stack = [root]
    while stack:
        node = stack.pop()
        count += 1
        stack.extend(children(node))
    return count


def depth_of(root: Node) -> int:
    """Longest path from the root, found without recursion."""
    deepest = 0
    stack = [(root, 1)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        stack.extend((child, depth + 1) for child in children(node))
    return deepest
