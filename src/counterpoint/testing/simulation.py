"""Simulation: the real engine logic on the real storage code, in virtual time, with deaths at any event.

`Simulation` holds what outlives a process: time, the disk, the outside world. `boot` starts an engine on
them, `crash` ends it between two events without a word. The journal commits some time after it was asked and
answers some time after the commit, so that a death can fall before the commit, between commit and answer,
and after.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from counterpoint.core.dsl.loader import load
from counterpoint.core.dsl.model import Workflow
from counterpoint.core.expr.program import ExpressionFailed, Variables
from counterpoint.core.values import Instant, JsonValue, Scope, Status
from counterpoint.engines.embedded.admission import StartOrder, text_key
from counterpoint.engines.embedded.cancelling import release
from counterpoint.engines.embedded.execution import Execution
from counterpoint.engines.embedded.inputs import Input
from counterpoint.engines.embedded.kernel import Kernel
from counterpoint.engines.embedded.retries import RetryOrder
from counterpoint.engines.embedded.rows import SELECT_ROWS, StoredRow, decode, read_body, row_range
from counterpoint.errors import NotFound, StorageError
from counterpoint.ports.connectors import Connectors
from counterpoint.ports.engine import Deployed, RunResult, Started, StartRun
from counterpoint.ports.history import HistoryEntry, InputKind
from counterpoint.ports.payloads import PlainCodec
from counterpoint.storage.committer import CommitResult, Committer, WriteBatch
from counterpoint.storage.database import Database, Tuning, open_database
from counterpoint.storage.readers import open_reader
from counterpoint.testing.virtual_host import VirtualHost, VirtualTime

SCOPE = Scope("simulation")


class GivenRevisions:
    """Compiled documents by name (`ports.engine.Revisions`); one version each, in one scope."""

    def __init__(self, workflows: Mapping[str, Workflow]) -> None:
        self._deployed = [
            Deployed(Scope(workflow.namespace), 1, number, number, workflow)
            for number, workflow in enumerate(workflows.values(), 1)
        ]
        self._by_name = {d.workflow.name: d for d in self._deployed}

    def resolve(self, scope: Scope, name: str, version: str = "") -> Deployed:
        """Revision by name."""
        found = self._by_name.get(name)
        if found is None or version not in ("", "latest", found.workflow.version):
            raise NotFound(f"There is no workflow `{name}` with the version `{version or 'latest'}`")
        return found

    def is_warm(self, scope: Scope, name: str, version: str = "") -> bool:
        """All are compiled."""
        return True

    def by_number(self, revision_no: int) -> Deployed:
        """Revision by number."""
        return self._deployed[revision_no - 1]


class VirtualJournal:
    """Commits what has gathered after a virtual delay, through the real committer.

    Args:
        host: Its time, and its death.
        committer: Stores the batches.
        watch: Told of each commit and each answer.
    """

    def __init__(self, host: VirtualHost, committer: Committer, watch: Watch) -> None:
        self._host = host
        self._committer = committer
        self._watch = watch
        self._queue: deque[WriteBatch | None] = deque()
        self._is_scheduled = False
        self._answer_at: Instant = 0

    def submit(self, batch: WriteBatch) -> None:
        """See `storage.writer.Journal`."""
        self._put(batch)

    def resume(self) -> None:
        """See `storage.writer.Journal`; None stands in the queue for the signal."""
        self._put(None)

    def close(self) -> None:
        """See `storage.writer.Journal`."""

    def _put(self, item: WriteBatch | None) -> None:
        self._queue.append(item)
        if not self._is_scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._is_scheduled = True
        # An idle writer takes a batch at once; a busy one lets some gather.
        is_idle = self._host.time.random.random() < 0.3
        self._host.after(0 if is_idle else self._host.time.draw(0.0001, 0.004), self._commit)

    def _commit(self) -> None:
        self._is_scheduled = False
        group: list[WriteBatch] = []
        while self._queue:
            item = self._queue.popleft()
            if item is None:
                if group:
                    self._queue.appendleft(None)
                    self._schedule()
                    break
                self._committer.resume()
            else:
                group.append(item)
        if group:
            self._store(group)

    def _store(self, group: list[WriteBatch]) -> None:
        results = self._committer.commit(group)
        self._watch.committed(group, results)
        self._committer.checkpoint(is_idle=self._host.time.random.random() < 0.5)
        # Answers keep the order of the commits, as those of the writer's thread do.
        time = self._host.time
        self._answer_at = max(self._answer_at, time.true + time.draw(0, 0.003))
        time.at(self._answer_at, lambda: self._answer(group, results), self._host)

    def _answer(self, group: list[WriteBatch], results: list[CommitResult]) -> None:
        self._watch.answered(group, results)
        for batch, result in zip(group, results, strict=True):
            if batch.on_done is not None:
                batch.on_done(result)


class Watch(Protocol):
    """Sees what the journal does."""

    def committed(self, group: list[WriteBatch], results: list[CommitResult]) -> None:
        """A group was committed, or refused; nobody was told yet."""
        ...

    def answered(self, group: list[WriteBatch], results: list[CommitResult]) -> None:
        """Who waits for the group is told now."""
        ...


class NoWatch:
    """Sees nothing."""

    def committed(self, group: list[WriteBatch], results: list[CommitResult]) -> None:
        """See `Watch`."""

    def answered(self, group: list[WriteBatch], results: list[CommitResult]) -> None:
        """See `Watch`."""


class Simulation:
    """What outlives a process, and the process that runs now.

    Args:
        folder: Empty folder for the database.
        seed: Decides everything.
        documents: Texts of the workflows.
        world: What calls reach.
        evaluate: Evaluates foreign expressions.

    Attributes:
        tuning: Sizes and file layer of the next boot.
        watch: Sees what the journal does.
        configure: Called with each booted kernel, before it recovers.
        fatal: Errors after which the engine said that nothing can be stored any more.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        documents: list[str],
        world: Connectors,
        evaluate: Callable[[str, JsonValue, Variables], JsonValue] | None = None,
    ) -> None:
        self.folder = folder
        self.time = VirtualTime(seed)
        self.world = world
        workflows = [load(text) for text in documents]
        self.revisions = GivenRevisions({w.name: w for w in workflows})
        self.evaluate = evaluate or _no_worker
        self.tuning = Tuning()
        self.watch: Watch = NoWatch()
        self.configure: Callable[[Kernel], None] = lambda kernel: None
        self.boots = 0
        self.fatal: list[StorageError] = []
        self.kernel: Kernel
        self.host: VirtualHost
        self.database: Database
        self._closers: list[Callable[[], None]] = []

    # -- life of the process
    # -------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Start a process on the disk; recovery goes on as time passes."""
        self.boots += 1
        database = open_database(self.folder, self.tuning, lambda: self.time.true)
        database.connection.execute(
            "INSERT OR IGNORE INTO scopes VALUES (1, ?, ?)", (SCOPE.namespace, SCOPE.environment)
        )
        next_run_no = database.next_run_no()
        reader = open_reader(database.path)
        self.host = VirtualHost(self.time, self.world, reader, self.evaluate)
        journal = VirtualJournal(self.host, database.committer(self.tuning), self.watch)
        self.kernel = Kernel(self.host, journal, self.revisions, self.world, PlainCodec(), self._failed)
        self.kernel.admission.next_run_no = next_run_no
        self.kernel.loading.blob = database.blobs.read
        self.database = database
        self._closers = [reader.close, database.close]
        self.configure(self.kernel)
        self.kernel.loading.recover(_raise)

    def crash(self) -> None:
        """The process dies here, between two events; what was committed stays."""
        self.host.kill()
        for execution in list(self.kernel.executions.values()):
            release(execution)
        for close in self._closers:
            close()

    def run(self, until: Callable[[], bool], most_steps: int = 1_000_000) -> bool:
        """Let events happen until a condition holds; false when there are no more or too many."""
        for _ in range(most_steps):
            if until():
                return True
            if not self.time.step():
                return until()
        return False

    # -- what clients do
    # -----------------------------------------------------------------------------------------------

    def start(
        self, name: str, value: JsonValue, done: Callable[[Started | None, Exception | None], None]
    ) -> None:
        """Ask for a run."""
        deployed = self.revisions.resolve(SCOPE, name)
        extras = deployed.workflow.extras
        key = gate = None
        if extras.start_key is not None and extras.start_key.native is not None:
            key = text_key(extras.start_key.native(value, {}))
        if extras.concurrency is not None and extras.concurrency.key is not None:
            native = extras.concurrency.key.native
            gate = text_key(native(value, {})) if native is not None else None
        self.kernel.admission.start(StartOrder(StartRun(name, value, "tester"), deployed, key, gate), done)

    def control(self, run_no: int, kind: InputKind) -> None:
        """Suspend, resume or cancel a run; nothing happens if its state does not allow it."""

        def make(execution: Execution) -> Input | None:
            if not _takes(execution, kind):
                return None
            audit = f"runs.{kind.name.lower()}"
            return Input(kind, self.host.now(), payload={}, actor="tester", audit=audit)

        self.kernel.deliver(run_no, make, lambda refused: None)

    def retry(self, run_no: int) -> None:
        """Go on with a faulted or paused run; nothing happens if its state does not allow it."""
        self.kernel.retries.retry(RetryOrder(run_no, "tester", "runs.retry"), lambda refused: None)

    # -- what an auditor sees
    # ------------------------------------------------------------------------------------------

    def runs(self) -> list[tuple[int, str, Status]]:
        """Number, id and status of all committed runs."""
        rows = self._query("SELECT run_no, id, status FROM runs ORDER BY run_no")
        return [(number, public, Status(status)) for number, public, status in rows]

    def history(self, run_no: int) -> list[HistoryEntry]:
        """Committed history of a run."""
        rows = self._query(SELECT_ROWS, row_range(run_no))
        found = []
        for raw in rows:
            row = StoredRow(*raw)
            found.append(decode(row, SCOPE, PlainCodec(), read_body(row, self.database.blobs.read)))
        return found

    def result(self, run_no: int, run_id: str) -> RunResult | None:
        """Committed end of a run."""
        history = self.history(run_no)
        end = history[-1].end if history else None
        if end is None:
            return None
        return RunResult(run_id, end.status, end.output, end.fault, end.cause, end.outcome)

    def timers(self) -> list[tuple[Instant, int, str]]:
        """Committed timers."""
        return [tuple(row) for row in self._query("SELECT due, run_no, step FROM timers")]

    def _query(self, sql: str, args: tuple[Any, ...] = ()) -> list[Any]:
        return self.database.connection.execute(sql, args).fetchall()

    def _failed(self, error: StorageError) -> None:
        self.fatal.append(error)


def _takes(execution: Execution, kind: InputKind) -> bool:
    """Whether the state of a run allows a command."""
    if execution.end is not None:
        return kind is InputKind.CANCEL and execution.end.status == "suspended"
    return execution.is_suspended == (kind is InputKind.RESUME) or kind is InputKind.CANCEL


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


def _no_worker(text: str, value: JsonValue, variables: Variables) -> JsonValue:
    raise ExpressionFailed("this simulation has no expression worker")
