"""The embedded engine: the port's face of the kernel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from counterpoint.core.expr.program import ExpressionFailed, NativeLimit, Program
from counterpoint.core.values import JsonValue, Scope, Status
from counterpoint.engines.embedded.admission import StartOrder, text_key
from counterpoint.engines.embedded.asyncio_host import AsyncioHost, SystemClock
from counterpoint.engines.embedded.execution import Execution
from counterpoint.engines.embedded.histories import EmbeddedHistories
from counterpoint.engines.embedded.inputs import Input
from counterpoint.engines.embedded.kernel import Kernel
from counterpoint.engines.embedded.observing import Told, events_of, result_of, told_of
from counterpoint.engines.embedded.retries import RetryOrder, fault_rows
from counterpoint.errors import Conflict, FaultRaised, InvalidRequest, NotFound, StorageError, standard_fault
from counterpoint.ports.clock import Clock
from counterpoint.ports.connectors import Connectors
from counterpoint.ports.engine import Revisions, RunEvent, RunResult, Started, StartRun
from counterpoint.ports.expressions import ExpressionWorker
from counterpoint.ports.history import InputKind
from counterpoint.ports.payloads import PayloadCodec, PlainCodec
from counterpoint.storage.readers import Reader
from counterpoint.storage.writer import Journal

MAX_WATCHED_ROWS = 10_000
"""Rows of the past that a watcher is told of."""

_RUN = (
    "SELECT r.run_no, r.status, s.namespace, s.environment, r.cause"
    " FROM runs AS r JOIN scopes AS s USING (scope_no) WHERE r.id = ?"
)


_WITHOUT_ROW = frozenset({"nonDeterminism", "historyCorrupt", "operator"})
"""Causes of a pause that no end in the history tells."""


class Surroundings(msgspec.Struct, frozen=True):
    """What the engine stands on.

    Attributes:
        journal: Where batches go.
        reader: Reads the database.
        blob: Reads a blob by digest.
        revisions: Compiled revisions.
        connectors: What calls reach.
        worker: Evaluates foreign expressions.
        next_run_no: First free run number.
        codec: Encoding of payloads.
        clock: Where instants come from.
        max_open_runs: Runs in memory above which a start is refused.
        max_attempts: Attempts under way at once; more wait in a queue.
        drives: Whether it goes on with all that was running; else only with the runs that it is asked for, as
            a command does that owns the data directory for a moment.
        drain_s: How long a closing engine waits for attempts under way, in seconds.
        on_fatal: Told that nothing can be stored any more: the process must stop.
    """

    journal: Journal
    reader: Reader
    blob: Callable[[str], bytes]
    revisions: Revisions
    connectors: Connectors
    worker: ExpressionWorker
    next_run_no: int
    codec: PayloadCodec = PlainCodec()
    clock: Clock = SystemClock()
    max_open_runs: int = 100_000
    max_attempts: int = 1_000
    drives: bool = True
    drain_s: float = 0.0
    on_fatal: Callable[[StorageError], None] = lambda error: None


class EmbeddedEngine:
    """Implements `Engine` in this process; made inside a running loop."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._on = surroundings
        self._host = AsyncioHost(
            surroundings.connectors,
            surroundings.reader,
            surroundings.worker,
            surroundings.clock,
            surroundings.max_attempts,
        )
        self.kernel = Kernel(
            self._host,
            surroundings.journal,
            surroundings.revisions,
            surroundings.connectors,
            surroundings.codec,
            surroundings.on_fatal,
        )
        self.kernel.admission.next_run_no = surroundings.next_run_no
        self.kernel.admission.max_open = surroundings.max_open_runs
        self.kernel.loading.blob = surroundings.blob
        self.histories = EmbeddedHistories(surroundings.reader, surroundings.codec, surroundings.blob)

    async def open(self) -> None:
        """Recover; see `Engine.open`."""
        self.kernel.is_guest = not self._on.drives
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.kernel.loading.recover(lambda error: _resolve(done, None, error))
        await done

    async def close(self) -> None:
        """Stop; see `Engine.close`. Attempts under way end and are recorded; nothing follows them.

        An attempt that is cut off would be in doubt at the next `open` although nothing was wrong with it.
        """
        kernel = self.kernel
        kernel.is_closing = True
        kernel.timers.close()
        end = self._host.monotonic_s() + self._on.drain_s
        while self._is_at_work() and self._host.monotonic_s() < end:  # noqa: ASYNC110 - many small ends
            await asyncio.sleep(0.005)
        await self._host.close()
        for execution in list(kernel.executions.values()):
            execution.is_dropped = True
        if kernel.outbox.failure is None:
            flushed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            kernel.outbox.once_durable(lambda: _resolve(flushed, None, None))
            kernel.outbox.flush()
            await asyncio.wait([flushed], timeout=10)

    async def start(self, scope: Scope, request: StartRun) -> Started:
        """See `Engine.start`."""
        _check_correlation(request.correlation_id)
        revisions = self.kernel.revisions
        if not revisions.is_warm(scope, request.workflow, request.version):
            # Compiled in a reader's thread: other runs must not wait for a large document.
            await self._on.reader.read(lambda _: revisions.resolve(scope, request.workflow, request.version))
        deployed = revisions.resolve(scope, request.workflow, request.version)
        extras = deployed.workflow.extras
        start_key = gate_key = None
        if extras.start_key is not None:
            start_key = text_key(await self._key(extras.start_key, request.input, "startKey"))
        if extras.concurrency is not None and extras.concurrency.key is not None:
            gate_key = text_key(await self._key(extras.concurrency.key, request.input, "concurrency.key"))
        done: asyncio.Future[Started] = asyncio.get_running_loop().create_future()
        order = StartOrder(request, deployed, start_key, gate_key, trace_id=_trace_of(request.traceparent))
        self.kernel.admission.start(order, lambda started, error: _resolve(done, started, error))
        return await done

    async def wait(self, scope: Scope, run_id: str) -> RunResult:
        """See `Engine.wait`."""
        resident = self._resident(run_id)
        known = None if resident is None else _standing_result(resident)
        if known is not None:
            return known
        run_no = resident.facts.run_no if resident is not None else -1
        if run_no < 0:
            run_no, status, cause = await self._row(scope, run_id)
            if self._is_over(run_no, status):
                return await self._result(scope, run_id, status, cause)
            self._drive(run_no, status)
        done: asyncio.Future[RunResult] = asyncio.get_running_loop().create_future()

        def waiter(result: RunResult) -> None:
            _resolve(done, result, None)

        self.kernel.observers.wait(run_no, waiter)
        try:
            # It may have ended or paused between the look and the wait.
            if resident is None:
                _, status, cause = await self._row(scope, run_id)
                if self._is_over(run_no, status) and not done.done():
                    return await self._result(scope, run_id, status, cause)
            return await done
        finally:
            self.kernel.observers.unwait(run_no, waiter)

    def _is_over(self, run_no: int, status: Status) -> bool:
        """Whether nothing follows by itself; one that is suspended in memory may be about to go on."""
        return status.is_final or (status is Status.SUSPENDED and run_no not in self.kernel.executions)

    async def watch(self, scope: Scope, run_id: str) -> AsyncIterator[RunEvent]:
        """See `Engine.watch`; what happened before comes first: nothing falls between start and watch."""
        run_no, status, _ = await self._row(scope, run_id)
        self._drive(run_no, status)
        queue: asyncio.Queue[Told | None] = asyncio.Queue()
        self.kernel.observers.watch(run_no, queue.put_nowait)
        try:
            seen = 0
            for entry in await self.histories.entries(scope, run_id, limit=MAX_WATCHED_ROWS):
                for event in events_of(run_id, told_of(entry)):
                    yield event
                seen = entry.seq
            _, status, _ = await self._row(scope, run_id)
            is_over = status.is_final or status is Status.SUSPENDED
            while not (is_over and queue.empty()):
                row = await queue.get()
                if row is None:
                    return
                if row.seq > seen:
                    for event in events_of(run_id, row):
                        yield event
        finally:
            self.kernel.observers.unwatch(run_no, queue.put_nowait)

    async def cancel(self, scope: Scope, run_id: str, actor: str, reason: str = "") -> None:
        """See `Engine.cancel`."""
        await self._control(scope, run_id, InputKind.CANCEL, actor, {"reason": reason}, "runs.cancel")

    async def suspend(self, scope: Scope, run_id: str, actor: str, reason: str = "") -> None:
        """See `Engine.suspend`."""
        await self._control(scope, run_id, InputKind.SUSPEND, actor, {"reason": reason}, "runs.suspend")

    async def resume(self, scope: Scope, run_id: str, actor: str) -> None:
        """See `Engine.resume`."""
        _, status, cause = await self._row(scope, run_id)
        if status is not Status.SUSPENDED:
            raise Conflict(
                f"The run {run_id} is {status.word}, not suspended", "Only a suspended run can be resumed."
            )
        if cause == "operator":
            await self._control(scope, run_id, InputKind.RESUME, actor, {}, "runs.resume")
        else:
            await self._retry(scope, run_id, actor, "runs.resume")

    async def retry(self, scope: Scope, run_id: str, actor: str) -> None:
        """See `Engine.retry`."""
        await self._retry(scope, run_id, actor, "runs.retry")

    async def waiting(self) -> int:
        """How many runs wait for a timer, a backoff or a child."""
        rows = await self._on.reader.query(
            "SELECT count(*) FROM runs WHERE status = ?", (int(Status.WAITING),)
        )
        return int(rows[0][0])

    def _is_at_work(self) -> bool:
        kernel = self.kernel
        return kernel.outbox.failure is None and (self._host.pool.is_busy or not kernel.outbox.is_quiet)

    def _drive(self, run_no: int, status: Status) -> None:
        """A guest takes up a run that somebody waits for; an owner has it anyway."""
        if self.kernel.is_guest and not status.is_final and status is not Status.SUSPENDED:
            self.kernel.deliver(run_no, lambda execution: None, lambda refused: None)

    # -- parts --------------------------------------------------------------------------------------

    async def _retry(self, scope: Scope, run_id: str, actor: str, action: str) -> None:
        run_no, status, cause = await self._row(scope, run_id)
        if status is Status.SUSPENDED and cause in _WITHOUT_ROW:
            if cause == "operator":
                raise Conflict(
                    f"The run {run_id} was suspended by an actor", "Resume it with: counterpoint runs resume"
                )
            await self._replay_again(run_no)
            return
        if status not in (Status.FAULTED, Status.SUSPENDED):
            raise Conflict(
                f"The run {run_id} is {status.word}", "Only a faulted or paused run can be retried."
            )
        await self._check_retry(scope, run_id)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        order = RetryOrder(run_no, actor, action)
        self.kernel.retries.retry(order, lambda error: _resolve(answer, None, error))
        await answer

    async def _check_retry(self, scope: Scope, run_id: str) -> None:
        """A retry makes sense: neither the run's document nor that of the child that failed raised the fault.

        Raises:
            Conflict: It does not.
        """
        entries = await self.histories.entries(scope, run_id, limit=1 << 20)
        voids = fault_rows(entries)
        for entry in entries:
            if entry.seq in voids and entry.kind is InputKind.CHILD and entry.payload.get("childId"):
                child_id = entry.payload["childId"]
                _, status, _ = await self._row(Scope("*", scope.environment), child_id)
                if status is Status.FAULTED:
                    await self._check_retry(Scope("*", scope.environment), child_id)

    async def _replay_again(self, run_no: int) -> None:
        def ready(execution: Execution, done: Callable[[Exception | None], None]) -> None:
            # Those that came due while it could not be replayed.
            self.kernel.timers.rearm(execution)
            done(None)

        await self._deliver(run_no, ready)

    async def _control(
        self,
        scope: Scope,
        run_id: str,
        kind: InputKind,
        actor: str,
        payload: dict[str, JsonValue],
        action: str,
    ) -> None:
        run_no, status, _ = await self._row(scope, run_id)
        if status.is_final:
            raise Conflict(f"The run {run_id} is {status.word}", "It has ended; nothing can change it.")

        def make(execution: Execution, done: Callable[[Exception | None], None]) -> Input:
            if execution.end is not None and (
                kind is not InputKind.CANCEL or execution.end.status != "suspended"
            ):
                raise Conflict(
                    f"The run {run_id} is {execution.end.status}", "Look at it with: counterpoint runs show"
                )
            if kind is InputKind.SUSPEND and execution.is_suspended:
                raise Conflict(
                    f"The run {run_id} is suspended already", "Resume it with: counterpoint runs resume"
                )
            return Input(kind, self._host.now(), payload=payload, actor=actor, audit=action, done=done)

        await self._deliver(run_no, make)

    async def _deliver(
        self,
        run_no: int,
        make: Callable[[Execution, Callable[[Exception | None], None]], Input | None],
    ) -> None:
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: Exception | None) -> None:
            _resolve(answer, None, error)

        self.kernel.deliver(run_no, lambda execution: make(execution, done), done)
        await answer

    async def _key(self, program: Program, value: JsonValue, name: str) -> JsonValue:
        try:
            if program.native is not None:
                try:
                    return program.native(value, {})
                except NativeLimit:
                    pass
            return await self._on.worker.evaluate(program.text, value, {})
        except ExpressionFailed as failed:
            detail = f"metadata.counterpoint.{name} failed on the input: {failed}"
            raise FaultRaised(
                standard_fault("expression", detail, "/document/metadata/counterpoint")
            ) from None

    def _resident(self, run_id: str) -> Execution | None:
        return self.kernel.by_id.get(run_id)

    async def _row(self, scope: Scope, run_id: str) -> tuple[int, Status, str]:
        rows = await self._on.reader.query(_RUN, (run_id,))
        if not rows or rows[0][3] != scope.environment or scope.namespace not in ("*", rows[0][2]):
            raise NotFound(f"There is no run `{run_id}`", "List runs with: counterpoint runs list")
        cause = msgspec.json.decode(rows[0][4]).get("code", "") if rows[0][4] else ""
        return rows[0][0], Status(rows[0][1]), cause

    async def _result(self, scope: Scope, run_id: str, status: Status, cause: str) -> RunResult:
        if cause in _WITHOUT_ROW:
            return RunResult(run_id, status.word, cause=cause)
        end = await self.histories.last_end(scope, run_id)
        if end is None:
            return RunResult(run_id, status.word)
        return RunResult(run_id, end.status, end.output, end.fault, end.cause, end.outcome)


