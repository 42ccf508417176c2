"""Loading: a run that left memory comes back by replay, and so does all that ran before a restart."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import apsw
import msgspec

from counterpoint.core.values import Status
from counterpoint.engines.embedded.execution import Execution, LiveRow, RunFacts
from counterpoint.engines.embedded.inputs import Input
from counterpoint.engines.embedded.replay import Replay
from counterpoint.engines.embedded.rows import GENESIS, SELECT_ROWS, StoredRow, decode, read_body, row_range
from counterpoint.engines.embedded.statements import GONE_INBOX
from counterpoint.errors import Conflict, CounterpointError, HistoryCorruptError, NotFound, RequestError
from counterpoint.ports.history import HistoryEntry, InputKind, RunEnd
from counterpoint.storage.blobs import quarantine

if TYPE_CHECKING:
    from counterpoint.engines.embedded.kernel import Kernel

BATCH = 64
"""Runs read in one query."""

FACTS = (
    "SELECT run_no, scope_no, id, actor, correlation_id, trace_id, gate, parent_no, parent_step, status,"
    " revision_no, head FROM runs WHERE run_no = ?"
)

Done = Callable[[Execution], None]
Refuse = Callable[[Exception], None]


class Request:
    """Someone wants a run in memory."""

    __slots__ = ("done", "is_retry", "refuse")

    def __init__(self, done: Done, refuse: Refuse, is_retry: bool) -> None:
        self.done = done
        self.refuse = refuse
        self.is_retry = is_retry


class Loading:
    """Brings runs into memory.

    Attributes:
        blob: Reads a blob by its digest (set by the engine).
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._wanted: dict[int, list[Request]] = {}
        self._queue: deque[int] = deque()
        self._is_reading = False
        self.blob: Callable[[str], bytes] = _no_blob

    def load(self, run_no: int, done: Done, refuse: Refuse, *, is_retry: bool = False) -> None:
        """Load a run; `is_retry` also takes one that faulted."""
        request = Request(done, refuse, is_retry)
        known = self._wanted.get(run_no)
        if known is not None:
            known.append(request)
            return
        self._wanted[run_no] = [request]
        self._queue.append(run_no)
        self._pump()

    def retry(self, run_no: int, actor: str, audit: str, done: Callable[[Exception | None], None]) -> None:
        """Go on with a faulted or paused run; `done` once that is durable, or with the refusal."""
        kernel = self._kernel

        def again() -> None:
            self.retry(run_no, actor, audit, done)

        if run_no in self._wanted:
            # It is being read for somebody else, who must not be refused what concerns the retry alone.
            self.load(run_no, lambda execution: kernel.host.soon(again), lambda refused: kernel.host.soon(again))
            return
        known = kernel.executions.get(run_no)
        if known is not None and known.replay is not None:
            known.when_ready.append((lambda execution: kernel.host.soon(again), done))
            return
        if known is not None and (known.uncommitted or known.inputs):
            # What it wrote must be on disk before its rows are read again.
            kernel.outbox.once_durable(again)
            return
        if known is not None and known.end is None:
            done(_NOT_FAULTED)
            return
        if known is not None:
            kernel.forget(known)

        def loaded(execution: Execution) -> None:
            payload = {"voids": sorted(execution.voids)}
            now = kernel.host.now()
            given = Input(InputKind.RETRY, now, payload=payload, actor=actor, audit=audit, done=done)
            execution.inputs.append(given)

        self.load(run_no, loaded, done, is_retry=True)

    def pass_on(self, run_no: int, given: Input) -> None:
        """Give an input that came too late for one copy of a run to the next."""
        refuse = given.done or (lambda error: None)
        self._kernel.host.soon(lambda: self._kernel.deliver(run_no, lambda execution: given, refuse))

    # -- reading ------------------------------------------------------------------------------------

    def _pump(self) -> None:
        if self._is_reading or not self._queue:
            return
        self._is_reading = True
        batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]

        def read(connection: apsw.Connection) -> list[tuple[Any, list[Any]]]:
            found = []
            for run_no in batch:
                facts = connection.execute(FACTS, (run_no,)).fetchone()
                found.append((facts, connection.execute(SELECT_ROWS, row_range(run_no)).fetchall()))
            return found

        self._kernel.host.read(read, lambda found, error: self._read(batch, found, error))

    def _read(
        self, batch: list[int], found: list[tuple[Any, list[Any]]] | None, error: Exception | None
    ) -> None:
        self._is_reading = False
        for index, run_no in enumerate(batch):
            requests = self._wanted.pop(run_no, [])
            if found is None or error is not None:
                _refuse_all(requests, error or NotFound(f"Run {run_no} cannot be read"))
                continue
            self._revive_for(run_no, found[index][0], found[index][1], requests)
        self._pump()

    def _revive_for(self, run_no: int, facts: Any, rows: list[Any], requests: list[Request]) -> None:
        try:
            self._revive(run_no, facts, rows, requests)
        except CounterpointError as refused:
            self._quarantine(run_no, refused)
            retries = [request for request in requests if request.is_retry]
            others = [request for request in requests if not request.is_retry]
            if isinstance(refused, Conflict) and retries and others:
                _refuse_all(retries, refused)
                self._revive_for(run_no, facts, rows, others)
            else:
                _refuse_all(requests, refused)

    def _revive(self, run_no: int, facts: Any, rows: list[Any], requests: list[Request]) -> None:
        kernel = self._kernel
        known = kernel.executions.get(run_no)
        if known is None:
            if facts is None:
                raise NotFound(f"There is no run with the number {run_no}")
            status = Status(facts[9])
            requests = _admissible(requests, status, facts[2])
            if not requests:
                return
            known = self._build(facts, status, rows, any(request.is_retry for request in requests))
            kernel.adopt(known)
        for request in requests:
            if known.replay is not None:
                # What an input concerns is known only once the history is used up.
                known.when_ready.append((request.done, request.refuse))
            else:
                request.done(known)
        known.advance()

    def _build(self, facts: Any, status: Status, rows: list[Any], is_retry: bool) -> Execution:
        kernel = self._kernel
        deployed = kernel.revisions.by_number(facts[10])
        execution = Execution(kernel, RunFacts(*facts[:9]), deployed.scope, deployed, status)
        execution.settle_at = kernel.compaction.first_offer
        entries: list[HistoryEntry] = []
        before = GENESIS
        for raw in rows:
            row = StoredRow(*raw)
            entry = decode(row, deployed.scope, kernel.codec, read_body(row, self.blob))
            entries.append(entry)
            execution.live.append(
                LiveRow(
                    row.seq,
                    entry.step,
                    tuple(c.step for c in entry.commands),
                    before,
                    row.head,
                    len(row.body),
                )
            )
            before = row.head
        if not entries:
            raise HistoryCorruptError(f"The run {facts[2]} has no history")
        settled = [entry for entry in entries if entry.kind is InputKind.SETTLED]
        execution.gaps = settled[-1].payload["gaps"] if settled else []
        execution.live_bytes = sum(row.size for row in execution.live)
        execution.seq, execution.head = entries[-1].seq, before
        execution.voids = fault_rows(entries) if is_retry else frozenset()
        execution.replay = Replay(entries, execution.voids)
        execution.recalled = execution.replay.settled
        return execution

    def _quarantine(self, run_no: int, error: CounterpointError) -> None:
        if not isinstance(error, HistoryCorruptError):
            return
        now, reason = self._kernel.host.now(), str(error)

        def mark(connection: apsw.Connection, commit_no: int) -> None:
            quarantine(connection, "runs", run_no, reason, now)

        self._kernel.outbox.submit_decision(mark, lambda result, failure: None)

    # -- recovery -----------------------------------------------------------------------------------

    def recover(self, done: Callable[[Exception | None], None]) -> None:
        """Bring back what was running when the process ended; `done` when new work can be taken."""
        self._kernel.host.read(_open_work, lambda found, error: self._recovered(found, error, done))

    def _recovered(
        self, found: Any, error: Exception | None, done: Callable[[Exception | None], None]
    ) -> None:
        kernel = self._kernel
        if found is None or error is not None:
            done(error)
            return
        running, gated, inbox = found
        for run_no, name, status, revision_no in gated:
            concurrency = kernel.revisions.by_number(revision_no).workflow.extras.concurrency
            limit = concurrency.limit if concurrency is not None else 1
            kernel.gates.restore(name, limit, run_no, status == Status.PENDING)
        for run_no in running:
            self.load(run_no, lambda execution: None, lambda refused: None)
        for run_no in inbox:
            self.wake_inbox(run_no)
        kernel.gates.admit_all()
        kernel.timers.open()
        done(None)

    def wake_inbox(self, run_no: int) -> None:
        """Deliver what lies in the inbox for a run."""
        sql = "SELECT item_no, kind, step, body FROM inbox WHERE run_no = ? ORDER BY item_no"
        self._kernel.host.read(
            lambda connection: connection.execute(sql, (run_no,)).fetchall(),
            lambda rows, error: self._deliver_inbox(run_no, rows or []),
        )

    def _deliver_inbox(self, run_no: int, rows: list[tuple[int, int, str, bytes]]) -> None:
        kernel = self._kernel
        for item_no, kind, step, body in rows:
            payload = msgspec.json.decode(body)

            def make(
                execution: Execution,
                no: int = item_no,
                kind: int = kind,
                step: str = step,
                what: Any = payload,
            ) -> Input | None:
                if execution.end is not None or no in execution.taken:
                    return None
                execution.taken.add(no)
                return Input(InputKind(kind), kernel.host.now(), step, what, inbox_no=no)

            kernel.deliver(run_no, make, partial(self._discard, item_no))

    def _discard(self, item_no: int, refused: Exception) -> None:
        """The run has ended: what lies there for it concerns nobody."""
        if isinstance(refused, RequestError):
            self._kernel.outbox.add(GONE_INBOX, (item_no,))


