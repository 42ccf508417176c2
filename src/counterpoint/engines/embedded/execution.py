"""One run in memory: its strands, what they wait for, and the row being written.

The cycle: take one input, resume the strands that it concerns, run all strands until none can go on, close
the row. The row holds the input and the commands that followed; it goes to the journal with the rows of
other runs, and only once it is durable do the effects of its commands begin. Live and replay are the same
cycle; replay takes its inputs from the history and writes nothing.

Determinism within a cycle: strands are resumed in the order in which they became ready, answers of the
expression worker are taken in the order of the questions and only when no strand is ready, and a live input
waits until nothing else is left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from counterpoint.core.context import Decision, RunInfo, Settled
from counterpoint.core.interp import run_workflow
from counterpoint.core.interp.scope import WorkflowEnded
from counterpoint.core.values import Instant, JsonValue, Scope, Status
from counterpoint.engines.embedded.cancelling import cancel_strand
from counterpoint.engines.embedded.inputs import Input
from counterpoint.engines.embedded.replay import Replay
from counterpoint.engines.embedded.rows import GENESIS
from counterpoint.engines.embedded.strands import (
    CallPending,
    ChildPending,
    EvaluatePending,
    Pending,
    Strand,
    TimerPending,
    YieldPending,
)
from counterpoint.errors import EngineError, FaultRaised, NonDeterminismError, standard_fault
from counterpoint.ports.engine import Deployed
from counterpoint.ports.history import Command, RunEnd
from counterpoint.storage.bulk import Bulk

if TYPE_CHECKING:
    from counterpoint.engines.embedded.kernel import Kernel


class RunFacts(msgspec.Struct, frozen=True):
    """What the row of a run says and never changes."""

    run_no: int
    scope_no: int
    id: str
    actor: str
    correlation_id: str
    trace_id: str
    gate: str | None = None
    parent_no: int | None = None
    parent_step: str | None = None


class Failure(msgspec.Struct, frozen=True):
    """The latest call whose attempts were spent: what the run's cause tells of it."""

    step: str
    task: str
    target: str
    verdict: str
    attempts: int


class LiveRow(msgspec.Struct):
    """What compaction must know of a row that is still stored; a bare one brought no input of its own."""

    seq: int
    step: str
    commands: tuple[str, ...]
    before: bytes
    after: bytes
    size: int
    is_bare: bool = False


# Slots and not a dictionary: with more than thirty names a dictionary is not shared between instances,
# and every
# look-up of a step pays for it.
_STATE = """
    _is_advancing afterwards also births branches calls child_nos children commands decisions
    deployed depth end evaluations facts failure forget gaps has_begun has_turn head held info input
    inputs is_dropped is_end_written is_gated is_heavy is_new is_settling is_suspended kernel known
    launches live live_bytes now output ready recalled replay root scope seed seq settle_at settling
    slice_ends slice_ticks status taken ticks timers uncommitted voids when_ready
"""


