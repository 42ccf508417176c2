"""`switch` (DSL: Switch): the first case that holds decides where to go (A27)."""

from __future__ import annotations

from counterpoint.core.context import Decision
from counterpoint.core.dsl.model import Directive, SwitchCase, SwitchTask
from counterpoint.core.expr import is_truthy
from counterpoint.core.interp.dataflow import evaluate, shown
from counterpoint.core.interp.scope import TaskScope
from counterpoint.core.values import JsonValue


async def run_switch(task: SwitchTask, scope: TaskScope) -> tuple[JsonValue, Directive]:
    """The task's input, and the directive of the case: first match, else the default, else the task's own."""
    chosen: SwitchCase | None = None
    found: JsonValue = None
    for case in task.cases:
        if case.when is None:
            chosen = chosen or case
            continue
        value = await evaluate(scope, case.when, scope.input)
        if is_truthy(value):
            chosen, found = case, shown(value)
            break
    text = chosen.when.text if chosen is not None and chosen.when is not None else ""
    name = chosen.name if chosen is not None else None
    scope.context.note(Decision(task.pointer, "case", name, text, found, scope.key.text))
    return scope.input, chosen.then if chosen is not None else task.then
