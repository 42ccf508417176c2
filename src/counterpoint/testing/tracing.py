"""Which tasks of a document ran, in which order: a compiled document whose tasks tell when they begin.

The condition of each task is replaced by one that tells and then answers as before. A task whose own
condition is outside the native subset stays silent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from counterpoint.core.dsl.model import Frozen, Task, Workflow
from counterpoint.core.expr import is_truthy
from counterpoint.core.expr.program import Program, Variables
from counterpoint.core.values import JsonValue

T = TypeVar("T")


def traced(workflow: Workflow, tell: Callable[[str], None]) -> Workflow:
    """The same document; `tell` gets the name of each task that runs, at each of its visits."""
    return _with(workflow, tell)


def _with(part: T, tell: Callable[[str], None]) -> T:
    """A copy of a part of the model with every task in it replaced."""
    changed: Any = part
    if isinstance(part, tuple):
        changed = tuple(_with(item, tell) for item in part)
    elif isinstance(part, dict):
        changed = {name: _with(value, tell) for name, value in part.items() if name != "definition"}
    elif isinstance(part, Frozen):
        changed = msgspec.structs.replace(
            part,
            **{
                name: _with(getattr(part, name), tell)
                for name in part.__struct_fields__
                if name not in ("definition", "tags", "errors")
            },
        )
        if isinstance(changed, Task):
            changed = msgspec.structs.replace(changed, condition=_telling(changed, tell))
    found: T = changed
    return found


def _telling(task: Task, tell: Callable[[str], None]) -> Program | None:
    condition = task.condition
    if condition is None:

        def always(value: JsonValue, variables: Variables) -> JsonValue:
            tell(task.name)
            return True

        return Program("true", frozenset(), always)
    decide = condition.native
    if decide is None:
        return condition

    def told(value: JsonValue, variables: Variables) -> JsonValue:
        answer = decide(value, variables)
        if is_truthy(answer):
            tell(task.name)
        return answer

    return msgspec.structs.replace(condition, native=told)
