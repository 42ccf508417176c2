"""The durable context of the embedded engine: what the interpreter asks becomes pendings and commands."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

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
from counterpoint.core.expr.program import Program, Variables
from counterpoint.core.values import (
    MAX_DEPTH,
    MAX_VALUE_BYTES,
    Instant,
    JsonValue,
    Known,
    StepKey,
    encode_json,
    excess_of,
    is_too_deep,
)
from counterpoint.engines.embedded import ids
from counterpoint.engines.embedded.budgets import (
    HEAVY_BYTES,
    KNOWN_BYTES,
    KNOWN_LEVELS,
    KNOWN_MEMBERS,
    MAX_BRANCHES,
    MAX_DECISIONS,
    MAX_KNOWN,
    MAX_PURE_TASKS,
    SLICE_TASKS,
)
from counterpoint.engines.embedded.strands import (
    CallPending,
    ChildPending,
    EvaluatePending,
    JoinPending,
    Pending,
    TimerPending,
    YieldPending,
)
from counterpoint.errors import FaultRaised, standard_fault
from counterpoint.ports.history import Command

if TYPE_CHECKING:
    from counterpoint.engines.embedded.execution import Execution


def failed(error: BaseException) -> Pending:
    """A pending that raises at once."""
    pending = Pending()
    pending.is_settled = True
    pending.error = error
    return pending


def remember(execution: Execution, value: JsonValue, size: int) -> None:
    """Note that a value came as a text of so many bytes, and the parts near its top with it.

    What pure work builds around it then needs no walk through it before it is written.
    """
    if size < KNOWN_BYTES:
        return
    known = execution.known
    if len(known) >= MAX_KNOWN:
        known.clear()
    level = [value]
    for _ in range(KNOWN_LEVELS):
        below: list[JsonValue] = []
        for part in level:
            if isinstance(part, dict | list) and len(known) < MAX_KNOWN:
                known[id(part)] = (part, size)
                if len(part) <= KNOWN_MEMBERS:
                    below.extend(part.values() if isinstance(part, dict) else part)
        level = below


def boundary_bytes(value: JsonValue, what: str, pointer: str, known: Known | None = None) -> bytes:
    """JSON bytes of a value that leaves or enters a run; `known` parts came as JSON themselves.

    Raises:
        FaultRaised: runtime/500 when it is too deep or too large, or no JSON.
    """
    excess = excess_of(value, known=known)
    if excess:
        raise FaultRaised(standard_fault("runtime", f"The {what} {excess}", pointer))
    if known:
        return arrived_bytes(value, what, pointer)
    return _encoded(value, what, pointer)


def arrived_bytes(value: JsonValue, what: str, pointer: str) -> bytes:
    """JSON bytes of a value in which nothing is shared, because it came as a text.

    Raises:
        FaultRaised: As `boundary_bytes`.
    """
    data = _encoded(value, what, pointer)
    if is_too_deep(data):
        detail = f"The {what} is nested deeper than {MAX_DEPTH} levels"
        raise FaultRaised(standard_fault("runtime", detail, pointer))
    return data


def _encoded(value: JsonValue, what: str, pointer: str) -> bytes:
    try:
        data = encode_json(value)
    except (RecursionError, ValueError, TypeError, OverflowError) as bad:
        raise FaultRaised(
            standard_fault("runtime", f"The {what} is no JSON value that can be stored: {bad}", pointer)
        ) from bad
    if len(data) > MAX_VALUE_BYTES:
        detail = f"The {what} is larger than {MAX_VALUE_BYTES:,} bytes"
        raise FaultRaised(standard_fault("runtime", detail, pointer))
    return data


class EmbeddedContext:
    """Implements `DurableContext` on an execution."""

    __slots__ = ("_execution", "run")

    def __init__(self, execution: Execution, run: RunInfo) -> None:
        self._execution = execution
        self.run = run

    @property
    def now(self) -> Instant:
        """Instant of the input that is being worked on."""
        return self._execution.now

    def call(self, step: StepKey, invocation: Invocation, policy: CallPolicy) -> Awaitable[JsonValue]:
        """See `DurableContext.call`; the fingerprint is keyed with the seed: it tells nothing of secrets."""
        execution = self._execution
        info = execution.kernel.connectors.describe(invocation)
        if info is None:
            detail = f"There is no function `{invocation.target}` here; its connector is not loaded"
            return failed(FaultRaised(standard_fault("configuration", detail, invocation.pointer)))
        try:
            data = boundary_bytes(
                invocation.arguments, "value of the arguments", invocation.pointer, execution.known
            )
        except FaultRaised as fault:
            return failed(fault)
        if len(data) > HEAVY_BYTES:
            execution.is_heavy = True
        digest = hashlib.sha256(execution.seed + invocation.target.encode() + data).hexdigest()[:32]
        pending = CallPending(
            step=step, invocation=invocation, policy=policy, info=info, digest=digest, began=execution.now
        )
        execution.calls[step.text] = pending
        execution.kernel.issue_attempt(execution, pending)
        return pending

    def sleep(self, step: StepKey, until: Instant) -> Awaitable[None]:
        """See `DurableContext.sleep`."""
        execution = self._execution
        pending = TimerPending(step=step, due=until)
        execution.timers[step.text] = pending
        execution.kernel.issue_timer(execution, pending)
        return pending

    def start_child(self, step: StepKey, child: ChildStart) -> Awaitable[JsonValue]:
        """See `DurableContext.start_child`."""
        execution = self._execution
        try:
            boundary_bytes(child.input, "child's input", child.pointer)
        except FaultRaised as fault:
            return failed(fault)
        pending = ChildPending(step=step, start=child)
        execution.kernel.issue_child(execution, pending)
        return pending

    def evaluate(self, program: Program, value: JsonValue, variables: Variables) -> Awaitable[JsonValue]:
        """See `DurableContext.evaluate`; answers are taken in the order of the questions."""
        execution = self._execution
        pending = EvaluatePending(program=program, subject=value, variables=variables)
        execution.evaluations.append(pending)

        def answered(result: Any, error: BaseException | None) -> None:
            pending.answer = (result, error)
            execution.advance()

        execution.kernel.host.evaluate(program.text, value, variables, answered)
        return pending

    def join(
        self, step: StepKey, branches: Sequence[Branch], mode: JoinMode, limit: int = 0
    ) -> Awaitable[list[Any]]:
        """See `DurableContext.join`."""
        pending = JoinPending(
            step=step,
            branches=branches,
            mode=mode,
            limit=limit or len(branches),
            results=[None] * len(branches),
        )
        if not branches:
            pending.is_settled, pending.value = True, []
            return pending
        execution = self._execution
        execution.branches += len(branches)
        if execution.branches > MAX_BRANCHES:
            execution.branches -= len(branches)
            detail = f"The run would have more than {MAX_BRANCHES:,} concurrent branches"
            return failed(FaultRaised(standard_fault("runtime", detail)))
        execution.ready.extend(pending.spawn())
        return pending

    def entropy(self, step: StepKey) -> bytes:
        """See `DurableContext.entropy`."""
        return ids.entropy(self._execution.seed, step.text)

    def recall(self, sequence: StepKey) -> Awaitable[Settled] | None:
        """See `DurableContext.recall`."""
        execution = self._execution
        settled = execution.recalled.get(sequence.text) if execution.recalled else None
        if settled is None:
            return None
        replay = execution.replay
        pending = Pending(value=settled)
        if replay is None or replay.has_passed(sequence.text):
            pending.is_settled = True
        else:
            execution.settling[sequence.text] = pending
        return pending

    def settle(self, sequence: StepKey, settled: Callable[[], Settled]) -> None:
        """See `DurableContext.settle`; taken when enough live rows have gathered."""
        execution = self._execution
        if len(execution.live) >= execution.settle_at and execution.replay is None:
            execution.kernel.compaction.offer(execution, sequence.text, settled)

    def tick(self) -> bool:
        """See `DurableContext.tick`."""
        execution = self._execution
        ticks = execution.ticks = execution.ticks + 1
        if ticks >= MAX_PURE_TASKS:
            detail = f"The run took {MAX_PURE_TASKS:,} tasks without waiting for anything: an endless loop?"
            raise FaultRaised(standard_fault("runtime", detail))
        if ticks - execution.slice_ticks < SLICE_TASKS:
            return self.is_due()
        execution.slice_ticks = ticks
        return True

    def is_due(self) -> bool:
        """See `DurableContext.is_due`."""
        execution = self._execution
        if execution.is_heavy:
            execution.is_heavy = False
            return True
        return execution.kernel.host.monotonic_s() >= execution.slice_ends

    def give_way(self) -> Awaitable[None]:
        """See `DurableContext.give_way`."""
        return YieldPending()

    def note(self, decision: Decision) -> None:
        """See `DurableContext.note`."""
        execution = self._execution
        if execution.replay is not None:
            return
        decisions = execution.decisions
        decisions.append(decision)
        if len(decisions) >= 2 * MAX_DECISIONS:
            # An endless loop decides without end; its row must not grow with it.
            del decisions[:MAX_DECISIONS]


def attempt_command(call: CallPending) -> Command:
    """Command row of an attempt."""
    invocation, policy = call.invocation, call.policy
    return Command(
        "attempt",
        call.step.text,
        call.digest,
        call.number,
        0,
        invocation.pointer,
        invocation.task,
        invocation.target,
        is_keyed=policy.is_idempotent,
        key=policy.idempotency_key or "",
    )
