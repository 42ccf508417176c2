"""`run: workflow` (DSL: Run, Workflow Process; A28, A29)."""

from __future__ import annotations

from counterpoint.core.context import ChildStart
from counterpoint.core.dsl.model import Directive, RunWorkflowTask
from counterpoint.core.interp.dataflow import evaluate
from counterpoint.core.interp.scope import TaskScope
from counterpoint.core.values import JsonValue


async def run_run_workflow(task: RunWorkflowTask, scope: TaskScope) -> tuple[JsonValue, Directive]:
    """The child's output, or the task's input when it is not awaited.

    Raises:
        FaultRaised: The child faulted or was cancelled, or there is no such workflow.
    """
    given = scope.input if task.child_input is None else await evaluate(scope, task.child_input, scope.input)
    child = ChildStart(
        task.namespace, task.workflow, task.version, given, task.is_awaited, task.pointer, task.name
    )
    output = await scope.context.start_child(scope.key, child)
    return (output if task.is_awaited else scope.input), task.then
