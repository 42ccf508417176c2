"""`for` (DSL: For), one after another or, by our extension, in parallel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from counterpoint.core.context import Branch, Decision, JoinMode, Settled
from counterpoint.core.dsl.model import Directive, ForTask
from counterpoint.core.expr import is_truthy
from counterpoint.core.interp.dataflow import evaluate, expression_fault, shown
from counterpoint.core.interp.flow import run_list
from counterpoint.core.interp.merging import merge_contexts
from counterpoint.core.interp.scope import Frame, TaskScope
from counterpoint.core.values import JsonValue, StepKey
from counterpoint.errors import FaultRaised, standard_fault

MAX_PARALLEL_ITEMS = 10_000
"""Items of a parallel loop: each is a branch with a state of its own."""


async def run_for(task: ForTask, scope: TaskScope) -> tuple[JsonValue, Directive]:
    """The output of the last iteration, or in parallel the array of all outputs.

    Raises:
        FaultRaised: expression/400 when the collection is no array (null counts as empty, A9); runtime/500
            when a parallel loop has too many items.
    """
    items = await evaluate(scope, task.collection, scope.input)
    if items is None:
        items = []
    if not isinstance(items, list):
        why = f"an array is expected, this is {_kind(items)}"
        text = getattr(task.collection, "text", "in")
        raise expression_fault(text, why, task.pointer)
    if task.extras.parallel:
        if len(items) > MAX_PARALLEL_ITEMS:
            what = f"The parallel loop has {len(items):,} items; at most {MAX_PARALLEL_ITEMS:,} are allowed"
            raise FaultRaised(standard_fault("runtime", f"{what}. Loop over parts of them.", task.pointer))
        return await _in_parallel(task, scope, items), task.then
    return await _in_sequence(task, scope, items), task.then


def _kind(value: JsonValue) -> str:
    names = {bool: "a boolean", str: "a string", dict: "an object"}
    return names.get(type(value), "a number")


async def _in_sequence(task: ForTask, scope: TaskScope, items: list[JsonValue]) -> JsonValue:
    context, frame = scope.context, scope.frame
    sequence = scope.key.part("for")
    value, first = scope.input, 0
    recalled = context.recall(sequence)
    if recalled is not None:
        settled = await recalled
        first, value, frame.data.context = settled.position, settled.output, settled.context
    for index in range(first, len(items)):
        inner = frame.with_variables(**{task.each: items[index], task.at: index})
        if task.condition_while is not None and not await _goes_on(
            task, scope, inner, value, sequence.item(index)
        ):
            break
        value, has_exited = await run_list(inner, task.do, sequence.item(index), value)
        if has_exited:  # `exit` leaves the loop (A7)
            break
        following, so_far = index + 1, value
        context.settle(sequence, lambda: Settled(following, so_far, frame.data.context))  # noqa: B023 - called at once
        if context.is_due():
            await context.give_way()
    return value


async def _goes_on(task: ForTask, scope: TaskScope, frame: Frame, value: JsonValue, key: StepKey) -> bool:
    """`while`, tested before each iteration (A8)."""
    condition = task.condition_while
    if condition is None:
        return True
    inside = TaskScope.of(frame, task, scope.key, scope.raw)
    inside.input, inside.has_input = value, True
    found = await evaluate(inside, condition, value)
    if not is_truthy(found):
        scope.context.note(Decision(task.pointer, "while", False, condition.text, shown(found), key.text))
    return is_truthy(found)


async def _in_parallel(task: ForTask, scope: TaskScope, items: list[JsonValue]) -> JsonValue:
    sequence = scope.key.part("for")
    iterations = _Iterations(task, scope, items, sequence)
    limit = task.extras.parallel or 0
    results: list[Any] = await scope.context.join(sequence, iterations, JoinMode.ALL, limit) if items else []
    data = scope.frame.data
    data.context = merge_contexts(data.context, iterations.contexts())
    return [output for output, _ in results]


class _Iterations(Sequence[Branch]):
    """Branches of a parallel loop, each made when it is to begin: ten thousand at once would take a turn."""

    def __init__(self, task: ForTask, scope: TaskScope, items: list[JsonValue], key: StepKey) -> None:
        self._task = task
        self._scope = scope
        self._items = items
        self._key = key
        self._frames: dict[int, Frame] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        task, scope, key = self._task, self._scope, self._key.item(index)
        frame = scope.frame.branch().with_variables(**{task.each: self._items[index], task.at: index})
        self._frames[index] = frame

        async def iterate() -> tuple[JsonValue, bool]:
            return await run_list(frame, task.do, key, scope.input)

        return key, iterate

    def contexts(self) -> list[JsonValue]:
        """`$context` of each iteration, in the order of the items."""
        return [self._frames[index].data.context for index in sorted(self._frames)]