def fault_rows(entries: list[HistoryEntry]) -> frozenset[int]:
    """Rows whose failure ended the run: a retry makes them void.

    Raises:
        Conflict: The document itself raised the fault, so that the same would happen again.
    """
    end = last_end(entries)
    if end is None or end.status not in ("faulted", "suspended"):
        raise _NOT_FAULTED
    if end.cause == "inDoubt":
        return frozenset()
    for entry in reversed(entries):
        if end.step and entry.step == end.step and entry.kind in (InputKind.RESULT, InputKind.CHILD):
            return frozenset({entry.seq})
    hint = "Correct the document or the input, deploy, and start a new run."
    raise Conflict("The document itself raised the fault, so another try would end the same way", hint)


def last_end(entries: list[HistoryEntry]) -> RunEnd | None:
    """How a run ended or paused; None when it went on since. Results of what was under way may follow it."""
    for entry in reversed(entries):
        if entry.end is not None:
            return entry.end
        if entry.kind is InputKind.RETRY:
            return None
    return None


_NOT_FAULTED = Conflict("The run did not fault and is not paused by a fault", "Only such a run can be retried.")


def _admissible(requests: list[Request], status: Status, run_id: str) -> list[Request]:
    """The requests that the status allows; the others are refused."""
    if not status.is_final:
        return requests
    refused = Conflict(f"The run {run_id} is {status.word}", "Only a run that has not ended takes this.")
    allowed = [r for r in requests if r.is_retry and status is Status.FAULTED]
    _refuse_all([r for r in requests if r not in allowed], refused)
    return allowed


def _refuse_all(requests: list[Request], error: Exception) -> None:
    for request in requests:
        request.refuse(error)


def _open_work(connection: apsw.Connection) -> tuple[list[int], list[tuple[Any, ...]], list[int]]:
    running = [
        row[0] for row in connection.execute("SELECT run_no FROM runs WHERE status = 2 ORDER BY run_no")
    ]
    gated = connection.execute(
        "SELECT run_no, gate, status, revision_no FROM runs"
        " WHERE gate IS NOT NULL AND status < 5 ORDER BY run_no"
    ).fetchall()
    inbox = [row[0] for row in connection.execute("SELECT DISTINCT run_no FROM inbox")]
    return running, gated, inbox


def _no_blob(digest: str) -> bytes:
    raise HistoryCorruptError(f"The blob {digest} is missing")
