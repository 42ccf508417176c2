"""What one iteration of the loop wants on disk: one batch, one hand-over to the writer.

Disk full: the rows are kept, in order, and offered again every second; nothing that depends on them has
happened yet, so the runs concerned simply wait. New work is refused meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from counterpoint.engines.embedded.host import Host
from counterpoint.engines.embedded.statements import (
    FORGET_HISTORY,
    GONE_INBOX,
    GONE_TIMER,
    NEW_AUDIT,
    NEW_HISTORY,
    NEW_INBOX,
    NEW_RUN,
    NEW_TIMER,
    RUN_STATE,
)
from counterpoint.engines.embedded.turns import Turns
from counterpoint.errors import StorageError
from counterpoint.storage.bulk import Bulk
from counterpoint.storage.committer import CommitResult, WriteBatch
from counterpoint.storage.writer import Journal

_ORDER: tuple[Bulk, ...] = (
    NEW_RUN,
    NEW_HISTORY,
    FORGET_HISTORY,
    RUN_STATE,
    NEW_TIMER,
    GONE_TIMER,
    NEW_INBOX,
    GONE_INBOX,
    NEW_AUDIT,
)

RETRY_S = 1.0
"""Seconds between two tries while the disk is full."""


class Outbox:
    """Gathers rows and callbacks until the loop's iteration ends.

    Attributes:
        is_full: Whether the disk refused the last batch for want of space.
        failure: The error after which nothing can be stored any more.
    """

    def __init__(
        self, host: Host, turns: Turns, journal: Journal, on_fatal: Callable[[StorageError], None]
    ) -> None:
        self._host = host
        self._turns = turns
        self._journal = journal
        self._on_fatal = on_fatal
        self._rows: dict[Bulk, list[tuple[Any, ...]]] = {}
        self._blobs: list[tuple[str, bytes]] = []
        self._after: list[Callable[[], None]] = []
        self._is_scheduled = False
        self._refused: deque[WriteBatch] = deque()
        self._held: deque[WriteBatch] = deque()
        self._under_way = 0
        self._due: deque[Callable[[], None]] = deque()
        self._is_telling = False
        self.is_full = False
        self.failure: StorageError | None = None

    @property
    def is_quiet(self) -> bool:
        """Whether everything that was added is on disk and told, or waits for space."""
        return self.is_full or not (self._rows or self._after or self._under_way or self._due)

    def add(self, bulk: Bulk, row: tuple[Any, ...]) -> None:
        """Add a row to the batch."""
        rows = self._rows.get(bulk)
        if rows is None:
            rows = self._rows[bulk] = []
        rows.append(row)
        if not self._is_scheduled:
            self._schedule()

    def add_blob(self, digest: str, data: bytes) -> None:
        """Add a blob that rows of the batch name."""
        self._blobs.append((digest, data))

    def once_durable(self, callback: Callable[[], None]) -> None:
        """Call when everything added so far is on disk."""
        self._after.append(callback)
        if not self._is_scheduled:
            self._schedule()

    def submit_decision(
        self, decision: Callable[[Any, int], Any], done: Callable[[Any, StorageError | None], None]
    ) -> None:
        """Run a decision in the writer, behind what was added so far; `done` gets what it gave."""
        self.flush()

        def on_done(result: CommitResult) -> None:
            done(result.results[0] if result.results else None, result.error)

        self._journal.submit(WriteBatch(decisions=[decision], on_done=on_done))

    def flush(self) -> None:
        """Hand the batch over."""
        self._is_scheduled = False
        if not self._rows and not self._after and not self._blobs:
            return
        known = self._rows
        rows = [(bulk, known[bulk]) for bulk in _ORDER if bulk in known]
        batch = WriteBatch(rows=rows, blobs=self._blobs)
        after = self._after
        batch.on_done = lambda result: self._done(batch, after, result)
        self._rows, self._blobs, self._after = {}, [], []
        if self.is_full:
            self._held.append(batch)  # behind what is still coming back
        else:
            self._submit(batch)

    def _schedule(self) -> None:
        self._is_scheduled = True
        self._host.soon(self.flush)

    def _submit(self, batch: WriteBatch) -> None:
        self._under_way += 1
        self._journal.submit(batch)

    def _done(self, batch: WriteBatch, after: list[Callable[[], None]], result: CommitResult) -> None:
        self._under_way -= 1
        error = result.error
        if error is None:
            # Batch and callback name one another: without this all that a commit leaves behind, whole runs
            # with it, would wait for the collector of cycles, which then takes a quarter of the time.
            batch.on_done = None
            self._due.extend(after)
            if not self._is_telling:
                self._tell()
            return
        if not error.is_full:
            self._fail(error)
            return
        # The writer refuses everything behind a full disk until it is told to go on, so these come back
        # in order.
        self._refused.append(batch)
        if not self.is_full:
            self.is_full = True
            self._host.later(RETRY_S, self._offer_again)

    def _tell(self) -> None:
        """Call those whose rows are durable, in order, until the turn is used up; the rest comes next."""
        turns, due = self._turns, self._due
        self._is_telling = True
        try:
            while due and not turns.is_spent():
                due.popleft()()
        finally:
            self._is_telling = bool(due)
            if due:
                turns.wait(self._tell)

    def _offer_again(self) -> None:
        if self._under_way:
            self._host.later(RETRY_S, self._offer_again)
            return
        self.is_full = False
        waiting = [*self._refused, *self._held]
        self._refused.clear()
        self._held.clear()
        self._journal.resume()
        for batch in waiting:
            self._submit(batch)

    def _fail(self, error: StorageError) -> None:
        if self.failure is None:
            self.failure = error
            self._on_fatal(error)
