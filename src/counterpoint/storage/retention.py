"""Removal of old finished runs, a little at a time, so that no commit grows long."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from counterpoint.core.values import Instant, Status
from counterpoint.storage.schema import SEQ_BITS

RETENTION_ROWS = 500
"""Most rows that one commit removes."""

SCANNED_RUNS = 2000
"""Most runs that one commit looks at: old open ones are passed over, and there may be many."""


class Removed(msgspec.Struct, frozen=True):
    """What one call removed.

    Attributes:
        rows: Rows that went.
        after: Where to go on.
        is_done: Whether everything was looked at.
    """

    rows: int
    after: int
    is_done: bool


def delete_finished(
    connection: apsw.Connection, before: Instant, after: int = 0, limit: int = RETENTION_ROWS
) -> Removed:
    """What was removed of runs that ended before an instant; a decision for the writer, repeated until done.

    A run goes with its history, timers and inbox. One with more rows than fit loses its own row first, so
    that nobody sees a history that is cut, and is noted in `meta` until the rest has gone. Children of an
    open run stay.

    Args:
        connection: The writer's.
        before: Runs that ended before it go.
        after: `after` of the previous call; 0 to begin.
        limit: Most rows to remove.
    """
    left = limit - _delete_rest(connection, limit)
    scanned: list[Any] = connection.execute(
        "SELECT run_no, status, ended, parent_no FROM runs WHERE run_no > ? ORDER BY run_no LIMIT ?",
        (after, SCANNED_RUNS),
    ).fetchall()
    for run_no, status, ended, parent_no in scanned:
        if left <= 0:
            return Removed(limit - left, after, False)
        if (
            Status(status).is_final
            and ended is not None
            and ended < before
            and not _is_open(connection, parent_no)
        ):
            left -= _delete_run(connection, run_no, left)
        after = run_no
    return Removed(limit - left, after, len(scanned) < SCANNED_RUNS and _rest(connection) is None)


def _delete_run(connection: apsw.Connection, run_no: int, limit: int) -> int:
    connection.execute("DELETE FROM runs WHERE run_no = ?", (run_no,))
    removed = 1
    for table in ("timers", "inbox"):
        connection.execute(f"DELETE FROM {table} WHERE run_no = ?", (run_no,))
        removed += connection.changes()
    # The number must not be given out again, though nothing else may remember it.
    connection.execute(
        "INSERT INTO meta (key, value) VALUES ('run_no_floor', ?1), ('retention_run', ?2) ON CONFLICT (key)"
        " DO UPDATE SET value = iif(key = 'run_no_floor', max(value, excluded.value), excluded.value)",
        (run_no, run_no),
    )
    return removed + _delete_rest(connection, max(limit - removed, 0))


def _delete_rest(connection: apsw.Connection, limit: int) -> int:
    """Rows removed of the history whose run has gone already."""
    run_no = _rest(connection)
    if run_no is None:
        return 0
    first = run_no << SEQ_BITS
    connection.execute(
        "DELETE FROM history WHERE history_no IN"
        " (SELECT history_no FROM history WHERE history_no >= ? AND history_no < ? LIMIT ?)",
        (first, first + (1 << SEQ_BITS), limit),
    )
    removed = connection.changes()
    if removed < limit:
        connection.execute("DELETE FROM meta WHERE key = 'retention_run'")
    return removed


def _rest(connection: apsw.Connection) -> int | None:
    found: int | None = connection.execute("SELECT value FROM meta WHERE key = 'retention_run'").get
    return found


def _is_open(connection: apsw.Connection, run_no: int | None) -> bool:
    if run_no is None:
        return False
    status = connection.execute("SELECT status FROM runs WHERE run_no = ?", (run_no,)).get
    return status is not None and not Status(status).is_final
