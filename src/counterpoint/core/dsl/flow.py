"""Flow directives and what they make unreachable (DSL: Flow Directive)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from counterpoint.core.dsl.building import Build
from counterpoint.core.dsl.hints import MAX_CHOICES
from counterpoint.core.dsl.model import (
    CONTINUE,
    END,
    EXIT,
    Directive,
    Flow,
    RaiseTask,
    SwitchTask,
    Task,
    TaskList,
    TryTask,
)
from counterpoint.core.dsl.node import Node

WORDS = {"continue": CONTINUE, "exit": EXIT, "end": END}
"""Directives with a meaning of their own; a task of that name cannot be a target."""


def build_directive(build: Build, node: Node, siblings: Mapping[str, int]) -> Directive:
    """Directive of a `then`; absent means `continue`, a target that the list does not have is reported."""
    name = node.text
    if name is None:
        return CONTINUE
    if name in WORDS:
        return WORDS[name]
    if name in siblings:
        return Directive(Flow.GOTO, siblings[name], name)
    hint = (
        build.report.did_you_mean(name, [*WORDS, *islice(siblings, MAX_CHOICES)])
        or "A target lies in the same list as its task."
    )
    build.report.add(node.path, "unknown-target", f"There is no task `{name[:60]}` in this list.", hint)
    return CONTINUE


def warn_unreachable(build: Build, node: Node, tasks: TaskList) -> None:
    """Warn of the tasks of a list that no path leads to."""
    reached: set[int] = set()
    ahead = [0]
    while ahead:
        index = ahead.pop()
        if index in reached or index >= len(tasks.tasks):
            continue
        reached.add(index)
        for directive in _directives(tasks.tasks[index]):
            if directive.flow is Flow.CONTINUE:
                ahead.append(index + 1)
            elif directive.flow is Flow.GOTO:
                ahead.append(directive.target)
    named = list(node.named())
    for index, task in enumerate(tasks.tasks):
        if index not in reached:
            message = f"No path leads to the task `{task.name[:60]}`."
            hint = "A task before it never continues; jump to it with `then`, or remove it."
            build.report.warn(named[index][1].path, "unreachable", message, hint)


def _directives(task: Task) -> Iterator[Directive]:
    # A task that is skipped takes no directive of its own (A25), and an extension may skip any task.
    if task.condition is not None:
        yield CONTINUE
    if isinstance(task, SwitchTask):
        yield from (case.then for case in task.cases)
        if all(case.when is not None for case in task.cases):
            yield task.then
    elif not isinstance(task, RaiseTask) or task.extensions:
        yield task.then
    if isinstance(task, TryTask) and task.catch.then is not None:
        yield task.catch.then
