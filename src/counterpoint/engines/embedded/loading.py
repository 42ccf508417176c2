"""Loading: a run that left memory comes back by replay, and so does all that ran before a restart."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from counterpoint.core.values import Status
from counterpoint.engines.embedded.execution import Execution, LiveRow, RunFacts
from counterpoint.engines.embedded.inputs import Input
from counterpoint.engines.embedded.replay import Replay
from counterpoint.engines.embedded.retries import fault_rows
from counterpoint.engines.embedded.rows import GENESIS, SELECT_ROWS, StoredRow, decode, read_body, row_range
from counterpoint.errors import Conflict, CounterpointError, HistoryCorruptError, NotFound
from counterpoint.ports.history import HistoryEntry, InputKind
from counterpoint.storage.blobs import quarantine

if TYPE_CHECKING:
    from counterpoint.engines.embedded.kernel import Kernel

BATCH = 64
"""Runs read in one query."""

FACTS = (
    "SELECT run_no, scope_no, id, actor, correlation_id, trace_id, gate, parent_no, parent_step, status,"
    " revision_no, head FROM runs WHERE run_no = ?"
)

_CHILDREN = "SELECT id, run_no FROM runs WHERE parent_no = ?"

Done = Callable[[Execution], None]
Refuse = Callable[[Exception], None]


class Found(NamedTuple):
    """A run as the database has it: its facts, its rows, and the numbers of its children by their ids."""

    facts: Any
    rows: list[Any]
    children: dict[str, int]
    past: Past | CounterpointError | None = None


class Past(NamedTuple):
    """A history, decoded; what compaction must know of its rows; and the head of its chain."""

    entries: list[HistoryEntry]
    live: list[LiveRow]
    head: bytes


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

    def is_reading(self, run_no: int) -> bool:
        """Whether a run is about to come."""
        return run_no in self._wanted

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

        def read(connection: apsw.Connection) -> list[Found]:
            found = [_found(connection, run_no) for run_no in batch]
            # Still in the reader's thread: compiling and decoding may take longer than a turn of the loop.
            return [self._with_past(one) for one in found]

        self._kernel.host.read(read, lambda found, error: self._read(batch, found, error))

    def _read(self, batch: list[int], found: list[Found] | None, error: Exception | None) -> None:
        if found is None or error is not None:
            self._is_reading = False
            for run_no in batch:
                _refuse_all(self._wanted.pop(run_no, []), error or NotFound(f"Run {run_no} cannot be read"))
            self._pump()
            return
        self._revive_some(deque(zip(batch, found, strict=True)))

    def _revive_some(self, left: deque[tuple[int, Found]]) -> None:
        """Revive runs until the turn is used up; the rest follows in the next one."""
        turns = self._kernel.turns
        while left:
            if turns.is_spent():
                turns.wait(lambda: self._revive_some(left))
                return
            run_no, found = left.popleft()
            self._revive_for(run_no, found, self._wanted.pop(run_no, []))
        self._is_reading = False
        self._pump()

    def _with_past(self, found: Found) -> Found:
        if found.facts is None:
            return found
        try:
            return found._replace(past=self._decoded(found))
        except CounterpointError as broken:
            return found._replace(past=broken)

    def _decoded(self, found: Found) -> Past:
        """The history of a run.

        Raises:
            HistoryCorruptError: A row cannot be decoded, or there is none.
        """
        kernel, facts = self._kernel, found.facts
        scope = kernel.revisions.by_number(facts[10]).scope
        entries: list[HistoryEntry] = []
        live: list[LiveRow] = []
        before = GENESIS
        for raw in found.rows:
            row = StoredRow(*raw)
            entry = decode(row, scope, kernel.codec, read_body(row, self.blob))
            entries.append(entry)
            steps = tuple([command.step for command in entry.commands])
            is_bare = entry.kind is InputKind.CONTINUED
            live.append(LiveRow(row.seq, entry.step, steps, before, row.head, len(row.body), is_bare))
            before = row.head
        if not entries:
            raise HistoryCorruptError(f"The run {facts[2]} has no history")
        return Past(entries, live, before)

    def _revive_for(self, run_no: int, found: Found, requests: list[Request]) -> None:
        try:
            self._revive(run_no, found, requests)
        except CounterpointError as refused:
            if isinstance(refused, HistoryCorruptError):
                self._quarantine(run_no, found, refused)
            retries = [request for request in requests if request.is_retry]
            others = [request for request in requests if not request.is_retry]
            if isinstance(refused, Conflict) and retries and others:
                _refuse_all(retries, refused)
                self._revive_for(run_no, found, others)
            else:
                _refuse_all(requests, refused)

    def _revive(self, run_no: int, found: Found, requests: list[Request]) -> None:
        kernel = self._kernel
        known = kernel.executions.get(run_no)
        if known is None:
            if found.facts is None:
                raise NotFound(f"There is no run with the number {run_no}")
            requests = _admissible(requests, Status(found.facts[9]), found.facts[2])
            if not requests:
                return
            known = self.build(found, is_retry=any(request.is_retry for request in requests))
            kernel.adopt(known)
        for request in requests:
            if known.replay is not None:
                # What an input concerns is known only once the history is used up.
                known.when_ready.append((request.done, request.refuse))
            else:
                request.done(known)
        known.advance()

    def build(self, found: Found, *, is_retry: bool = False) -> Execution:
        """An execution that stands before its replay.

        Raises:
            HistoryCorruptError: A row cannot be decoded, or there is none.
            Conflict: It is to be retried and did not fault.
        """
        kernel, facts, past = self._kernel, found.facts, found.past or self._decoded(found)
        if isinstance(past, CounterpointError):
            raise past
        entries = past.entries
        deployed = kernel.revisions.by_number(facts[10])
        execution = Execution(kernel, RunFacts(*facts[:9]), deployed.scope, deployed, Status(facts[9]))
        execution.child_nos = found.children
        execution.settle_at = kernel.compaction.first_offer
        execution.live = past.live
        settled = [entry for entry in entries if entry.kind is InputKind.SETTLED]
        execution.gaps = settled[-1].payload["gaps"] if settled else []
        execution.live_bytes = sum(row.size for row in execution.live)
        execution.seq, execution.head = entries[-1].seq, past.head
        execution.voids = fault_rows(entries) if is_retry else frozenset()
        execution.replay = Replay(entries, execution.voids)
        execution.recalled = execution.replay.settled
        return execution

    def _quarantine(self, run_no: int, found: Found, error: HistoryCorruptError) -> None:
        """Pause a run whose history cannot be read, and report it; a person must look, nothing is skipped."""
        kernel, facts = self._kernel, found.facts
        now, reason = kernel.host.now(), str(error)
        if facts is None or Status(facts[9]) is Status.SUSPENDED:
            return
        deployed = kernel.revisions.by_number(facts[10])
        execution = Execution(kernel, RunFacts(*facts[:9]), deployed.scope, deployed, Status(facts[9]))
        execution.head = facts[11]
        kernel.records.pause_without_row(execution, "historyCorrupt", reason)

        def mark(connection: apsw.Connection, commit_no: int) -> None:
            quarantine(connection, "runs", run_no, reason, now)

        kernel.outbox.submit_decision(mark, lambda result, failure: None)

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
            if status == Status.SUSPENDED:
                kernel.gates.look_again(name, run_no)
        if kernel.is_guest:
            # A command that looks must leave what it sees as it is: no attempt begins because of it.
            kernel.timers.open_for_own()
            done(None)
            return
        for run_no in running:
            self.load(run_no, lambda execution: None, lambda refused: None)
        for run_no in inbox:
            kernel.inbox.wake(run_no)
        kernel.gates.admit_all()
        kernel.timers.open()
        done(None)


def _found(connection: apsw.Connection, run_no: int) -> Found:
    facts = connection.execute(FACTS, (run_no,)).fetchone()
    rows = connection.execute(SELECT_ROWS, row_range(run_no)).fetchall()
    children = connection.execute(_CHILDREN, (run_no,)).fetchall()
    numbers: Any = children
    return Found(facts, rows, dict(numbers))


def _admissible(requests: list[Request], status: Status, run_id: str) -> list[Request]:
    """The requests that the status allows; the others are refused."""
    if not status.is_final:
        return requests
    refused = Conflict(f"The run {run_id} is {status.word}", "Only a run that has not ended takes this.")
    # A run that its parent cancelled goes on with its parent.
    allowed = [r for r in requests if r.is_retry and status is not Status.COMPLETED]
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
