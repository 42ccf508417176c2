"""`try` (DSL: Try, Catch, Retry; A3, A4, A14, A15, A35, A44)."""

from __future__ import annotations

from typing import Any

from counterpoint.core.context import Decision, Settled
from counterpoint.core.dsl.error_types import normalise_error_type
from counterpoint.core.dsl.model import Catch, Directive, RetryPolicy, TryTask
from counterpoint.core.expr.program import Program
from counterpoint.core.interp.dataflow import duration_of, holds, shown
from counterpoint.core.interp.flow import run_list, within
from counterpoint.core.interp.retrying import backoff_micros, jitter_micros
from counterpoint.core.interp.scope import Frame, TaskScope
from counterpoint.core.values import Duration, Instant, JsonValue, StepKey
from counterpoint.errors import Fault, FaultRaised


async def run_try(task: TryTask, scope: TaskScope) -> tuple[JsonValue, Directive]:
    """The output of the list, or of `catch.do`; a caught error without `do` gives the input (A3).

    A retry runs the whole list again with the same input. Retries come first, then `do` once (A4); when they
    are spent and there is neither `do` nor `then`, the last error goes on.

    Raises:
        FaultRaised: The filter does not match, or retries are spent and nothing handles the error.
    """
    catch = task.catch
    try:
        return await _attempts(task, scope), task.then
    except _Caught as caught:
        fault, raised, is_spent = caught.fault, caught.raised, caught.is_spent
    if catch.do is None:
        if is_spent and catch.then is None:
            raise raised
        return scope.input, catch.then or task.then
    inner = scope.frame.with_variables(**{catch.name: fault.as_json()})
    output, _ = await run_list(inner, catch.do, scope.key.part("catch"), scope.input)
    return output, catch.then or task.then


class _Caught(Exception):
    """The filter matched and no retry follows."""

    def __init__(self, raised: FaultRaised, is_spent: bool) -> None:
        self.raised = raised
        self.fault = raised.fault
        self.is_spent = is_spent


async def _attempts(task: TryTask, scope: TaskScope) -> JsonValue:
    context, catch = scope.context, task.catch
    frame = scope.frame.retried() if catch.retry is not None else scope.frame
    sequence = scope.key.part("try")
    number, began = 1, context.now
    recalled = context.recall(sequence)
    if recalled is not None:
        settled = await recalled
        number, began = settled.position
        frame.data.context = settled.context
    while True:
        try:
            return await _attempt(task, scope, frame, sequence.attempt(number))
        except FaultRaised as raised:
            if not await _catches(scope, catch, raised.fault):
                raise
            due = await _retry_due(scope, catch, raised.fault, number, began)
            if due is None:
                raise _Caught(raised, catch.retry is not None) from None
        if due > context.now:
            await context.sleep(sequence.attempt(number).part("backoff"), due)
        number += 1
        following = number
        context.settle(sequence, lambda: Settled([following, began], None, frame.data.context))  # noqa: B023 - called at once
        if context.tick():
            await context.give_way()


async def _attempt(task: TryTask, scope: TaskScope, frame: Frame, key: StepKey) -> JsonValue:
    async def work() -> JsonValue:
        return (await run_list(frame, task.do, key, scope.input))[0]

    retry = task.catch.retry
    if retry is None or retry.attempt_duration is None:
        return await work()
    return await within(scope, retry.attempt_duration, key, work)


async def _catches(scope: TaskScope, catch: Catch, fault: Fault) -> bool:
    """Whether the error is caught: static filter, then `when`, then `exceptWhen`."""
    is_caught = _matches(catch, fault) and await _admits(scope, catch, fault, catch.when, catch.except_when)
    text = catch.when.text if catch.when is not None else ""
    choice = {"caught": is_caught, "type": fault.type, "status": fault.status}
    scope.context.note(Decision(catch.pointer, "catch", choice, text, shown(fault.detail), scope.key.text))
    return is_caught


def _matches(catch: Catch, fault: Fault) -> bool:
    for name, wanted in catch.errors.items():
        actual: Any = getattr(fault, name, None)
        if name == "type":
            actual, wanted = normalise_error_type(str(actual)), normalise_error_type(str(wanted))
        if actual != wanted:
            return False
    return True


async def _admits(
    scope: TaskScope, catch: Catch, fault: Fault, when: Program | None, except_when: Program | None
) -> bool:
    """`when` and `exceptWhen`: the error is `.`, `$error` and the variable of `as` (A14)."""
    if when is None and except_when is None:
        return True
    error = fault.as_json()
    inner = TaskScope.of(
        scope.frame.with_variables(**{"error": error, catch.name: error}), scope.task, scope.key, scope.raw
    )
    inner.input, inner.has_input = scope.input, True
    if when is not None and not await holds(inner, when, error):
        return False
    return except_when is None or not await holds(inner, except_when, error)


async def _retry_due(
    scope: TaskScope, catch: Catch, fault: Fault, number: int, began: Instant
) -> Instant | None:
    """Instant of the retry after attempt `number`, or None when retries are spent or refused."""
    retry = catch.retry
    if retry is None or (retry.attempt_count is not None and number > retry.attempt_count):
        return None
    if not await _admits(scope, catch, fault, retry.when, retry.except_when):
        return None
    now = scope.context.now
    due = now + await _delay(scope, retry, number)
    if retry.duration is not None and due > (await duration_of(scope, retry.duration)).after(began):
        return None
    scope.context.note(Decision(catch.pointer, "retry", number, "", None, scope.key.text))
    return due


async def _delay(scope: TaskScope, retry: RetryPolicy, number: int) -> int:
    delay = await duration_of(scope, retry.delay) if retry.delay is not None else Duration()
    wait = backoff_micros(retry, delay, number)
    if retry.jitter is not None:
        low = await duration_of(scope, retry.jitter[0])
        high = await duration_of(scope, retry.jitter[1])
        wait += jitter_micros(low, high, scope.context.entropy(scope.key.part("jitter").item(number)))
    return wait
