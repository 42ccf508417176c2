"""What an expression may see in its place (DSL: Runtime expression arguments), and what encloses a task."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

# `$secret` is an alias of `$secrets` that other runtimes use (A23).
_EVERYWHERE = frozenset({"secrets", "secret", "runtime"})
SCHEDULE = _EVERYWHERE
"""In the event filters of `schedule.on`, where no run exists yet."""
WORKFLOW_INPUT = _EVERYWHERE | {"workflow"}
"""In `input.from` of the workflow."""
WORKFLOW_OUTPUT = WORKFLOW_INPUT | {"context"}
"""In `output.as` of the workflow."""
BEFORE_INPUT = WORKFLOW_OUTPUT | {"task"}
"""In `if` and `input.from` of a task, where its input is not made yet."""
BODY = BEFORE_INPUT | {"input", "authorization"}
"""In the definition of a task and its `output.as`."""
EXPORT = BODY | {"output"}
"""In `export.as` of a task."""

MAX_NESTING = 64
"""Deepest nesting of task lists in one another, through functions too."""


class Enclosure(msgspec.Struct, frozen=True):
    """What encloses a task.

    Attributes:
        variables: Variables of enclosing loops and catches.
        siblings: Index of each task of its list, for flow directives.
        is_extended: Whether extensions apply; not inside an extension.
        depth: How many task lists enclose it.
        attempts: How often enclosing `try` may run it at most; None for no limit.
    """

    variables: frozenset[str] = frozenset()
    siblings: Mapping[str, int] = {}
    is_extended: bool = True
    depth: int = 0
    attempts: int | None = 1

    def sees(self, place: frozenset[str]) -> frozenset[str]:
        """All variables that an expression at a place of the task sees."""
        return place | self.variables if self.variables else place

    def binding(self, *names: str) -> Enclosure:
        """The same with more variables."""
        return msgspec.structs.replace(self, variables=self.variables | set(names))

    def retried(self, attempts: int | None) -> Enclosure:
        """The same inside a `try` that runs at most so often."""
        product = None if attempts is None or self.attempts is None else self.attempts * attempts
        return msgspec.structs.replace(self, attempts=product)

    def inside(self, siblings: Mapping[str, int]) -> Enclosure:
        """What encloses the tasks of a list here."""
        return msgspec.structs.replace(self, siblings=siblings, depth=self.depth + 1)
