"""`set` (DSL: Set): the evaluated value replaces the data."""

from __future__ import annotations

from counterpoint.core.dsl.model import Directive, SetTask
from counterpoint.core.interp.dataflow import evaluate
from counterpoint.core.interp.scope import TaskScope
from counterpoint.core.values import JsonValue


async def run_set(task: SetTask, scope: TaskScope) -> tuple[JsonValue, Directive]:
    """The value of the template on the task's input."""
    return await evaluate(scope, task.value, scope.input), task.then
