"""`call` of a function: a task of `use.functions`, or a connector's action (DSL: Call)."""

from __future__ import annotations

from counterpoint.core.context import Invocation
from counterpoint.core.dsl.model import CallFunctionTask, Directive
from counterpoint.core.interp.calling import plain_policy, policy_of
from counterpoint.core.interp.dataflow import NOT_NOW, foreign_value, native_value
from counterpoint.core.interp.flow import run_task
from counterpoint.core.interp.scope import Frame, TaskScope
from counterpoint.core.values import JsonValue


async def run_call_function(task: CallFunctionTask, scope: TaskScope) -> tuple[JsonValue, Directive]:
    """The function's output; `with`, evaluated on the caller's input, is its raw input."""
    arguments = scope.input
    if task.arguments is not None:
        arguments = native_value(scope, task.arguments, scope.input)
        if arguments is NOT_NOW:
            arguments = await foreign_value(scope, task.arguments, scope.input)
        elif scope.walk.context.is_due():
            await scope.walk.context.give_way()
    function = task.function
    if function is not None:
        frame = scope.frame
        # A function sees its input and `$context`, not the caller's loop and catch variables.
        inner = Frame(frame.walk, frame.data, is_retried=frame.is_retried)
        output, _ = await run_task(inner, function, scope.key.part("function"), arguments)
        return output, task.then
    invocation = Invocation(
        task.target, arguments if task.arguments is not None else {}, task.pointer, task.name
    )
    policy = plain_policy(task, scope) or await policy_of(task, scope, task.target.partition(".")[0])
    return await scope.walk.context.call(scope.key, invocation, policy), task.then
