"""Statements, rows and an opened database for the tests of the storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from counterpoint.storage.bulk import delete, insert, update
from counterpoint.storage.committer import Committer, WriteBatch
from counterpoint.storage.database import Database, open_database

RUNS = insert(
    "runs",
    "run_no, scope_no, id, workflow_no, revision_no, status, started, ended, actor, correlation_id, trace_id",
)
STATUS = update("runs", "status", key="run_no")
HISTORY = insert(
    "history",
    "history_no, scope_no, at, format, kind, step, codec, key_id, nonce, body, head",
    commit="commit_no",
)
TIMERS = insert("timers", "due, run_no, step, kind, scope_no", key=3)
TIMER_GONE = delete("timers", "due, run_no, step")


def run_row(run_no: int, run_id: str = "", status: int = 2, ended: int | None = None) -> tuple[Any, ...]:
    return (run_no, 1, run_id or f"run-{run_no}", 1, 1, status, 0, ended, "me", "c", "t")


def history_row(history_no: int, body: bytes = b"{}", at: int = 1) -> tuple[Any, ...]:
    return (history_no, 1, at, 1, 2, "do.one", 0, None, b"n", body, b"h")


def new_run(run_no: int, run_id: str = "", **columns: Any) -> WriteBatch:
    return WriteBatch(rows=[(RUNS, [run_row(run_no, run_id, **columns)])])


class Opened:
    """A database and its committer, closed at the end of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database: Database = open_database(folder, now=lambda: 1000)
        self.committer: Committer = self.database.committer()

    def value(self, sql: str, *arguments: Any) -> Any:
        return self.database.connection.execute(sql, arguments).get

    def damage(self) -> None:
        """Close, and overwrite the heads of some pages of the history."""
        self.close()
        path = self.database.path
        # The log holds good copies of these pages; all of it has been moved.
        path.with_name(path.name + "-wal").unlink()
        content = bytearray(path.read_bytes())
        for page in range(40, 60):
            content[page * 4096 : page * 4096 + 200] = bytes(200)
        path.write_bytes(content)

    def close(self) -> None:
        self.committer.close()
        self.database.close()