class Execution:
    """A run in memory."""

    __slots__ = tuple(_STATE.split())

    def __init__(
        self, kernel: Kernel, facts: RunFacts, scope: Scope, deployed: Deployed, status: Status
    ) -> None:
        self.kernel = kernel
        self.facts = facts
        self.scope = scope
        self.deployed = deployed
        self.status = status
        self.info: RunInfo | None = None
        self.seed = b""
        self.now: Instant = 0
        self.seq = 0
        self.head = GENESIS
        self.ready: deque[Strand] = deque()
        self.evaluations: deque[EvaluatePending] = deque()
        self.calls: dict[str, CallPending] = {}
        self.timers: dict[str, TimerPending] = {}
        self.children: dict[str, ChildPending] = {}
        self.inputs: deque[Input] = deque()
        self.held: deque[tuple[Input, int]] = deque()
        self.when_ready: list[tuple[Callable[[Execution], None], Callable[[Exception], None]]] = []
        self.replay: Replay | None = None
        self.recalled: dict[str, Settled] = {}
        self.settling: dict[str, Pending] = {}
        self.voids: frozenset[int] = frozenset()
        self.child_nos: dict[str, int] = {}
        self.root: Strand | None = None
        self.end: RunEnd | None = None
        self.output: Any = None
        self.failure: Failure | None = None
        self.is_new = False
        self.has_begun = True
        self.depth = 0
        self.taken: set[int] = set()
        self.is_end_written = False
        self.is_suspended = False
        self.is_gated = False
        self.is_dropped = False
        self.uncommitted = 0
        self._begin_row()
        self._begin_budgets()

    def _begin_row(self) -> None:
        """The row being written: nothing yet."""
        self.input: Input | None = None
        self.commands: list[Command] = []
        self.decisions: list[Decision] = []
        self.launches: list[CallPending] = []
        self.births: list[ChildPending] = []
        self.forget: list[int] = []
        self.also: list[tuple[Bulk, tuple[Any, ...]]] = []
        self.afterwards: list[Callable[[], None]] = []

    def _begin_budgets(self) -> None:
        """Budgets and compaction: nothing used yet."""
        self.ticks = 0
        self.branches = 0
        self.is_heavy = False
        self.known: dict[int, tuple[JsonValue, int]] = {}
        self.slice_ticks = 0
        self.slice_ends = 0.0
        self.live: list[LiveRow] = []
        self.live_bytes = 0
        self.gaps: list[list[Any]] = []
        self.settle_at = 0
        self.is_settling = False
        self.has_turn = False
        self._is_advancing = False

    # -- the cycle ----------------------------------------------------------------------------------

    def begin(self, root: Coroutine[Any, Any, Any]) -> None:
        """Make the root strand ready."""
        self.root = Strand(root)
        self.ready.append(self.root)

    async def body(self) -> tuple[Any, Any]:
        """Coroutine of the root strand: the workflow, then its business outcome."""
        workflow = self.deployed.workflow
        context = self.kernel.context_of(self)
        output = await run_workflow(workflow, context)
        program = workflow.extras.outcome
        if program is None:
            return output, None
        if program.native is not None:
            return output, program.native(output, {})
        return output, await context.evaluate(program, output, {})

    def advance(self) -> None:
        """Go on as far as possible; safe to call at any time on the engine's thread."""
        if self._is_advancing or self.is_dropped:
            return
        if self.kernel.turns.is_spent():
            self._wait_turn()
            return
        self._is_advancing = True
        try:
            self._advance()
        except NonDeterminismError as error:
            self.kernel.stop_with(self, "nonDeterminism", error)
        except EngineError as error:
            self.kernel.stop_with(self, error.code, error)
        finally:
            self._is_advancing = False
        if not self.is_dropped:
            self.kernel.rests(self)

    def _advance(self) -> None:
        self.slice_ends = self.kernel.turns.ends
        while True:
            if not self._run_ready():
                return
            if self.evaluations:
                if self.evaluations[0].answer is None:
                    return
                self._take_answer(self.evaluations.popleft())
                continue
            if self.replay is not None:
                if self.kernel.host.monotonic_s() >= self.slice_ends:
                    # A long history comes back in many turns; nothing live reaches the run before its end.
                    self._wait_turn()
                    return
                self._replay_next(self.replay)
                continue
            self.kernel.close_row(self)
            if not self.inputs or self.is_dropped:
                return
            if self.kernel.host.monotonic_s() >= self.slice_ends:
                self._wait_turn()
                return
            self.kernel.take(self, self.inputs.popleft())

    def _replay_next(self, replay: Replay) -> None:
        if replay.rows:
            self.kernel.take_recorded(self, replay.next(), replay)
            return
        replay.check_complete()
        self.replay = None
        self.kernel.replayed(self, replay)

    def _run_ready(self) -> bool:
        """Resume strands until none is ready; false when one gave way."""
        ready = self.ready
        while ready:
            strand = ready.popleft()
            if not strand.is_alive:
                continue
            strand.waiting = None
            try:
                pending = strand.coroutine.send(None)
            except StopIteration as stop:
                self._strand_ended(strand, stop.value, None)
            except (FaultRaised, WorkflowEnded) as error:
                self._strand_ended(strand, None, error)
            except EngineError:
                raise
            except RecursionError:
                fault = standard_fault("runtime", "A value is nested too deep, or tasks are")
                self._strand_ended(strand, None, FaultRaised(fault))
            except Exception as bug:  # noqa: BLE001 - a bug of ours must fault this run, not end the engine
                self.kernel.report_bug(self, bug)
                fault = standard_fault("runtime", f"Internal error: {type(bug).__name__}")
                self._strand_ended(strand, None, FaultRaised(fault))
            else:
                pending.strand = strand
                strand.waiting = pending
                if type(pending) is YieldPending:
                    pending.is_settled = True
                    # First in line again: when a run gives way depends on the clock, and the order of its
                    # strands must not.
                    ready.appendleft(strand)
                    self._give_way()
                    return False
        return True

    def _give_way(self) -> None:
        if self.replay is None:
            # The outcome that led here must not wait on disk for the rest of the pure work.
            self.kernel.close_row(self)
        self._wait_turn()

    def _wait_turn(self) -> None:
        if not self.has_turn:
            self.has_turn = True
            self.kernel.turns.wait(self._take_turn)

    def _take_turn(self) -> None:
        self.has_turn = False
        self.advance()

    def _strand_ended(self, strand: Strand, value: Any, error: BaseException | None) -> None:
        strand.is_alive = False
        join = strand.join
        if join is None:
            self.kernel.root_ended(self, value, error)
            return
        if join.is_settled:
            return
        if join.note_end(strand, value, error):
            for other in list(join.running.values()):
                cancel_strand(self, other)
            join.running.clear()
            self.branches -= len(join.branches)
            self.wake(join)
        else:
            self.ready.extend(join.spawn())

    def _take_answer(self, pending: EvaluatePending) -> None:
        if pending.answer is not None:
            pending.value, pending.error = pending.answer
            self.wake(pending)

    # -- settling and cancelling
    # ---------------------------------------------------------------------------------------

    def wake(self, pending: Pending) -> None:
        """The pending is settled: resume its strand."""
        pending.is_settled = True
        strand = pending.strand
        if strand is not None and strand.is_alive:
            self.ready.append(strand)

    def settle(self, pending: Pending, value: Any = None, error: BaseException | None = None) -> None:
        """Settle a pending with a value or an error."""
        pending.value = value
        pending.error = error
        self.wake(pending)

    @property
    def is_at_work(self) -> bool:
        """Whether a row that is closed now stands in the middle of what follows from its input."""
        return bool(self.ready or self.evaluations or self.is_settling or not self.has_begun)

    @property
    def is_waiting(self) -> bool:
        """Whether the run waits for timers and children alone."""
        if self.is_at_work:
            # Recovery must find it at work; nothing else wakes it.
            return False
        if any(not call.is_settled for call in self.launches):
            return False
        return not self.calls or not any(call.is_open for call in self.calls.values())

    def standing(self) -> Status:
        """Status that the row of the run should show."""
        if not self.has_begun:
            return self.status  # as it was admitted: nothing of it has run yet
        if self.end is not None:
            return Status[self.end.status.upper()]
        if self.is_suspended:
            return Status.SUSPENDED
        if self.is_gated:
            return Status.PENDING
        return Status.WAITING if self.is_waiting else Status.RUNNING
