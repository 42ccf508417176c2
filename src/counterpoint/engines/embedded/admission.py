"""Admission: starting runs, at most once per start key and at most so many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import apsw
import msgspec

from counterpoint import __version__
from counterpoint.core.values import JsonValue, Status
from counterpoint.engines.embedded.context import boundary_bytes, remember
from counterpoint.engines.embedded.execution import Execution, RunFacts
from counterpoint.engines.embedded.ids import run_id
from counterpoint.engines.embedded.inputs import Input
from counterpoint.engines.embedded.records import new_run_row
from counterpoint.engines.embedded.statements import NEW_HISTORY, NEW_RUN
from counterpoint.errors import CounterpointError, LimitExceeded, StorageError
from counterpoint.ports.engine import Deployed, Started, StartRun
from counterpoint.ports.history import InputKind

if TYPE_CHECKING:
    from counterpoint.engines.embedded.kernel import Kernel


class StartOrder(msgspec.Struct, frozen=True):
    """A start whose keys are evaluated.

    Attributes:
        request: What was asked.
        deployed: Revision to run.
        start_key: Value of the start key, or None.
        gate_key: Value of the concurrency key, or None.
        run_id: Identifier to give, or empty.
        parent: Run and step that wait for it, if any.
        depth: Nesting of runs.
        trace_id: Trace to join, or empty.
    """

    request: StartRun
    deployed: Deployed
    start_key: str | None = None
    gate_key: str | None = None
    run_id: str = ""
    parent: tuple[int, str | None] | None = None
    depth: int = 0
    trace_id: str = ""


class Admission:
    """Starts runs."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.next_run_no = 1
        self.max_open = 1_000_000

    def start(self, order: StartOrder, done: Callable[[Started | None, Exception | None], None]) -> None:
        """Start a run; `done` is called when the start is durable, or refused."""
        kernel = self._kernel
        try:
            self._check(order)
            data = boundary_bytes(order.request.input, "input", "")
        except CounterpointError as refused:
            done(None, refused)
            return
        execution, given = self.prepare(order, data)
        remember(execution, order.request.input, len(data))
        started = Started(execution.facts.id)
        if order.start_key is not None:
            self._start_once(execution, given, order.start_key, done)
            return
        given.done = lambda error: done(started if error is None else None, error)
        execution.is_new = True
        kernel.adopt(execution)
        execution.inputs.append(given)
        execution.advance()

    def _check(self, order: StartOrder) -> None:
        kernel = self._kernel
        if kernel.outbox.failure is not None:
            raise kernel.outbox.failure
        if kernel.outbox.is_full:
            raise StorageError(
                "The disk is full: no new run is taken. Free some space; running work goes on by itself.",
                is_full=True,
            )
        if len(kernel.executions) >= self.max_open:
            hint = "Wait for runs to end, or raise engine.max_open_runs."
            raise LimitExceeded(f"{len(kernel.executions)} runs are open in memory, the most allowed", hint)

    def prepare(self, order: StartOrder, data: bytes) -> tuple[Execution, Input]:
        """A new run that is not stored yet, and its first input; `data` are the bytes of the run's input."""
        kernel, deployed, request = self._kernel, order.deployed, order.request
        now, run_no = kernel.host.now(), self.next_run_no
        self.next_run_no += 1
        public = order.run_id or run_id(now, kernel.random.take(10))
        parent_no, parent_step = order.parent or (None, None)
        gate = kernel.gates.name_of(deployed, order.gate_key)
        facts = RunFacts(
            run_no,
            deployed.scope_no,
            public,
            request.actor,
            request.correlation_id or public,
            order.trace_id or kernel.random.take(16).hex(),
            gate,
            parent_no,
            parent_step,
        )
        payload: dict[str, Any] = {
            "input": msgspec.Raw(data),
            "trigger": request.trigger,
            "seed": kernel.random.take(16).hex(),
            "version": __version__,
        }
        if order.depth:
            payload["depth"] = order.depth
        status = Status.RUNNING
        if gate is not None and not kernel.gates.enter(gate, deployed, run_no):
            payload["gated"] = True
            status = Status.PENDING
        execution = Execution(kernel, facts, deployed.scope, deployed, status)
        execution.now = now
        execution.settle_at = kernel.compaction.first_offer
        given = Input(InputKind.STARTED, now, payload=payload, value=request.input, actor=request.actor)
        return execution, given

    # -- once per start key
    # --------------------------------------------------------------------------------------------

    def _start_once(
        self,
        execution: Execution,
        given: Input,
        key: str,
        done: Callable[[Started | None, Exception | None], None],
    ) -> None:
        kernel, facts = self._kernel, execution.facts
        # Whoever finds the row before the answer comes finds this execution too, and not a second one.
        execution.has_begun = False
        execution.input = given
        row = kernel.records.make_row(execution, kernel.records.told(execution, is_ending=False))
        execution.input = None
        execution.uncommitted += 1
        kernel.adopt(execution)
        run = new_run_row(execution, key)
        workflow_no = execution.deployed.workflow_no

        def decide(connection: apsw.Connection, commit_no: int) -> str | None:
            known = connection.execute(
                "SELECT id FROM runs WHERE workflow_no = ? AND start_key = ?", (workflow_no, key)
            ).get
            if known is not None:
                return str(known)
            connection.execute(NEW_RUN.sql(1), run)
            connection.execute(NEW_HISTORY.sql(1), (commit_no, *row))
            return None

        def decided(result: Any, error: StorageError | None) -> None:
            execution.uncommitted -= 1
            failure = error or (result if isinstance(result, Exception) else None)
            if failure is not None or result is not None:
                self._withdraw(execution)
                done(None if failure is not None else Started(str(result), is_new=False), failure)
                return
            done(Started(facts.id), None)
            self.go_on(execution, given)

        kernel.outbox.submit_decision(decide, decided)

    def go_on(self, execution: Execution, given: Input) -> None:
        """Let a start whose row is written reach the run; what follows from it rides in the next row."""
        execution.has_begun = True
        self._kernel.take(execution, given)
        execution.input = None
        waiting, execution.when_ready = execution.when_ready, []
        for ready, _ in waiting:
            ready(execution)
        execution.advance()

    def _withdraw(self, execution: Execution) -> None:
        self._kernel.forget(execution)
        if execution.facts.gate is not None:
            self._kernel.gates.leave(execution.facts.gate, execution.facts.run_no)


def text_key(value: JsonValue) -> str | None:
    """Text of an evaluated key; null means no key."""
    if value is None:
        return None
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
