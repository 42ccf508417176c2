"""Work for the storage whose every state is known: histories with a digest chain, runs, timers, decisions.

`Model` applies batches one by one in plain Python; the database must agree with it after some whole number of
commits.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from counterpoint.storage.bulk import delete, insert, update
from counterpoint.storage.committer import CommitResult, Committer, WriteBatch
from counterpoint.storage.database import Database, Tuning, open_database
from counterpoint.storage.schema import SEQ_BITS
from counterpoint.testing.faulty_disk import FaultyDisk

HISTORY = insert(
    "history",
    "history_no, scope_no, at, format, kind, step, codec, key_id, nonce, body, head",
    commit="commit_no",
)
RUNS = insert(
    "runs",
    "run_no, scope_no, id, workflow_no, revision_no, status, started, actor, correlation_id, trace_id",
)
STATUS = update("runs", "status, head", key="run_no")
CAUSE = update("runs", "cause", key="run_no")
TIMERS = insert("timers", "due, run_no, step, kind, scope_no", key=3)
TIMER_GONE = delete("timers", "due, run_no, step")
TIMERS_OF_RUN = delete("timers", "run_no")

Table = dict[Any, tuple[Any, ...]]


class Model:
    """What the three hot tables must hold."""

    def __init__(self) -> None:
        self.history: Table = {}
        self.runs: Table = {}
        self.timers: set[tuple[int, int, str]] = set()
        self.answers = 0

    def state(self) -> tuple[Any, ...]:
        """Everything, comparable with `stored_state`."""
        return (sorted(self.history.values()), sorted(self.runs.values()), sorted(self.timers), self.answers)


def stored_state(connection: apsw.Connection) -> tuple[Any, ...]:
    """Everything that the model knows, from a database."""
    return (
        connection.execute("SELECT history_no, nonce, body, head FROM history ORDER BY 1").fetchall(),
        connection.execute("SELECT run_no, status, head, cause FROM runs ORDER BY 1").fetchall(),
        connection.execute("SELECT due, run_no, step FROM timers ORDER BY 1, 2, 3").fetchall(),
        connection.execute("SELECT count(*) FROM audit").get,
    )


class Workload:
    """Makes batches from a seed and applies them to the model as it goes."""

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)
        self._seqs: dict[int, int] = {}
        self._heads: dict[int, bytes] = {}
        self.model = Model()

    def group(self) -> list[WriteBatch]:
        """Batches of one commit."""
        return [self._batch() for _ in range(self._source.choice((1, 1, 2, 5)))]

    def _batch(self) -> WriteBatch:
        batch = WriteBatch()
        for _ in range(self._source.choice((1, 2, 6))):
            run_no = self._source.randint(1, 12)
            self._transition(batch, run_no)
            self._source.choice((self._add_timer, self._drop_timer, self._drop_timers, self._explain))(
                batch, run_no
            )
        if self._source.random() < 0.15:
            batch.decisions.append(_audit)
            self.model.answers += 1
        return batch

    def _transition(self, batch: WriteBatch, run_no: int) -> None:
        seq = self._seqs[run_no] = self._seqs.get(run_no, 0) + 1
        number = (run_no << SEQ_BITS) + seq
        nonce = self._source.randbytes(8)
        body = self._source.randbytes(self._source.choice((40, 130, 900)))
        head = hashlib.sha256(self._heads.get(run_no, b"") + nonce + body).digest()
        self._heads[run_no] = head
        if seq == 1:
            batch.rows.append((RUNS, [(run_no, 1, f"run-{run_no}", 1, 1, 2, 0, "me", "c", "t")]))
        batch.rows.append((HISTORY, [(number, 1, seq, 1, 2, "do.charge", 0, None, nonce, body, head)]))
        batch.rows.append((STATUS, [(run_no, seq % 4 + 1, head)]))
        self.model.history[number] = (number, nonce, body, head)
        cause = self.model.runs.get(run_no, (None,) * 4)[3]
        self.model.runs[run_no] = (run_no, seq % 4 + 1, head, cause)

    def _explain(self, batch: WriteBatch, run_no: int) -> None:
        cause = f"cause {self._source.randint(1, 99)}"
        batch.rows.append((CAUSE, [(run_no, cause)]))
        self.model.runs[run_no] = (*self.model.runs[run_no][:3], cause)

    def _add_timer(self, batch: WriteBatch, run_no: int) -> None:
        timer = (self._source.randint(1, 5), run_no, "wait")
        if timer in self.model.timers:
            batch.rows.append((TIMER_GONE, [timer]))
        batch.rows.append((TIMERS, [(*timer, 1, 1)]))
        self.model.timers.add(timer)

    def _drop_timer(self, batch: WriteBatch, run_no: int) -> None:
        timer = (self._source.randint(1, 5), run_no, "wait")
        batch.rows.append((TIMER_GONE, [timer]))
        self.model.timers.discard(timer)

    def _drop_timers(self, batch: WriteBatch, run_no: int) -> None:
        batch.rows.append((TIMERS_OF_RUN, [(run_no,)]))
        self.model.timers = {timer for timer in self.model.timers if timer[1] != run_no}


def _audit(connection: apsw.Connection, commit_no: int) -> int:
    connection.execute(
        "INSERT INTO audit (scope_no, commit_no, at, actor, action, target, detail)"
        " VALUES (1, ?, 0, 'me', 'do', 't', '')",
        (commit_no,),
    )
    return commit_no


class Recording:
    """A workload run on a faulty disk, with what was acknowledged at which point.

    Attributes:
        states: State after each number of commits; the first is the empty one.
        begun: Point at which each commit was handed in.
        acknowledged: Point at which each commit's success was known.
    """

    def __init__(self) -> None:
        self.states: list[tuple[Any, ...]] = [Model().state()]
        self.begun: list[int] = []
        self.acknowledged: list[int] = []

    def at(self, point: int) -> tuple[int, int]:
        """Least and greatest number of commits that may be found after a crash at a point."""
        return sum(1 for p in self.acknowledged if p <= point), sum(1 for p in self.begun if p < point)


Commit = Callable[[Committer, list[WriteBatch], FaultyDisk], tuple[list[CommitResult], int]]


def honest(committer: Committer, group: list[WriteBatch], disk: FaultyDisk) -> tuple[list[CommitResult], int]:
    """Results of a commit, and the point at which it may be acknowledged: after it."""
    return committer.commit(group), disk.point


def tuning(disk: FaultyDisk, synchronous: str = "FULL") -> Tuning:
    """A log so small that checkpoints happen all the time."""
    return Tuning(
        idle_checkpoint_bytes=48 * 1024,
        forced_checkpoint_bytes=96 * 1024,
        vfs=disk.name,
        synchronous=synchronous,
    )


def open_on(disk: FaultyDisk, folder: Path, synchronous: str = "FULL") -> tuple[Database, Committer]:
    """A database on a faulty disk."""
    settings = tuning(disk, synchronous)
    database = open_database(folder, settings, now=lambda: 1)
    return database, database.committer(settings)


def record(
    disk: FaultyDisk,
    folder: Path,
    seed: int,
    commits: int,
    *,
    synchronous: str = "FULL",
    commit: Commit = honest,
) -> Recording:
    """Run a workload to its end on a disk that does not fail."""
    recording = Recording()
    workload = Workload(seed)
    idle = random.Random(seed)
    database, committer = open_on(disk, folder, synchronous)
    for _ in range(commits):
        group = workload.group()
        recording.begun.append(disk.point)
        results, point = commit(committer, group, disk)
        assert all(result.error is None for result in results), results
        recording.acknowledged.append(point)
        recording.states.append(workload.model.state())
        committer.checkpoint(is_idle=idle.random() < 0.5)
    committer.close()
    database.close()
    return recording