def _check_correlation(correlation_id: str) -> None:
    """A correlation id can go into a header.

    Raises:
        InvalidRequest: It is too long or holds other than visible ASCII characters.
    """
    if correlation_id and not (
        len(correlation_id) <= 200 and correlation_id.isascii() and correlation_id.isprintable()
    ):
        raise InvalidRequest(
            "the correlation id must be at most 200 visible ASCII characters", "Leave it out for a new one."
        )


def _standing_result(execution: Execution) -> RunResult | None:
    """Result of a run in memory that ended or paused, if that is on disk."""
    if execution.uncommitted:
        return None
    if execution.end is not None:
        return result_of(execution.facts.id, execution.end, execution.output)
    if execution.is_suspended:
        return RunResult(execution.facts.id, "suspended", cause="operator")
    return None


def _trace_of(traceparent: str) -> str:
    """Trace id of a W3C traceparent; empty when there is none.

    Raises:
        RequestError: It is malformed.
    """
    if not traceparent:
        return ""
    parts = traceparent.split("-")
    if len(parts) < 4 or len(parts[1]) != 32 or not all(c in "0123456789abcdef" for c in parts[1]):
        raise InvalidRequest(
            f"`{traceparent[:60]}` is no W3C traceparent", "Leave it out, or send 00-TRACE-SPAN-FLAGS."
        )
    return parts[1]


def _resolve(future: asyncio.Future[Any], value: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)
