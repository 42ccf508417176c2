"""A second host for the interpreter: the durable context on top of Temporal's workflow API.

It exists to keep the context honest: what the interpreter asks for must be possible elsewhere than in our
engine. An attempt is an activity, a backoff and a wait are timers, a child is a child workflow, a foreign
program a local activity.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from temporalio import workflow
from temporalio.common import RetryPolicy as ActivityRetries

from counterpoint.core.context import (
    Branch,
    CallPolicy,
    ChildStart,
    Decision,
    Invocation,
    JoinMode,
    RunInfo,
    Settled,
)
from counterpoint.core.expr.program import ExpressionFailed, Program, Variables
from counterpoint.core.values import Instant, JsonValue, Scope, StepKey, from_datetime, idempotency_key
from counterpoint.engines.embedded.retry_plan import Next, plan_after
from counterpoint.engines.embedded.strands import CallPending
from counterpoint.errors import Fault, FaultRaised, standard_fault
from counterpoint.ports.connectors import ActionInfo, Attempt, AttemptResult, Verdict

PURE_TASKS = 100_000
"""Tasks that a run may take without an input; the same number as in the embedded engine."""

ATTEMPT = "perform_attempt"
EVALUATE = "evaluate_program"

Describe = Callable[[Invocation], ActionInfo | None]
ChildOf = Callable[[StepKey, ChildStart], Awaitable[JsonValue]]


class AskedAttempt(msgspec.Struct, frozen=True):
    """An attempt on its way from the workflow to the activity."""

    run_id: str
    workflow: str
    step: str
    number: int
    invocation: Invocation
    key: str
    key_header: str
    correlation_id: str
    traceparent: str

    def as_attempt(self) -> Attempt:
        """The attempt as the connectors see it."""
        return Attempt(scope=Scope("conformance"), **msgspec.structs.asdict(self))


class TemporalContext:
    """Implements `DurableContext` inside a Temporal workflow.

    Args:
        case: Name of the case, so that activities find its surroundings.
        run: What is fixed for the run.
        describe: What a function declares.
        start_child: Starts a child workflow and gives its output.
    """

    def __init__(self, case: str, run: RunInfo, describe: Describe, start_child: ChildOf) -> None:
        self.run = run
        self._case = case
        self._describe = describe
        self._start_child = start_child
        self._ticks = 0

    @property
    def now(self) -> Instant:
        return from_datetime(workflow.now())

    async def call(self, step: StepKey, invocation: Invocation, policy: CallPolicy) -> JsonValue:
        info = self._describe(invocation)
        if info is None:
            detail = f"there is no function {invocation.target}"
            raise FaultRaised(standard_fault("configuration", detail, invocation.pointer))
        call = CallPending(
            step=step, invocation=invocation, policy=policy, info=info, digest="", began=self.now
        )
        while True:
            call.number += 1
            result = await self._attempt(call)
            self._ticks = 0
            if result.verdict is Verdict.DONE:
                return result.value
            fault = _placed(result.fault, invocation.pointer)
            result = msgspec.structs.replace(result, fault=fault)
            plan = plan_after(call, result, self.now, self.entropy(step.part("attempt").item(call.number)))
            if plan.next is not Next.AGAIN:
                raise FaultRaised(fault, step.text)
            if plan.wait:
                await workflow.sleep(plan.wait / 1_000_000)

    async def _attempt(self, call: CallPending) -> AttemptResult:
        policy, step = call.policy, call.step
        own = StepKey(step.text, f"{step.identity}@{call.number}") if policy.key_per_attempt else step
        asked = AskedAttempt(
            run_id=self.run.id,
            workflow=self._case,
            step=step.text,
            number=call.number,
            invocation=call.invocation,
            key=policy.idempotency_key or idempotency_key(self.run.id, own),
            key_header=policy.idempotency_header,
            correlation_id=self.run.correlation_id,
            traceparent=f"00-{self.run.trace_id}-{hashlib.sha256(step.text.encode()).hexdigest()[:16]}-01",
        )
        answer: str = await workflow.execute_activity(
            ATTEMPT,
            args=[self._case, msgspec.json.encode(asked).decode()],
            result_type=str,
            start_to_close_timeout=timedelta(seconds=60),
            retry_policy=ActivityRetries(maximum_attempts=1),
            cancellation_type=workflow.ActivityCancellationType.ABANDON,
        )
        return msgspec.json.decode(answer, type=AttemptResult)

    async def sleep(self, step: StepKey, until: Instant) -> None:
        while (left := until - self.now) > 0:
            await workflow.sleep(left / 1_000_000)
        self._ticks = 0

    async def start_child(self, step: StepKey, child: ChildStart) -> JsonValue:
        output = await self._start_child(step, child)
        self._ticks = 0
        return output

    async def evaluate(self, program: Program, value: JsonValue, variables: Variables) -> JsonValue:
        question = msgspec.json.encode([program.text, value, dict(variables)]).decode()
        answer: str = await workflow.execute_local_activity(
            EVALUATE,
            args=[question],
            result_type=str,
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=ActivityRetries(maximum_attempts=1),
        )
        kind, result = msgspec.json.decode(answer)
        if kind == "failed":
            raise ExpressionFailed(result)
        return result

    async def join(
        self, step: StepKey, branches: Sequence[Branch], mode: JoinMode, limit: int = 0
    ) -> list[Any]:
        return await _Join(branches, mode, limit).run()

    def entropy(self, step: StepKey) -> bytes:
        return hashlib.sha256(f"{self.run.id}\n{step.text}".encode()).digest()

    def recall(self, sequence: StepKey) -> Settled | None:
        return None

    def settle(self, sequence: StepKey, settled: Callable[[], Settled]) -> None:
        """Temporal could continue as new here; the cases are too short for that."""

    def tick(self) -> bool:
        self._ticks += 1
        if self._ticks >= PURE_TASKS:
            raise FaultRaised(standard_fault("runtime", f"{PURE_TASKS} tasks without an input"))
        return self._ticks % 200 == 0

    def is_due(self) -> bool:
        return False

    async def give_way(self) -> None:
        await asyncio.sleep(0)

    def note(self, decision: Decision) -> None:
        """Temporal's history has no place for a decision; the adapter will write a memo."""


