"""`wait` (DSL: Wait)."""

from __future__ import annotations

from counterpoint.core.dsl.model import Directive, WaitTask
from counterpoint.core.interp.dataflow import duration_of
from counterpoint.core.interp.scope import TaskScope
from counterpoint.core.values import JsonValue


async def run_wait(task: WaitTask, scope: TaskScope) -> tuple[JsonValue, Directive]:
    """Let the task's duration pass, once, whatever restarts in between; the output is the input."""
    duration = await duration_of(scope, task.wait)
    await scope.context.sleep(scope.key, duration.after(scope.context.now))
    return scope.input, task.then
