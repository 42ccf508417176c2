"""`raise` (DSL: Raise)."""

from __future__ import annotations

from counterpoint.core.dsl.model import Directive, RaiseTask
from counterpoint.core.expr.program import Template
from counterpoint.core.interp.dataflow import evaluate
from counterpoint.core.interp.scope import TaskScope
from counterpoint.core.values import JsonValue
from counterpoint.errors import Fault, FaultRaised


async def run_raise(task: RaiseTask, scope: TaskScope) -> tuple[JsonValue, Directive]:
    """Never returns.

    Raises:
        FaultRaised: The error, at this task unless it names another instance.
    """
    error = task.error

    async def text(template: Template | None) -> str:
        if template is None:
            return ""
        value = await evaluate(scope, template, scope.input)
        return value if isinstance(value, str) else "" if value is None else str(value)

    instance = await text(error.instance) or task.pointer
    title, detail = await text(error.title), await text(error.detail)
    raise FaultRaised(Fault(await text(error.type), error.status, title, detail, instance))