class _Join:
    """Branches of one join, on the workflow's own deterministic loop."""

    def __init__(self, branches: Sequence[Branch], mode: JoinMode, limit: int) -> None:
        self._makers: list[Callable[[], Coroutine[Any, Any, Any]]] = [make for _, make in branches]
        self._mode = mode
        self._limit = limit or len(branches)
        self._results: list[Any] = [None] * len(branches)
        self._running: dict[asyncio.Task[Any], int] = {}
        self._next = 0
        self._failure: BaseException | None = None

    async def run(self) -> list[Any]:
        try:
            while self._running or self._next < len(self._makers):
                self._spawn()
                done, _ = await workflow.wait(list(self._running), return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(done, key=self._running.__getitem__):
                    if self._take(task):
                        return self._results
        finally:
            await self._cancel_losers()
        if self._failure is not None:
            raise self._failure
        return self._results

    def _spawn(self) -> None:
        while self._next < len(self._makers) and len(self._running) < self._limit:
            self._running[asyncio.create_task(self._makers[self._next]())] = self._next
            self._next += 1

    def _take(self, task: asyncio.Task[Any]) -> bool:
        """Take the end of a branch; true when the join is over."""
        index = self._running.pop(task)
        error = task.exception()
        if error is None:
            self._results[index] = task.result()
            self._failure = None if self._mode is JoinMode.FIRST_SUCCESS else self._failure
            return self._mode is not JoinMode.ALL
        if self._mode is JoinMode.FIRST_SUCCESS and isinstance(error, FaultRaised):
            self._failure = error
            return False
        raise error

    async def _cancel_losers(self) -> None:
        losers = list(self._running)
        for task in losers:
            task.cancel()
        for task in losers:
            try:
                await task
            except (asyncio.CancelledError, Exception):  # a loser's end interests nobody
                continue


def _placed(fault: Fault | None, pointer: str) -> Fault:
    if fault is None:
        return standard_fault("runtime", "the function failed and did not say why", pointer)
    return fault if fault.instance else msgspec.structs.replace(fault, instance=pointer)
