"""The engine's logic: which run does what next, and what must be on disk before it.

Nothing here waits: every function takes one step and returns. The parts are in their own modules and share
this object: `commands` (what the interpreter asks for), `results` (what comes back), `records` (rows),
`admission` (starts and concurrency), `timers`, `compaction`, `loading`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from counterpoint.core.values import MICROS_PER_S, Instant
from counterpoint.engines.embedded import commands, doubts, results
from counterpoint.engines.embedded.admission import Admission
from counterpoint.engines.embedded.cancelling import release
from counterpoint.engines.embedded.children import Children
from counterpoint.engines.embedded.compaction import Compaction
from counterpoint.engines.embedded.context import EmbeddedContext
from counterpoint.engines.embedded.execution import Execution
from counterpoint.engines.embedded.gates import Gates
from counterpoint.engines.embedded.host import Host
from counterpoint.engines.embedded.ids import RandomPool
from counterpoint.engines.embedded.inbox import Inbox
from counterpoint.engines.embedded.inputs import Input, is_late
from counterpoint.engines.embedded.loading import Loading
from counterpoint.engines.embedded.observing import Observers
from counterpoint.engines.embedded.outbox import Outbox
from counterpoint.engines.embedded.records import Records
from counterpoint.engines.embedded.replay import Replay
from counterpoint.engines.embedded.retries import Retries
from counterpoint.engines.embedded.strands import CallPending, ChildPending, TimerPending
from counterpoint.engines.embedded.timers import Timers
from counterpoint.engines.embedded.turns import Turns
from counterpoint.errors import Conflict, EngineError, StorageError
from counterpoint.ports.connectors import AttemptResult, Connectors
from counterpoint.ports.engine import Revisions
from counterpoint.ports.history import HistoryEntry, InputKind, RunEnd
from counterpoint.ports.logs import Log
from counterpoint.ports.payloads import PayloadCodec
from counterpoint.storage.writer import Journal

log = Log("counterpoint.engine")

PASSIVATE_AFTER = 2 * MICROS_PER_S
"""A run whose next timer is further away than this leaves memory."""

MAX_RESIDENT = 20_000
"""Runs in memory above which every waiting run leaves it."""


class Kernel:
    """State of the engine.

    Args:
        host: Surroundings.
        journal: Where batches go.
        revisions: Compiled revisions.
        connectors: What calls reach.
        codec: Encoding of payloads.
        on_fatal: Told that nothing can be stored any more.
    """

    def __init__(
        self,
        host: Host,
        journal: Journal,
        revisions: Revisions,
        connectors: Connectors,
        codec: PayloadCodec,
        on_fatal: Callable[[StorageError], None],
    ) -> None:
        self.host = host
        self.revisions = revisions
        self.connectors = connectors
        self.codec = codec
        self.random = RandomPool(host.random)
        self.turns = Turns(host)
        self.outbox = Outbox(host, self.turns, journal, on_fatal)
        self.executions: dict[int, Execution] = {}
        self.by_id: dict[str, Execution] = {}
        self.observers = Observers()
        self.records = Records(self)
        self.timers = Timers(self)
        self.admission = Admission(self)
        self.gates = Gates(self)
        self.children = Children(self)
        self.inbox = Inbox(self)
        self.retries = Retries(self)
        self.compaction = Compaction(self)
        self.loading = Loading(self)
        self.is_closing = False
        self.is_guest = False

    def adopt(self, execution: Execution) -> None:
        """Keep a run in memory."""
        self.executions[execution.facts.run_no] = execution
        self.by_id[execution.facts.id] = execution

    # -- inputs -------------------------------------------------------------------------------------

    def deliver(
        self, run_no: int, make: Callable[[Execution], Input | None], refuse: Callable[[Exception], None]
    ) -> None:
        """Give a run an input, loading the run first if it is not in memory.

        Args:
            run_no: The run.
            make: Makes the input once the run is there; None when it concerns the run no more.
            refuse: Told why the run cannot take it.
        """
        execution = self.executions.get(run_no)
        if execution is not None and (execution.replay is not None or not execution.has_begun):
            execution.when_ready.append((lambda loaded: self._push(loaded, make, refuse), refuse))
        elif execution is not None:
            self._push(execution, make, refuse)
        else:
            self.loading.load(run_no, lambda loaded: self._push(loaded, make, refuse), refuse)

    def _push(
        self,
        execution: Execution,
        make: Callable[[Execution], Input | None],
        refuse: Callable[[Exception], None],
    ) -> None:
        try:
            given = make(execution)
        except Exception as error:  # noqa: BLE001 - the maker's refusal belongs to who asked
            refuse(error)
            given = None
        if given is not None:
            execution.inputs.append(given)
        execution.advance()

    def take(self, execution: Execution, given: Input) -> None:
        """Apply a live input; its row stays open until the run is idle."""
        if execution.end is not None and is_late(execution.end, given):
            self._pass_over(execution, execution.end, given)
            return
        execution.input = given
        execution.now = max(execution.now, given.at)
        execution.ticks = execution.slice_ticks = 0
        results.apply(self, execution, given, execution.seq + 1)

    def _pass_over(self, execution: Execution, end: RunEnd, given: Input) -> None:
        """An input that was in line when the run ended: it is no part of its history."""
        if given.inbox_no:
            execution.taken.discard(given.inbox_no)
            if end.status != "suspended":
                self.inbox.discard(given.inbox_no)
        if given.done is not None:
            run_id = execution.facts.id
            given.done(Conflict(f"The run {run_id} is {end.status}", "It ended while this was asked for."))

    def take_recorded(self, execution: Execution, entry: HistoryEntry, replay: Replay) -> None:
        """Apply a recorded input."""
        execution.now = max(execution.now, entry.at)
        execution.ticks = execution.slice_ticks = 0
        if entry.step and replay.is_forgotten(entry.step, entry.seq):
            return
        if entry.kind is InputKind.SETTLED and replay.has_passed(entry.step):
            settling = execution.settling.pop(entry.step, None)
            if settling is not None:
                execution.wake(settling)
        value = None
        if entry.kind is InputKind.RESULT:
            value = entry.payload.get("value")
        elif entry.kind is InputKind.STARTED:
            value = entry.payload.get("input")
        given = Input(entry.kind, entry.at, entry.step, entry.payload, value=value, actor=entry.actor)
        results.apply(self, execution, given, entry.seq)

    def replayed(self, execution: Execution, replay: Replay) -> None:
        """The history is used up: settle what is in doubt."""
        if execution.end is not None and replay.has_end:
            execution.is_end_written = True
        waiting, execution.when_ready = execution.when_ready, []
        for ready, _ in waiting:
            ready(execution)
        if self.is_guest:
            self.timers.rearm(execution)
        if execution.end is None and not execution.is_suspended:
            self.host.soon(lambda: doubts.resolve(self, execution))

    # -- what the interpreter asks for (see `commands`)
    # ------------------------------------------------------------------

    def context_of(self, execution: Execution) -> EmbeddedContext:
        """Durable context of a run."""
        if execution.info is None:
            raise RuntimeError("the run was not started")
        return EmbeddedContext(execution, execution.info)

    def issue_attempt(self, execution: Execution, call: CallPending) -> None:
        """Ask for the next attempt of a call."""
        commands.issue_attempt(self, execution, call)

    def issue_timer(self, execution: Execution, timer: TimerPending) -> None:
        """Ask for a timer."""
        commands.issue_timer(self, execution, timer)

    def issue_child(self, execution: Execution, child: ChildPending) -> None:
        """Ask for a child run."""
        commands.issue_child(self, execution, child)

    def abandon_call(self, execution: Execution, call: CallPending) -> None:
        """A call is waited for no more."""
        commands.abandon_call(self, execution, call)

    def abandon_child(self, execution: Execution, child: ChildPending) -> None:
        """A child is waited for no more."""
        commands.abandon_child(self, execution, child)

    def drop_timer(self, execution: Execution, due: Instant, step: str) -> None:
        """Delete a timer's row."""
        if execution.replay is None or execution.replay.is_open:
            self.timers.drop(execution, due, step)

    # -- ends ---------------------------------------------------------------------------------------

    def close_row(self, execution: Execution) -> None:
        """Hand the open row to the journal."""
        self.records.close_row(execution)

    def root_ended(self, execution: Execution, value: Any, error: BaseException | None) -> None:
        """The workflow came to its end, or to a fault that nothing caught."""
        results.root_ended(self, execution, value, error)

    def stop_with(self, execution: Execution, cause: str, error: EngineError) -> None:
        """Pause a run that cannot go on, without a row: its history and its document do not fit."""
        self.records.pause_without_row(execution, cause, str(error))
        for _, refuse in execution.when_ready:
            refuse(error)
        self.forget(execution)

    def rests(self, execution: Execution) -> None:
        """A run is idle: it ended, leaves memory, or stays."""
        if (
            execution.uncommitted
            or execution.inputs
            or execution.evaluations
            or execution.ready
            or execution.replay
        ):
            return
        if execution.end is not None:
            self.forget(execution)
        elif execution.is_suspended or execution.is_gated:
            if not any(call.handle is not None for call in execution.calls.values()):
                self.forget(execution)
        elif execution.is_waiting and self._may_leave(execution):
            self.forget(execution)

    def _may_leave(self, execution: Execution) -> bool:
        if len(self.executions) > MAX_RESIDENT:
            return True
        dues = [timer.due for timer in execution.timers.values()]
        dues += [call.due for call in execution.calls.values() if call.due]
        return not dues or min(dues) - self.host.now() > PASSIVATE_AFTER

    def forget(self, execution: Execution) -> None:
        """Drop a run from memory; its rows hold everything."""
        if execution.is_dropped:
            return
        execution.is_dropped = True
        if self.executions.get(execution.facts.run_no) is execution:
            del self.executions[execution.facts.run_no]
            del self.by_id[execution.facts.id]
        for call in execution.calls.values():
            if call.handle is not None:
                call.handle.cancel()
        release(execution)
        for given in execution.inputs:
            # What arrived too late for this copy of the run goes to the next one.
            self.loading.pass_on(execution.facts.run_no, given)
        execution.inputs.clear()

    def results_of(self, execution: Execution, call: CallPending, number: int, result: AttemptResult) -> None:
        """An attempt ended."""
        results.take_result(self, execution, call, number, result)

    def record_result(self, execution: Execution, call: CallPending, result: AttemptResult) -> None:
        """The outcome of an attempt is certain by now."""
        results.record_result(self, execution, call, result)

    def report_bug(self, execution: Execution, bug: BaseException) -> None:
        """Log an error of ours with its traceback."""
        log.error("interpreter failed", run=execution.facts.id, exc_info=bug)
