"""A part of a document with its path; reading it never fails.

The shapes have reported every part of a wrong type by the time a document is compiled, and compiling goes on
so that the author sees everything at once. A part of another type than asked for counts as absent.
"""

from __future__ import annotations

from collections.abc import Iterator

from counterpoint.core.dsl.pointers import Path
from counterpoint.core.values import JsonValue


class Node:
    """A value of a document and where it stands."""

    __slots__ = ("is_present", "path", "value")

    def __init__(self, value: JsonValue, path: Path, *, is_present: bool = True) -> None:
        self.value = value
        self.path = path
        self.is_present = is_present

    def child(self, key: str) -> Node:
        """Member of a map; absent when there is none."""
        if isinstance(self.value, dict) and key in self.value:
            return Node(self.value[key], (*self.path, key))
        return Node(None, (*self.path, key), is_present=False)

    def at(self, *keys: str) -> Node:
        """Member of a member, and so on."""
        node = self
        for key in keys:
            node = node.child(key)
        return node

    def has(self, key: str) -> bool:
        """Whether this is a map with such a member."""
        return isinstance(self.value, dict) and key in self.value

    def members(self) -> Iterator[tuple[str, Node]]:
        """Names and members of a map."""
        if isinstance(self.value, dict):
            for key, value in self.value.items():
                yield key, Node(value, (*self.path, key))

    def items(self) -> Iterator[Node]:
        """Items of a list."""
        if isinstance(self.value, list):
            for index, value in enumerate(self.value):
                yield Node(value, (*self.path, index))

    def named(self) -> Iterator[tuple[str, Node]]:
        """Names and values of a list of one-key maps; only the first key of each counts."""
        for item in self.items():
            yield from list(item.members())[:1]

    @property
    def is_map(self) -> bool:
        """Whether this is a map."""
        return isinstance(self.value, dict)

    @property
    def text(self) -> str | None:
        """The text, if it is one."""
        return self.value if isinstance(self.value, str) else None

    @property
    def whole(self) -> int | None:
        """The whole number, if it is one."""
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        return int(self.value) if is_number and self.value == int(self.value) else None

    @property
    def is_true(self) -> bool:
        """Whether this is `true`."""
        return self.value is True
