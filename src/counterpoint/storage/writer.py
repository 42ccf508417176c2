"""The one thread that writes: whoever wants durability submits a batch and is told after the commit.

While a commit runs, further batches gather; the next commit takes them all. There is no linger: waiting for
more rows costs each of them that wait and gains nothing, because a busy disk makes groups by itself. All
`on_done` of a group are called by one hand-over to the loop's thread.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum
from queue import SimpleQueue
from time import perf_counter
from typing import Protocol

import msgspec

from counterpoint.errors import StorageError
from counterpoint.storage.committer import CommitResult, Committer, WriteBatch

GROUP_BATCHES = 4096
"""Most batches of one commit, so that nobody waits for an endless one."""

SWITCH_INTERVAL_S = 0.0002
"""How long a thread may keep the interpreter lock while another wants it.

Python's default of 5 ms is what a commit pays at each of its statements beside a busy loop: 2,900 rows/s in
groups of 100, where 0.2 ms gives 41,000 and costs the loop a few percent.
"""


class Journal(Protocol):
    """What an engine is given: the writer's thread, or a simulation's."""

    def submit(self, batch: WriteBatch) -> None:
        """Take a batch; its `on_done` is called once it is durable or refused. In order; never blocks."""
        ...

    def resume(self) -> None:
        """Take work again after a batch was refused because the disk is full; see `Committer.resume`."""
        ...

    def close(self) -> None:
        """Store what was submitted, then close."""
        ...


class _Signal(Enum):
    """What stands in the queue between batches."""

    RESUME = 1
    END = 2


class WriterStats(msgspec.Struct):
    """What the writer did since it began.

    Attributes:
        commits: Transactions.
        batches: Batches in them.
        rows: Rows in the batches.
        failures: Batches that were refused.
        busy_s: Seconds spent in commits.
        waits: Times that the writer found nothing to do.
        group_sizes: Commits by their number of batches, rounded down to a power of two.
    """

    commits: int = 0
    batches: int = 0
    rows: int = 0
    failures: int = 0
    busy_s: float = 0.0
    waits: int = 0
    group_sizes: Counter[int] = msgspec.field(default_factory=Counter)


class Writer:
    """Owns a committer and its thread.

    Args:
        committer: Stores groups of batches; used by the writer's thread alone from now on.
        post: Hands a function to the loop's thread, such as `loop.call_soon_threadsafe`.
        on_fatal: Told once, in the loop's thread, that no commit will ever succeed again: the process must
            stop.
        switch_interval_s: See `SWITCH_INTERVAL_S`; set for the whole process.
    """

    def __init__(
        self,
        committer: Committer,
        post: Callable[[Callable[[], None]], object],
        on_fatal: Callable[[StorageError], None] | None = None,
        switch_interval_s: float = SWITCH_INTERVAL_S,
    ) -> None:
        self._committer = committer
        self._post = post
        self._on_fatal = on_fatal
        self._queue: SimpleQueue[WriteBatch | _Signal] = SimpleQueue()
        self._is_closed = False
        self.stats = WriterStats()
        sys.setswitchinterval(min(switch_interval_s, sys.getswitchinterval()))
        self._thread = threading.Thread(target=self._run, name="counterpoint-writer", daemon=True)
        self._thread.start()

    def submit(self, batch: WriteBatch) -> None:
        """Take a batch; see `Journal`.

        Raises:
            StorageError: The writer was closed.
        """
        if self._is_closed:
            raise StorageError("the writer is closed")
        self._queue.put(batch)

    def resume(self) -> None:
        """Take work again behind what was submitted so far; see `Journal`."""
        self._queue.put(_Signal.RESUME)

    def close(self) -> None:
        """Store what was submitted, move the log into the database, close the connection; blocks until then.

        The last `on_done` calls are handed to the loop and run when the caller lets it.
        """
        if not self._is_closed:
            self._is_closed = True
            self._queue.put(_Signal.END)
        self._thread.join()

    def _run(self) -> None:
        signal: _Signal | None = None
        while signal is not _Signal.END:
            if self._queue.empty():
                self.stats.waits += 1
            group, signal = self._gather()
            if group:
                self._commit(group)
            if signal is _Signal.RESUME:
                self._committer.resume()
            self._committer.checkpoint(is_idle=self._queue.empty())
            self._report_fatal()
        self._committer.close()

    def _gather(self) -> tuple[list[WriteBatch], _Signal | None]:
        """All that waits, up to a signal."""
        group: list[WriteBatch] = []
        item = self._queue.get()
        while not isinstance(item, _Signal):
            group.append(item)
            if len(group) >= GROUP_BATCHES or self._queue.empty():
                return group, None
            item = self._queue.get_nowait()
        return group, item

    def _commit(self, group: Sequence[WriteBatch]) -> None:
        begin = perf_counter()
        try:
            results = self._committer.commit(group)
        except Exception as error:  # noqa: BLE001 - a bug in a statement's shape must not leave callers waiting for ever
            failure = StorageError(f"the writer failed: {type(error).__name__}: {error}", is_fatal=True)
            self._committer.fatal = failure
            results = [CommitResult(0, [], failure) for _ in group]
        self._count(group, results, perf_counter() - begin)
        done = [
            (batch.on_done, result) for batch, result in zip(group, results, strict=True) if batch.on_done
        ]
        self._hand_over(lambda: _tell(done))

    def _report_fatal(self) -> None:
        failure, callback = self._committer.fatal, self._on_fatal
        if failure is not None and callback is not None:
            self._on_fatal = None
            self._hand_over(lambda: callback(failure))

    def _hand_over(self, function: Callable[[], None]) -> None:
        try:
            self._post(function)
        except RuntimeError:
            # The loop is closed: whoever waited is gone. What was stored is stored.
            return

    def _count(self, group: Sequence[WriteBatch], results: Sequence[CommitResult], seconds: float) -> None:
        stats = self.stats
        stats.commits += 1
        stats.batches += len(group)
        stats.rows += sum(len(rows) for batch in group for _, rows in batch.rows)
        stats.failures += sum(1 for result in results if result.error is not None)
        stats.busy_s += seconds
        stats.group_sizes[1 << (len(group).bit_length() - 1)] += 1


def _tell(done: list[tuple[Callable[[CommitResult], None], CommitResult]]) -> None:
    """Call back in order; one that raises does not keep the others from being told."""
    failure: Exception | None = None
    for callback, result in done:
        try:
            callback(result)
        except Exception as error:  # noqa: BLE001 - raised below, once all are told
            failure = failure or error
    if failure is not None:
        raise failure
