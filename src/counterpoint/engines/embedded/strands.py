"""Strands: the coroutines of a run, driven by hand.

The interpreter awaits `Pending` objects; each yields itself once to the driver, which resumes the strand
when the pending is settled. A run therefore needs no task of an event loop, its strands interleave in one
fixed order, and dropping a run from memory is dropping references.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Sequence
from typing import Any

from counterpoint.core.context import Branch, CallPolicy, ChildStart, Invocation, JoinMode
from counterpoint.core.expr.program import Program, Variables
from counterpoint.core.values import Instant, JsonValue, StepKey
from counterpoint.errors import FaultRaised
from counterpoint.ports.connectors import ActionInfo


class Strand:
    """One coroutine of a run: the root, or a branch of a join."""

    __slots__ = ("coroutine", "index", "is_alive", "join", "waiting")

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], join: JoinPending | None = None, index: int = 0
    ) -> None:
        self.coroutine = coroutine
        self.join = join
        self.index = index
        self.is_alive = True
        self.waiting: Pending | None = None


class Pending:
    """What a strand waits for."""

    __slots__ = ("error", "is_settled", "strand", "value")

    def __init__(self) -> None:
        self.strand: Strand | None = None
        self.is_settled = False
        self.value: Any = None
        self.error: BaseException | None = None

    def __await__(self) -> Generator[Pending, None, Any]:
        if not self.is_settled:
            yield self
        if self.error is not None:
            raise self.error
        return self.value


class YieldPending(Pending):
    """The strand gives way."""

    __slots__ = ()


class EvaluatePending(Pending):
    """The strand waits for the expression worker; nothing of it is recorded."""

    __slots__ = ("answer", "program", "subject", "variables")

    def __init__(self, program: Program, subject: JsonValue, variables: Variables) -> None:
        super().__init__()
        self.program = program
        self.subject = subject
        self.variables = variables
        self.answer: tuple[Any, BaseException | None] | None = None


class CallPending(Pending):
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

    __slots__ = (
        "began",
        "digest",
        "doubts",
        "due",
        "handle",
        "info",
        "invocation",
        "is_halted",
        "is_open",
        "is_recorded",
        "number",
        "policy",
        "spent",
        "step",
    )

    def __init__(
        self,
        step: StepKey,
        invocation: Invocation,
        policy: CallPolicy,
        info: ActionInfo,
        digest: str,
        began: Instant,
    ) -> None:
        super().__init__()
        self.step = step
        self.invocation = invocation
        self.policy = policy
        self.info = info
        self.digest = digest
        self.number = 0
        self.is_recorded = False
        self.is_open = False
        self.handle: Any = None
        self.began = began
        self.due: Instant = 0
        self.doubts = 0
        self.is_halted = False
        self.spent = 0


class TimerPending(Pending):
    """The strand waits for an instant."""

    __slots__ = ("due", "step")

    def __init__(self, step: StepKey, due: Instant) -> None:
        super().__init__()
        self.step = step
        self.due = due


class ChildPending(Pending):
    """The strand waits for a child run."""

    __slots__ = ("child_id", "start", "step")

    def __init__(self, step: StepKey, start: ChildStart) -> None:
        super().__init__()
        self.step = step
        self.start = start
        self.child_id = ""


class JoinPending(Pending):
    """The strand waits for branches."""

    __slots__ = ("branches", "failure", "limit", "mode", "next", "results", "running", "step")

    def __init__(self, step: StepKey, branches: Sequence[Branch], mode: JoinMode, limit: int) -> None:
        super().__init__()
        self.step = step
        self.branches = branches
        self.mode = mode
        self.limit = limit or len(branches)
        self.results: list[Any] = [None] * len(branches)
        self.running: dict[int, Strand] = {}
        self.next = 0
        self.failure: FaultRaised | None = None

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
