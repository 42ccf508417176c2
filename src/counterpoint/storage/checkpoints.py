"""When the write-ahead log is moved into the database.

SQLite would do it inside the commit that passes a size, at that caller's cost. Here it is done between
commits: from 16 MB on when nobody waits, from 64 MB on in any case. A reader that holds an old snapshot only
delays it.
"""

from __future__ import annotations

import apsw

IDLE_BYTES = 16 * 1024 * 1024
"""Size of the log from which an idle gap is used."""

FORCED_BYTES = 64 * 1024 * 1024
"""Size of the log from which commits wait for the checkpoint."""

RETRY_BYTES = 4 * 1024 * 1024
"""How much more must be written before a checkpoint that a reader held up is tried again."""

READER_WAIT_MS = 200
"""How long a forced checkpoint waits for readers."""


class Checkpoints:
    """Watches the size of the log of one connection.

    Args:
        connection: The writing connection.
        idle_bytes: See `IDLE_BYTES`.
        forced_bytes: See `FORCED_BYTES`.
    """

    def __init__(
        self, connection: apsw.Connection, idle_bytes: int = IDLE_BYTES, forced_bytes: int = FORCED_BYTES
    ) -> None:
        self._connection = connection
        page_bytes = connection.pragma("page_size")
        self._idle_pages = idle_bytes // page_bytes
        self._forced_pages = forced_bytes // page_bytes
        self._retry_pages = RETRY_BYTES // page_bytes
        self._start = 0
        self._not_before = 0
        self.count = 0

    def run(self, *, is_idle: bool) -> None:
        """Do a checkpoint if one is due.

        Raises:
            apsw.Error: The disk is full (it can be tried again) or failed.
        """
        # Pages that this connection wrote to the log; a look at a counter, where asking SQLite for the log's
        # size costs a call.
        written = self._connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]
        pages = written - self._start
        is_forced = pages >= self._forced_pages
        if written < self._not_before or not (is_forced or (is_idle and pages >= self._idle_pages)):
            return
        self._not_before = written + self._retry_pages
        if self._checkpoint(apsw.SQLITE_CHECKPOINT_RESTART if is_forced else apsw.SQLITE_CHECKPOINT_PASSIVE):
            self._start = self._not_before = written
            self.count += 1

    def finish(self) -> None:
        """Move all that can be moved; what cannot is in the log and is found at the next opening."""
        try:
            self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            return

    def _checkpoint(self, mode: int) -> bool:
        self._connection.set_busy_timeout(READER_WAIT_MS)
        try:
            in_log, moved = self._connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            return False
        finally:
            self._connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        return in_log == moved


BUSY_TIMEOUT_MS = 2000
"""How long a statement waits for a lock of another connection (a backup that begins, a checkpoint)."""
