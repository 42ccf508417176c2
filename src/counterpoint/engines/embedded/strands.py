"""Strands: the coroutines of a run, driven by hand.

The interpreter awaits `Pending` objects; each yields itself once to the driver, which resumes the strand
when the pending is settled. A run therefore needs no task of an event loop, its strands interleave in one
fixed order, and dropping a run from memory is dropping references.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Sequence
from typing import Any

import msgspec

from counterpoint.core.context import Branch, CallPolicy, ChildStart, Invocation, JoinMode
from counterpoint.core.expr.program import Program, Variables
from counterpoint.core.values import Instant, JsonValue, StepKey
from counterpoint.errors import FaultRaised
from counterpoint.ports.connectors import ActionInfo


class Strand(msgspec.Struct, eq=False):
    """One coroutine of a run: the root, or a branch of a join.

    Structs here and below instead of classes with `__init__`: each step makes some, and they are made in C.
    """

    coroutine: Coroutine[Any, Any, Any]
    join: JoinPending | None = None
    index: int = 0
    is_alive: bool = True
    waiting: Pending | None = None


class Pending(msgspec.Struct, eq=False, kw_only=True):
    """What a strand waits for."""

    strand: Strand | None = None
    is_settled: bool = False
    value: Any = None
    error: BaseException | None = None

    def __await__(self) -> Generator[Pending, None, Any]:
        if not self.is_settled:
            yield self
        if self.error is not None:
            raise self.error
        return self.value


class YieldPending(Pending, eq=False):
    """The strand gives way."""


class EvaluatePending(Pending, eq=False, kw_only=True):
    """The strand waits for the expression worker; nothing of it is recorded."""

    program: Program
    subject: JsonValue
    variables: Variables
    answer: tuple[Any, BaseException | None] | None = None


class CallPending(Pending, eq=False, kw_only=True):
    """The strand waits for the outcome of a call.

    Attributes:
        number: Number of the latest attempt.
        is_recorded: Whether the latest attempt was found in the history (so its effect may exist).
        is_open: Whether the latest attempt has no outcome yet.
        handle: Handle of the attempt under way.
        began: Instant of the first attempt.
        due: Instant of the backoff timer, when one is set.
        doubts: Attempts in a row without an outcome.
        is_halted: Whether the run paused or faulted over this call; a retry goes on with it.
        spent: Attempts before the latest retry of the run; they do not count against the policy.
    """

    step: StepKey
    invocation: Invocation
    policy: CallPolicy
    info: ActionInfo
    digest: str
    began: Instant
    number: int = 0
    is_recorded: bool = False
    is_open: bool = False
    handle: Any = None
    due: Instant = 0
    doubts: int = 0
    is_halted: bool = False
    spent: int = 0


class TimerPending(Pending, eq=False, kw_only=True):
    """The strand waits for an instant."""

    step: StepKey
    due: Instant


class ChildPending(Pending, eq=False, kw_only=True):
    """The strand waits for a child run."""

    step: StepKey
    start: ChildStart
    child_id: str = ""


class JoinPending(Pending, eq=False, kw_only=True):
    """The strand waits for branches; `limit` says how many at once."""

    step: StepKey
    branches: Sequence[Branch]
    mode: JoinMode
    limit: int
    results: list[Any]
    running: dict[int, Strand] = msgspec.field(default_factory=dict)
    next: int = 0
    failure: FaultRaised | None = None

    def spawn(self) -> list[Strand]:
        """Start branches up to the limit; gives the new strands in order."""
        fresh = []
        while self.next < len(self.branches) and len(self.running) < self.limit:
            _, make = self.branches[self.next]
            strand = Strand(make(), self, self.next)
            self.running[self.next] = strand
            self.next += 1
            fresh.append(strand)
        return fresh

    def note_end(self, strand: Strand, value: Any, error: BaseException | None) -> bool:
        """Take the end of a branch; true when the join is over: its value or error is then set."""
        self.running.pop(strand.index, None)
        if isinstance(error, FaultRaised) and self.mode is JoinMode.FIRST_SUCCESS:
            self.failure = error
        elif error is not None:
            self.error = error
            return True
        else:
            self.results[strand.index] = value
            if self.mode is not JoinMode.ALL:
                self.value = self.results
                return True
        if self.running or self.next < len(self.branches):
            return False
        if self.mode is JoinMode.FIRST_SUCCESS:
            self.error = self.failure
        self.value = self.results
        return True
