"""Admission: starting runs, at most once per start key and at most so many at once."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import apsw
import msgspec

from counterpoint import __version__
from counterpoint.core.values import JsonValue, Status
from counterpoint.engines.embedded.context import boundary_bytes
from counterpoint.engines.embedded.execution import Execution, RunFacts
from counterpoint.engines.embedded.ids import run_id
from counterpoint.engines.embedded.inputs import Input
from counterpoint.engines.embedded.records import new_run_row
from counterpoint.engines.embedded.rows import (
    BLOB_BYTES,
    GENESIS,
    ROW_FORMAT,
    SEQ_BITS,
    RowBody,
    chain,
    columns_text,
    encode_body,
)
from counterpoint.engines.embedded.statements import NEW_HISTORY, NEW_RUN
from counterpoint.engines.embedded.strands import ChildPending
from counterpoint.errors import CounterpointError, FaultRaised, LimitExceeded, StorageError, standard_fault
from counterpoint.ports.engine import Deployed, Started, StartRun
from counterpoint.ports.history import InputKind

if TYPE_CHECKING:
    from counterpoint.engines.embedded.kernel import Kernel

MAX_CHILD_DEPTH = 32
"""How deep runs may nest."""


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


class Gate:
    """Runs of one concurrency key."""

    __slots__ = ("active", "limit", "waiting")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.active: set[int] = set()
        self.waiting: deque[int] = deque()


class Admission:
    """Starts runs."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.next_run_no = 1
        self.max_open = 1_000_000
        self._gates: dict[str, Gate] = {}

    def start(self, order: StartOrder, done: Callable[[Started | None, Exception | None], None]) -> None:
        """Start a run; `done` is called when the start is durable, or refused."""
        kernel = self._kernel
        try:
            self._check(order)
            data = boundary_bytes(order.request.input, "input", "")
        except CounterpointError as refused:
            done(None, refused)
            return
        execution, given = self._prepare(order, data)
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
        if order.depth > MAX_CHILD_DEPTH:
            detail = f"Runs are nested deeper than {MAX_CHILD_DEPTH}: does a workflow run itself?"
            raise FaultRaised(standard_fault("runtime", detail))

    def _prepare(self, order: StartOrder, data: bytes) -> tuple[Execution, Input]:
        kernel, deployed, request = self._kernel, order.deployed, order.request
        now, run_no = kernel.host.now(), self.next_run_no
        self.next_run_no += 1
        public = order.run_id or run_id(now, kernel.random.take(10))
        parent_no, parent_step = order.parent or (None, None)
        gate = self._gate_name(order)
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
        if gate is not None and not self._enter(gate, order, run_no):
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
        row, blob = self._first_row(execution, given)
        if blob is not None:
            kernel.outbox.add_blob(*blob)
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
            failure = error or (result if isinstance(result, Exception) else None)
            if failure is not None or result is not None:
                self._withdraw(execution)
                done(None if failure is not None else Started(str(result), is_new=False), failure)
                return
            done(Started(facts.id), None)
            self._begin_recorded(execution, given)

        kernel.outbox.submit_decision(decide, decided)

    def _first_row(
        self, execution: Execution, given: Input
    ) -> tuple[tuple[Any, ...], tuple[str, bytes] | None]:
        """The STARTED row by itself, in the order of `statements.NEW_HISTORY`."""
        kernel, facts = self._kernel, execution.facts
        sealed = kernel.codec.seal(execution.scope, encode_body(RowBody(given.payload, given.actor)))
        data, form, blob = sealed.data, ROW_FORMAT, None
        if len(data) > BLOB_BYTES:
            blob = (hashlib.sha256(data).hexdigest(), data)
            data, form = blob[0].encode(), 2
        history_no = (facts.run_no << SEQ_BITS) + 1
        nonce = kernel.random.take(12)
        head = chain(
            GENESIS, nonce, columns_text(history_no, execution.now, form, InputKind.STARTED, ""), data
        )
        execution.seq, execution.head = 1, head
        row = (
            history_no,
            facts.scope_no,
            execution.now,
            form,
            InputKind.STARTED,
            "",
            sealed.codec,
            sealed.key_id or None,
            nonce,
            data,
            head,
        )
        return row, blob

    def _begin_recorded(self, execution: Execution, given: Input) -> None:
        """Go on with a run whose first row is written: what follows from it rides in the next row."""
        kernel = self._kernel
        kernel.adopt(execution)
        kernel.take(execution, given)
        execution.input = None
        execution.advance()

    # -- children -----------------------------------------------------------------------------------

    def start_child(self, parent: Execution, child: ChildPending) -> None:
        """Start a child in the transaction of the parent's row; what it does follows afterwards."""
        kernel, start = self._kernel, child.start
        try:
            scope = msgspec.structs.replace(parent.scope, namespace=start.namespace)
            version = "" if start.version == "latest" else start.version
            deployed = kernel.revisions.resolve(scope, start.name, version)
            request = StartRun(
                start.name,
                start.input,
                parent.facts.actor,
                start.version,
                "child",
                parent.facts.correlation_id,
            )
            awaited = child.step.text if start.is_awaited else None
            order = StartOrder(
                request,
                deployed,
                run_id=child.child_id,
                parent=(parent.facts.run_no, awaited),
                depth=parent.depth + 1,
                trace_id=parent.facts.trace_id,
            )
            self._check(order)
            data = boundary_bytes(start.input, "child's input", start.pointer)
        except CounterpointError as refused:
            self._refuse_child(parent, child, refused)
            return
        execution, given = self._prepare(order, data)
        execution.is_new = True
        kernel.adopt(execution)
        execution.input = given
        # The row of the start belongs to the parent's transaction; the child's own work must not grow
        # this stack.
        kernel.records.close_row(execution)
        kernel.host.soon(lambda: self._begin_child(execution, given))

    def _begin_child(self, execution: Execution, given: Input) -> None:
        if not execution.is_dropped:
            self._kernel.take(execution, given)
            execution.input = None
            execution.advance()

    def _refuse_child(self, parent: Execution, child: ChildPending, refused: CounterpointError) -> None:
        if not child.start.is_awaited:
            return
        fault = (
            refused.fault
            if isinstance(refused, FaultRaised)
            else standard_fault("configuration", str(refused), child.start.pointer)
        )
        payload = {"status": "faulted", "fault": fault}
        parent.inputs.append(Input(InputKind.CHILD, self._kernel.host.now(), child.step.text, payload))

    def cancel_child(self, parent: Execution, child_id: str) -> None:
        """Cancel an awaited child of a run or branch that was cancelled."""
        kernel = self._kernel

        def found(run_no: Any, error: Exception | None) -> None:
            if run_no is None:
                return
            payload = {"reason": f"its parent {parent.facts.id} was cancelled"}
            kernel.deliver(
                run_no,
                lambda execution: Input(
                    InputKind.CANCEL, kernel.host.now(), payload=payload, actor=parent.facts.actor
                ),
                lambda refused: None,
            )

        resident = kernel.by_id.get(child_id)
        if resident is not None:
            found(resident.facts.run_no, None)
            return
        kernel.host.read(lambda c: c.execute("SELECT run_no FROM runs WHERE id = ?", (child_id,)).get, found)

    # -- concurrency
    # ---------------------------------------------------------------------------------------------------

    def _gate_name(self, order: StartOrder) -> str | None:
        limit = order.deployed.workflow.extras.concurrency
        if limit is None:
            return None
        return f"{order.deployed.workflow_no}:{order.gate_key or ''}"

    def _enter(self, name: str, order: StartOrder, run_no: int) -> bool:
        concurrency = order.deployed.workflow.extras.concurrency
        limit = concurrency.limit if concurrency is not None else 1
        gate = self._gates.setdefault(name, Gate(limit))
        gate.limit = limit
        if len(gate.active) < limit and not gate.waiting:
            gate.active.add(run_no)
            return True
        gate.waiting.append(run_no)
        return False

    def restore(self, name: str, limit: int, run_no: int, is_waiting: bool) -> None:
        """Put an open run back in its gate after a restart; in order of run numbers."""
        gate = self._gates.setdefault(name, Gate(limit))
        gate.limit = limit
        if is_waiting:
            gate.waiting.append(run_no)
        else:
            gate.active.add(run_no)

    def leave(self, name: str, run_no: int) -> None:
        """A run of a gate ended: let the next one in."""
        gate = self._gates.get(name)
        if gate is None:
            return
        gate.active.discard(run_no)
        if run_no in gate.waiting:
            gate.waiting.remove(run_no)
        self.admit(name)

    def admit(self, name: str) -> None:
        """Let waiting runs in while there is room."""
        kernel, gate = self._kernel, self._gates.get(name)
        if gate is None:
            return
        while gate.waiting and len(gate.active) < gate.limit:
            run_no = gate.waiting.popleft()
            gate.active.add(run_no)
            kernel.deliver(
                run_no,
                lambda execution: (
                    Input(InputKind.ADMITTED, kernel.host.now()) if execution.is_gated else None
                ),
                partial(self._not_admitted, name, run_no),
            )
        if not gate.active and not gate.waiting:
            self._gates.pop(name, None)

    def _not_admitted(self, name: str, run_no: int, refused: Exception) -> None:
        """The run was cancelled while it waited, or cannot be loaded: its place is free."""
        self.leave(name, run_no)

    def admit_all(self) -> None:
        """Let waiting runs in after a restart."""
        for name in list(self._gates):
            self.admit(name)

    def _withdraw(self, execution: Execution) -> None:
        if execution.facts.gate is not None:
            self.leave(execution.facts.gate, execution.facts.run_no)


def text_key(value: JsonValue) -> str | None:
    """Text of an evaluated key; null means no key."""
    if value is None:
        return None
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
