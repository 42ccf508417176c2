"""The whole of a run: input, tasks, output (DSL: Workflow, Data Flow)."""

from __future__ import annotations

from counterpoint.core.context import DurableContext
from counterpoint.core.dsl.model import DoTask, Workflow
from counterpoint.core.interp.dataflow import check, evaluate
from counterpoint.core.interp.flow import run_list, within
from counterpoint.core.interp.scope import Data, Frame, TaskScope, Walk, WorkflowEnded
from counterpoint.core.values import ROOT_KEY, JsonValue

_DO_KEY = ROOT_KEY.part("do")


async def run_workflow(workflow: Workflow, context: DurableContext) -> JsonValue:
    """Run a workflow to its end in a durable context.

    Returns:
        The transformed, validated output; also when a task ended the workflow by `end` or `exit`.

    Raises:
        FaultRaised: An error that no `try` caught.
    """
    walk = Walk(workflow, context)
    data = Data({})
    frame = Frame(walk, data)
    whole = DoTask(name="", pointer="", definition={}, do=workflow.do)
    scope = TaskScope.of(frame, whole, ROOT_KEY, context.run.input)
    value = await _input(workflow, scope)
    scope.input = value

    async def tasks() -> JsonValue:
        return (await run_list(frame, workflow.do, _DO_KEY, value))[0]

    try:
        if workflow.timeout is None:
            output, _ = await run_list(frame, workflow.do, _DO_KEY, value)
        else:
            output = await within(scope, workflow.timeout, ROOT_KEY, tasks)
    except WorkflowEnded as ended:
        output = ended.output
    return await _output(workflow, scope, output)


async def _input(workflow: Workflow, scope: TaskScope) -> JsonValue:
    value = scope.raw
    spec = workflow.input
    if spec is not None:
        if spec.schema is not None:
            check(spec.schema, value, "workflow's input", "")
        if spec.transform is not None:
            value = await evaluate(scope, spec.transform, value)
    return value


async def _output(workflow: Workflow, scope: TaskScope, output: JsonValue) -> JsonValue:
    spec = workflow.output
    if spec is not None:
        if spec.transform is not None:
            output = await evaluate(scope, spec.transform, output)
        if spec.schema is not None:
            check(spec.schema, output, "workflow's output", "")
    return output
