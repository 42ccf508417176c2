"""Flow: lists of tasks, and what surrounds the body of every task (DSL: Task Flow, Data Flow).

Order of a task: `if` on the raw input, extensions, `input.schema`, `input.from`, body (under `timeout`),
`output.as`, `output.schema`, `export.as`, `export.schema`, flow directive.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

from counterpoint.core.context import Decision, JoinMode, Settled
from counterpoint.core.dsl.durations import describe_duration
from counterpoint.core.dsl.model import (
    CONTINUE,
    Directive,
    DurationSpec,
    Extension,
    Flow,
    InputSpec,
    OutputSpec,
    Task,
    TaskList,
)
from counterpoint.core.expr import is_truthy
from counterpoint.core.interp.dataflow import (
    NOT_NOW,
    check,
    duration_of,
    evaluate,
    foreign_value,
    holds,
    native_value,
    shown,
)
from counterpoint.core.interp.scope import Frame, TaskScope, WorkflowEnded
from counterpoint.core.values import JsonValue, StepKey
from counterpoint.errors import FaultRaised, standard_fault

T = TypeVar("T")

Body: TypeAlias = Callable[[Any, TaskScope], Awaitable[tuple[JsonValue, Directive]]]
"""Handler of a task kind: gives the raw output and the flow directive."""

HANDLERS: dict[type[Task], Body] = {}
"""One row per task kind; filled by `counterpoint.core.interp.tasks`."""


async def run_list(frame: Frame, tasks: TaskList, key: StepKey, value: JsonValue) -> tuple[JsonValue, bool]:
    """Run a list of tasks in order, following flow directives.

    Returns:
        The data after the last task, and whether the list was left by `exit`.

    Raises:
        WorkflowEnded: A task asked for `then: end`.
        FaultRaised: A task faulted.
    """
    context = frame.walk.context
    items = tasks.tasks
    count = len(items)
    index = 0
    visits: dict[str, int] = {}
    recalled = context.recall(key)
    if recalled is not None:
        settled = await recalled
        index, visits = settled.position[0], dict(settled.position[1])
        value, frame.data.context = settled.output, settled.context
    while index < count:
        task = items[index]
        name = task.name
        visit = visits[name] = visits.get(name, 0) + 1
        value, directive = await run_task(frame, task, key.task(name, visit), value)
        flow = directive.flow
        if flow is Flow.CONTINUE:
            index += 1
        elif flow is Flow.GOTO:
            index = directive.target
        elif flow is Flow.EXIT:
            return value, True
        else:
            raise WorkflowEnded(value)
        at, so_far = index, value
        context.settle(key, lambda: Settled([at, dict(visits)], so_far, frame.data.context))  # noqa: B023 - called at once
    return value, False


async def run_task(frame: Frame, task: Task, key: StepKey, raw: JsonValue) -> tuple[JsonValue, Directive]:
    """Run one visit of a task.

    Returns:
        The transformed output, and where to go next. A skipped task gives its raw input and goes on with the
        next one: its `if` guards its `then` too (A25).
    """
    context = frame.walk.context
    if context.tick():
        await context.give_way()
    scope = TaskScope.of(frame, task, key, raw)
    condition = task.condition
    if condition is not None:
        value = await evaluate(scope, condition, raw)
        context.note(Decision(task.pointer, "if", is_truthy(value), condition.text, shown(value), key.text))
        if not is_truthy(value):
            return raw, CONTINUE
    try:
        if task.extensions:
            return await run_extended(scope)
        return await run_body(scope)
    except FaultRaised as raised:
        if not raised.on_fault and task.extras.on_fault is not None:
            raised.on_fault = task.extras.on_fault.value
        raise


async def run_extended(scope: TaskScope) -> tuple[JsonValue, Directive]:
    """Run a task with the extensions that apply to it, in order (DSL: Extension).

    `then: exit` in a `before` list skips the task; what the list gave so far is the task's output. Otherwise
    the task keeps its own input (A24). Tasks of extensions are not extended themselves; `$task` describes
    the extended task.
    """
    task, frame, key = scope.task, scope.frame, scope.key
    inner = Frame(frame.walk, frame.data, frame.variables, frame.is_retried, scope)
    applied: list[Extension] = []
    for extension in task.extensions:
        if extension.when is not None and not await holds(scope, extension.when, scope.raw):
            continue
        applied.append(extension)
        if extension.before is not None:
            part = key.part("before").task(extension.name)
            output, has_exited = await run_list(inner, extension.before, part, scope.raw)
            if has_exited:
                scope.context.note(Decision(task.pointer, "skip", extension.name, "", None, key.text))
                return output, task.then
    output, directive = await run_body(scope)
    for extension in applied:
        if extension.after is not None:
            await run_list(inner, extension.after, key.part("after").task(extension.name), output)
    return output, directive


async def run_body(scope: TaskScope) -> tuple[JsonValue, Directive]:
    """Run a task from its input on, without its `if` and its extensions."""
    task = scope.task
    handler = HANDLERS[type(task)]
    if task.input is not None:
        await _transform_input(scope, task.input)
    scope.has_input = True
    if task.timeout is None:
        output, directive = await handler(task, scope)
    else:
        output, directive = await within(scope, task.timeout, scope.key, lambda: handler(task, scope))
    if task.output is not None or task.export is not None:
        output = await _transform_output(scope, output)
    return output, directive


async def _transform_input(scope: TaskScope, spec: InputSpec) -> None:
    if spec.schema is not None:
        check(spec.schema, scope.raw, "task's input", scope.task.pointer)
    if spec.transform is not None:
        scope.input = await evaluate(scope, spec.transform, scope.raw)


async def _transform_output(scope: TaskScope, output: JsonValue) -> JsonValue:
    task = scope.task
    scope.raw_output = output
    if task.output is not None:
        transform = task.output.transform
        if transform is not None:
            value = native_value(scope, transform, output)
            if value is NOT_NOW:
                value = await foreign_value(scope, transform, output)
            elif scope.walk.context.is_due():
                await scope.walk.context.give_way()
            output = value
        if task.output.schema is not None:
            check(task.output.schema, output, "task's output", task.pointer)
    if task.export is not None:
        await apply_export(scope, task.export, output)
    return output


async def apply_export(scope: TaskScope, export: OutputSpec, output: JsonValue) -> None:
    """Replace `$context` by what `export.as` gives, and check it (DSL: Export; without `as`: A34)."""
    data = scope.frame.data
    if export.transform is not None:
        scope.output = output
        data.context = await evaluate(scope, export.transform, output)
    if export.schema is not None:
        check(export.schema, data.context, "exported context", scope.task.pointer)


async def within(scope: TaskScope, limit: DurationSpec, key: StepKey, body: Callable[[], Awaitable[T]]) -> T:
    """Result of a body that must end within a duration (DSL: Timeouts).

    Raises:
        FaultRaised: timeout/408 at the task; what was under way is cancelled.
    """
    context = scope.context
    duration = await duration_of(scope, limit)
    until = duration.after(context.now)
    timer = key.part("timeout")

    async def work() -> tuple[T]:
        return (await body(),)

    async def alarm() -> None:
        await context.sleep(timer, until)

    results = await context.join(key, [(key, work), (timer, alarm)], JoinMode.FIRST_END)
    done: tuple[T] | None = results[0]
    if done is not None:
        return done[0]
    context.note(Decision(scope.task.pointer, "timeout", True, "", None, key.text))
    what = f"The task `{scope.task.name}`" if scope.task.name else "The workflow"
    detail = f"{what} did not end within its time-out of {describe_duration(duration)}"
    raise FaultRaised(standard_fault("timeout", detail, scope.task.pointer))
