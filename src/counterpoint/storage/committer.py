"""Group commit: what has gathered becomes one transaction, without one batch failing another.

The fast path merges the rows of all batches and writes them with few statements. If a row is refused, the
transaction is rolled back and done again batch by batch, each in a savepoint, so that only the offender gets
the error. Decisions may therefore run twice and must have no effect outside the connection.

Crash before COMMIT returns: the transaction is there wholly or not at all, and nobody was told. Crash after:
it is there. An error of the device is never tried again; the committer refuses all work from then on (see
`failures`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, TypeAlias

import apsw
import msgspec

from counterpoint.core.values import Instant
from counterpoint.errors import LockLostError, StorageError
from counterpoint.storage.blobs import BlobFolder, SweptBlobs
from counterpoint.storage.bulk import Bulk
from counterpoint.storage.checkpoints import Checkpoints
from counterpoint.storage.failures import storage_error
from counterpoint.storage.merge import Row, Rows, merged

Decision: TypeAlias = Callable[[apsw.Connection, int], Any]
"""Runs inside the transaction, with the connection and the commit number; the batch gets its result."""

CHUNK = 128
"""Most rows of one statement: beyond this a statement gains nothing more and its text leaves the cache."""

COMMIT_BLOCK = 4096
"""Commit numbers reserved at once; a crash skips the rest of the block, so numbers rise but may have gaps."""

BLOB_ROWS = Bulk(
    "INSERT INTO blobs(digest,size,created)VALUES",
    "(?,?,?)",
    3,
    " ON CONFLICT(digest)DO UPDATE SET marked=NULL",
    table="blobs",
    key=("digest",),
)


class CommitResult(msgspec.Struct, frozen=True):
    """What became of a batch.

    Attributes:
        commit_no: Number of the commit; 0 when there was none.
        results: Result of each decision; an exception where it raised one.
        error: Why nothing of the batch was stored; None when it is durable.
    """

    commit_no: int
    results: list[Any]
    error: StorageError | None = None


class WriteBatch(msgspec.Struct):
    """Rows that are stored together or not at all.

    Attributes:
        rows: Statements with their rows, in order.
        decisions: Run before the rows, each in its own savepoint; one that raises is rolled back alone.
        blobs: SHA-256 (hex) and content; durable before the transaction begins.
        on_done: Told once the batch is durable or refused.
    """

    rows: list[Rows] = msgspec.field(default_factory=list)
    decisions: list[Decision] = msgspec.field(default_factory=list)
    blobs: list[tuple[str, bytes]] = msgspec.field(default_factory=list)
    on_done: Callable[[CommitResult], None] | None = None


class Committer:
    """Writes groups of batches; used by one thread.

    Args:
        connection: The writing connection.
        epoch: Number of this opening of the database; another one in it means that we lost it.
        blobs: Where blobs go.
        now: Clock for reservations and blobs.
        checkpoints: When to move the log into the database.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        epoch: int,
        blobs: BlobFolder,
        now: Callable[[], Instant],
        checkpoints: Checkpoints,
    ) -> None:
        self._connection = connection
        self._epoch = epoch
        self._blobs = blobs
        self._now = now
        self._checkpoints = checkpoints
        self._statements: dict[tuple[Bulk, int], str] = {}
        self._version = -1
        self._full: StorageError | None = None
        self.fatal: StorageError | None = None
        self.last_commit, self._reserved = _reservation(connection)

    def commit(self, batches: Sequence[WriteBatch]) -> list[CommitResult]:
        """One result for each batch, in order, of one transaction. Raises nothing that a disk can cause."""
        refused = self.fatal or self._full
        if refused is not None:
            return _all_failed(batches, refused)
        stored, error = self._store_blobs(batches)
        results = self._commit_group(batches[:stored]) if stored else []
        if error is not None:
            self._note(error, batches)
            results += _all_failed(batches[stored:], error)
        return results

    def resume(self) -> None:
        """Take work again after the disk was full.

        Once rows were refused for want of space, everything is, until whoever sent them says that they come
        next: a later batch must not overtake an earlier one of the same run.
        """
        self._full = None

    def checkpoint(self, *, is_idle: bool) -> None:
        """Move the log into the database if it is large enough; `is_idle` says that nobody waits."""
        if self.fatal is not None:
            return
        try:
            self._checkpoints.run(is_idle=is_idle)
        except apsw.Error as error:
            failure = storage_error(error)
            if failure is not None and failure.is_fatal:
                self.fatal = failure

    def close(self) -> None:
        """Note the exact commit number, empty the log and close the connection."""
        if self.fatal is None:
            # A crash or refusal here only makes the next opening skip the rest of the block of numbers.
            self.commit([WriteBatch(decisions=[self._note_end])])
            self._checkpoints.finish()
            # With a limit, SQLite would cut the log to nothing here, and the next opening would grow it
            # again.
            self._connection.pragma("journal_size_limit", -1)
            self.fatal = StorageError("the database is closed", is_fatal=True)
        self._connection.close()

    def _commit_group(self, batches: Sequence[WriteBatch]) -> list[CommitResult]:
        try:
            try:
                results = self._transact(batches, self._apply_together)
            except StorageError:
                raise
            except Exception:  # noqa: BLE001 - a row is wrong; the second pass finds whose it is
                results = self._transact(batches, self._apply_apart)
        except StorageError as error:
            self._note(error, batches)
            return _all_failed(batches, error)
        self._remove_swept(results)
        return results

    def _note(self, error: StorageError, batches: Sequence[WriteBatch]) -> None:
        if error.is_fatal:
            self.fatal = error
        elif any(batch.rows for batch in batches):
            self._full = error

    def _transact(
        self, batches: Sequence[WriteBatch], apply: Callable[[Sequence[WriteBatch], int], list[CommitResult]]
    ) -> list[CommitResult]:
        number = self.last_commit + 1
        try:
            self._begin()
            results = apply(batches, number)
            reserved = self._reserve(number)
            self._connection.execute("COMMIT")
        except Exception as error:
            self._rollback()
            failure = storage_error(error)
            if failure is not None:
                raise failure from error
            raise
        self.last_commit, self._reserved = number, reserved
        self._version = self._connection.data_version()
        return results

    def _begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        # The data version changes when another connection wrote, and costs nothing to ask; the epoch costs a
        # statement.
        if self._connection.data_version() != self._version:
            epoch = self._connection.execute("SELECT value FROM meta WHERE key = 'epoch'").get
            if epoch != self._epoch:
                raise LockLostError(
                    f"another process opened the data directory (epoch {epoch}, ours is {self._epoch})"
                )

    def _rollback(self) -> None:
        self._version = -1
        if not self._connection.get_autocommit():
            try:
                self._connection.execute("ROLLBACK")
            except apsw.Error as error:
                raise StorageError(f"a transaction cannot be rolled back: {error}", is_fatal=True) from error

    def _reserve(self, number: int) -> int:
        if number <= self._reserved:
            return self._reserved
        reserved = number + COMMIT_BLOCK - 1
        note_commits(self._connection, reserved, self._now())
        return reserved

    def _note_end(self, connection: apsw.Connection, number: int) -> None:
        note_commits(connection, number, self._now())

    def _apply_together(self, batches: Sequence[WriteBatch], number: int) -> list[CommitResult]:
        gathered: list[Rows] = []
        results = []
        for batch in batches:
            decided: list[Any] = []
            if batch.decisions:
                # A decision reads what earlier batches wrote.
                self._write(gathered, number)
                gathered = []
                decided = [self._decide(decision, number) for decision in batch.decisions]
            gathered += self._rows_of(batch)
            results.append(CommitResult(number, decided))
        self._write(gathered, number)
        return results

    def _apply_apart(self, batches: Sequence[WriteBatch], number: int) -> list[CommitResult]:
        return [self._apply_alone(batch, number) for batch in batches]

    def _apply_alone(self, batch: WriteBatch, number: int) -> CommitResult:
        self._connection.execute("SAVEPOINT batch")
        try:
            decided = [self._decide(decision, number) for decision in batch.decisions]
            self._write(self._rows_of(batch), number)
        except Exception as error:  # noqa: BLE001 - this batch's own mistake, unless `_undo` says otherwise
            self._undo("batch", error)
            return CommitResult(0, [], StorageError(f"a row was refused: {type(error).__name__}: {error}"))
        self._connection.execute("RELEASE batch")
        return CommitResult(number, decided)

    def _decide(self, decision: Decision, number: int) -> Any:
        self._connection.execute("SAVEPOINT decision")
        try:
            result = decision(self._connection, number)
        except Exception as error:  # noqa: BLE001 - the decision's own answer, handed to who asked
            self._undo("decision", error)
            return error
        self._connection.execute("RELEASE decision")
        return result

    def _undo(self, savepoint: str, error: Exception) -> None:
        """Roll back to a savepoint, or pass an error on that concerns the whole transaction."""
        if self._connection.get_autocommit() or isinstance(storage_error(error), StorageError):
            raise error
        self._connection.execute(f"ROLLBACK TO {savepoint}")
        self._connection.execute(f"RELEASE {savepoint}")

    def _rows_of(self, batch: WriteBatch) -> list[Rows]:
        if not batch.blobs:
            return batch.rows
        created = self._now()
        return [(BLOB_ROWS, [(digest, len(data), created) for digest, data in batch.blobs]), *batch.rows]

    def _write(self, entries: list[Rows], number: int) -> None:
        for segment in merged(entries):
            self._write_rows(segment.bulk, segment.rows, number)

    def _write_rows(self, bulk: Bulk, rows: list[Row], number: int) -> None:
        """Write rows in as few statements as possible: each must win the interpreter lock back.

        Beside a busy loop that wait is what a commit costs most; a prepared statement for each number of rows
        costs memory once.
        """
        execute = self._connection.execute
        prefix = (number,) if bulk.has_commit else ()
        start, left = 0, len(rows)
        while left:
            size = min(CHUNK, left)
            statement = self._statements.get((bulk, size))
            if statement is None:
                statement = self._statements[bulk, size] = bulk.sql(size)
            execute(statement, (*prefix, *chain.from_iterable(rows[start : start + size])))
            start += size
            left -= size

    def _store_blobs(self, batches: Sequence[WriteBatch]) -> tuple[int, StorageError | None]:
        """How many batches have their blobs stored, and why the one behind them has not."""
        for index, batch in enumerate(batches):
            try:
                for digest, data in batch.blobs:
                    self._blobs.store(digest, data)
            except OSError as error:
                return index, storage_error(error)
        return len(batches), None

    def _remove_swept(self, results: list[CommitResult]) -> None:
        """Remove files of swept blobs, unless the group stored them again; what stays is found later."""
        with suppress(OSError, apsw.Error):
            for outcome in chain.from_iterable(result.results for result in results):
                if isinstance(outcome, SweptBlobs):
                    for digest in outcome.digests:
                        if not self._connection.execute(
                            "SELECT 1 FROM blobs WHERE digest = ?", (digest,)
                        ).get:
                            self._blobs.remove(digest)


def note_commits(connection: apsw.Connection, reserved: int, now: Instant) -> None:
    """Store the highest commit number that may be in use, and the time."""
    connection.execute(
        "INSERT INTO meta (key, value) VALUES ('commit_no', ?), ('commit_at', ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (reserved, now),
    )


def _reservation(connection: apsw.Connection) -> tuple[int, int]:
    """Last number that may be in use, and last reserved one: the opening reserves a block."""
    stored = connection.execute("SELECT value FROM meta WHERE key = 'commit_no'").get
    return max(0, stored - COMMIT_BLOCK), stored


def _all_failed(batches: Sequence[WriteBatch], error: StorageError) -> list[CommitResult]:
    return [CommitResult(0, [], error) for _ in batches]
