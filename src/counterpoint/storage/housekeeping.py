"""Housekeeping while the product runs: old finished runs go, and blobs that nothing names any more.

Each step is one small commit behind the others, so that no caller waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import apsw

from counterpoint.core.values import MICROS_PER_S, Instant
from counterpoint.errors import CounterpointError
from counterpoint.ports.logs import Log
from counterpoint.storage.blobs import mark_blobs, sweep_blobs
from counterpoint.storage.committer import CommitResult, Decision, WriteBatch
from counterpoint.storage.readers import Reader
from counterpoint.storage.retention import Removed, delete_finished
from counterpoint.storage.writer import Journal

log = Log("counterpoint.housekeeping")

EVERY_S = 600.0
"""Seconds between two rounds."""

PAUSE_S = 0.05
"""Seconds between two commits of a round, so that retention never crowds out work."""

BLOB_GRACE = 3_600 * MICROS_PER_S
"""How long a blob that nothing names stays, in microseconds: a reader may have just seen its row."""

_DAY = 86_400 * MICROS_PER_S


class Housekeeping:
    """Removes what retention allows.

    Args:
        journal: The writer.
        reader: Reads the database.
        now: Clock.
        retention_days: Days for which finished runs are kept; 0 keeps them for ever.
    """

    def __init__(
        self, journal: Journal, reader: Reader, now: Callable[[], Instant], retention_days: int
    ) -> None:
        self._journal = journal
        self._reader = reader
        self._now = now
        self._retention = retention_days * _DAY
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin the rounds."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """End the rounds; a step under way is finished by the writer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def round(self) -> int:
        """Make one round; gives the rows removed."""
        removed = await self._remove_runs() if self._retention else 0
        await self._remove_blobs()
        return removed

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                removed = await self.round()
            except CounterpointError as error:
                log.warning("housekeeping was refused", reason=str(error))
            else:
                log.info("housekeeping", rows_removed=removed)

    async def _remove_runs(self) -> int:
        before, after, total = self._now() - self._retention, 0, 0
        while True:
            start = after

            def step(connection: apsw.Connection, _commit: int, start: int = start) -> Removed:
                return delete_finished(connection, before, start)

            removed: Removed = await self._decide(step)
            total += removed.rows
            after = removed.after
            if removed.is_done:
                return total
            await asyncio.sleep(PAUSE_S)

    async def _remove_blobs(self) -> None:
        rows = await self._reader.query("SELECT CAST(body AS TEXT) FROM history WHERE format = 2")
        named = {str(digest) for (digest,) in rows}
        now = self._now()
        # Marked now, removed an hour later: a blob whose row is being written is named by then.
        await self._decide(lambda connection, _commit: mark_blobs(connection, named, now))
        await self._decide(lambda connection, _commit: sweep_blobs(connection, now - BLOB_GRACE))

    async def _decide(self, decision: Decision) -> Any:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def told(result: CommitResult) -> None:
            if done.done():
                return
            failure = result.error or (
                result.results[0] if isinstance(result.results[0], Exception) else None
            )
            if failure is not None:
                done.set_exception(failure)
            else:
                done.set_result(result.results[0])

        self._journal.submit(WriteBatch(decisions=[decision], on_done=told))
        return await done
