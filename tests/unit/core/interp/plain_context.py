"""A durable context without an engine: nothing lasts, nothing waits, and everything asked for is kept."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import yaml

from counterpoint.core.context import Branch, ChildStart, Decision, Invocation, JoinMode, RunInfo
from counterpoint.core.dsl.loader import load
from counterpoint.core.expr.program import ExpressionFailed
from counterpoint.core.interp import run_workflow
from counterpoint.core.values import StepKey
from counterpoint.errors import FaultRaised

STARTED = 1_700_000_000_000_000


class PlainContext:
    """Implements `DurableContext`; calls give what `answer` makes of their invocation."""

    def __init__(self, value: Any, answer: Callable[[Invocation], Any] = lambda call: None) -> None:
        runtime = {"name": "counterpoint", "version": "0", "metadata": {}}
        self.run = RunInfo("run-1", value, STARTED, "correlation-1", "0" * 32, runtime)
        self.now = STARTED
        self.answer = answer
        self.calls: list[tuple[str, Invocation]] = []
        self.notes: list[Decision] = []
        self.slept: list[tuple[str, int]] = []

    async def call(self, step: StepKey, invocation: Invocation, policy: Any) -> Any:
        self.calls.append((step.text, invocation))
        return self.answer(invocation)

    async def sleep(self, step: StepKey, until: int) -> None:
        self.slept.append((step.text, until - self.now))
        self.now = max(self.now, until)

    async def start_child(self, step: StepKey, child: ChildStart) -> Any:
        return child.input

    async def evaluate(self, program: Any, value: Any, variables: Any) -> Any:
        raise ExpressionFailed(f"there is no worker for `{program.text}`")

    async def join(
        self, step: StepKey, branches: Sequence[Branch], mode: JoinMode, limit: int = 0
    ) -> list[Any]:
        results: list[Any] = [None] * len(branches)
        failure: FaultRaised | None = None
        for index, (_, make) in enumerate(branches):
            try:
                results[index] = await _started(make)
            except FaultRaised as fault:
                if mode is not JoinMode.FIRST_SUCCESS:
                    raise
                failure = fault
                continue
            if mode is not JoinMode.ALL:
                return results
        if failure is not None:
            raise failure
        return results

    def entropy(self, step: StepKey) -> bytes:
        return bytes(32)

    def recall(self, sequence: StepKey) -> None:
        return None

    def settle(self, sequence: StepKey, settled: Any) -> None:
        pass

    def tick(self) -> bool:
        return False

    def is_due(self) -> bool:
        return False

    async def give_way(self) -> None:
        pass

    def note(self, decision: Decision) -> None:
        self.notes.append(decision)


def _started(make: Callable[[], Coroutine[Any, Any, Any]]) -> Coroutine[Any, Any, Any]:
    return make()


async def run(
    tasks: list[dict[str, Any]],
    value: Any = None,
    answer: Callable[[Invocation], Any] = lambda call: None,
    **more: Any,
) -> tuple[Any, PlainContext]:
    """Output of a document with these tasks, and the context that it ran in."""
    head = {"dsl": "1.0.3", "namespace": "test", "name": "plain", "version": "1.0.0"}
    context = PlainContext(value, answer)
    workflow = load(yaml.safe_dump({"document": head, **more, "do": tasks}, sort_keys=False))
    return await run_workflow(workflow, context), context
