"""Visits every task of a compiled workflow, wherever it hides."""

from __future__ import annotations

from collections.abc import Iterator

from counterpoint.core.dsl.model import (
    CallFunctionTask,
    DoTask,
    ForkTask,
    ForTask,
    ListenTask,
    Task,
    TaskList,
    TryTask,
    Workflow,
)


def tasks_of(workflow: Workflow) -> Iterator[Task]:
    """All tasks, each once: of lists, functions, extensions and compensations. Without recursion."""
    ahead: list[Task] = [*workflow.do.tasks, *workflow.functions.values()]
    seen: set[int] = set()
    while ahead:
        task = ahead.pop()
        if id(task) not in seen:
            seen.add(id(task))
            yield task
            ahead.extend(_below(task))


def _below(task: Task) -> Iterator[Task]:
    for tasks in _lists_of(task):
        if tasks is not None:
            yield from tasks.tasks
    if isinstance(task, CallFunctionTask) and task.function is not None:
        yield task.function
    if task.extras.compensate is not None:
        yield task.extras.compensate


def _lists_of(task: Task) -> Iterator[TaskList | None]:
    for extension in task.extensions:
        yield extension.before
        yield extension.after
    match task:
        case DoTask() | ForTask():
            yield task.do
        case ForkTask():
            yield task.branches
        case TryTask():
            yield task.do
            yield task.catch.do
        case ListenTask() if task.foreach is not None:
            yield task.foreach.do
