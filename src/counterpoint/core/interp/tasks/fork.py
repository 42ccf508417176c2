"""`fork` (DSL: Fork; A5, A6)."""

from __future__ import annotations

from typing import Any

from counterpoint.core.context import Branch, Decision, JoinMode
from counterpoint.core.dsl.model import Directive, ForkTask, Task
from counterpoint.core.interp.flow import run_task
from counterpoint.core.interp.merging import merge_contexts
from counterpoint.core.interp.scope import Frame, TaskScope
from counterpoint.core.values import JsonValue, StepKey


async def run_fork(task: ForkTask, scope: TaskScope) -> tuple[JsonValue, Directive]:
    """The outputs of the branches in order of declaration, or in a race the winner's output.

    Raises:
        FaultRaised: A branch faulted; in a race, all did.
    """
    key = scope.key.part("fork")
    frames = [scope.frame.branch() for _ in task.branches.tasks]
    branches = [
        _branch(frame, one, key, scope.input) for frame, one in zip(frames, task.branches.tasks, strict=True)
    ]
    mode = JoinMode.FIRST_SUCCESS if task.compete else JoinMode.ALL
    results: list[Any] = await scope.context.join(key, branches, mode) if branches else []
    data = scope.frame.data
    if not task.compete:
        data.context = merge_contexts(data.context, [frame.data.context for frame in frames])
        return [output for output, _ in results], task.then
    for index, result in enumerate(results):
        if result is not None:
            winner = task.branches.tasks[index].name
            scope.context.note(Decision(task.pointer, "case", winner, "", None, scope.key.text))
            data.context = frames[index].data.context
            return result[0], task.then
    return scope.input, task.then


def _branch(frame: Frame, task: Task, key: StepKey, value: JsonValue) -> Branch:
    own = key.task(task.name)

    async def run() -> tuple[JsonValue, Directive]:
        return await run_task(frame, task, own, value)

    return own, run
