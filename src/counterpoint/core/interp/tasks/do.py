"""`do` (DSL: Do): tasks in sequence."""

from __future__ import annotations

from counterpoint.core.dsl.model import Directive, DoTask
from counterpoint.core.interp.flow import run_list
from counterpoint.core.interp.scope import TaskScope
from counterpoint.core.values import JsonValue


async def run_do(task: DoTask, scope: TaskScope) -> tuple[JsonValue, Directive]:
    """The output of the last task; an `exit` inside ends only this list."""
    output, _ = await run_list(scope.frame, task.do, scope.key.part("do"), scope.input)
    return output, task.then
