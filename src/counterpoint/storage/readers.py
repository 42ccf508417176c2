"""Connections that only read, each with its thread, so that the loop never waits for a query.

A reader sees what was committed when its query began. A snapshot that stays open keeps the log from being
reused, so queries are interrupted after a second; page through long lists by keyset.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, TypeVar

import apsw

from counterpoint.errors import LimitExceeded
from counterpoint.storage.checkpoints import BUSY_TIMEOUT_MS

T = TypeVar("T")
Args = Sequence[Any]

QUERY_LIMIT_S = 1.0
"""How long a query may take."""

CHECK_STEPS = 20_000
"""Steps of SQLite's machine between two looks at the clock."""


class Reader(Protocol):
    """Reads the database."""

    async def query(self, sql: str, args: Args = ()) -> list[tuple[Any, ...]]:
        """All rows of one SELECT.

        Raises:
            LimitExceeded: It took longer than the limit.
        """
        ...

    async def read(self, function: Callable[[apsw.Connection], T]) -> T:
        """Result of a function that sees one snapshot in all its queries; same limit."""
        ...


class ReaderPool:
    """Reads in threads.

    Args:
        path: Database file.
        size: Connections.
        limit_s: Longest query, in seconds.
    """

    def __init__(self, path: Path, size: int = 2, limit_s: float = QUERY_LIMIT_S) -> None:
        self._path = path
        self._limit_s = limit_s
        self._local = threading.local()
        self._connections: list[apsw.Connection] = []
        self._executor = ThreadPoolExecutor(size, thread_name_prefix="counterpoint-reader")

    async def query(self, sql: str, args: Args = ()) -> list[tuple[Any, ...]]:
        """All rows of one SELECT; see `Reader`."""
        return await self._run(lambda connection: connection.execute(sql, args).fetchall())

    async def read(self, function: Callable[[apsw.Connection], T]) -> T:
        """Result of a function in one snapshot; see `Reader`."""
        return await self._run(lambda connection: _in_snapshot(connection, function))

    def close(self) -> None:
        """End the threads and close the connections."""
        self._executor.shutdown(wait=True)
        for connection in self._connections:
            connection.close()

    async def _run(self, function: Callable[[apsw.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._limited, function)

    def _limited(self, function: Callable[[apsw.Connection], T]) -> T:
        connection = self._connection()
        end = monotonic() + self._limit_s
        connection.set_progress_handler(lambda: monotonic() > end, CHECK_STEPS)
        try:
            return function(connection)
        except apsw.InterruptError:
            raise LimitExceeded(
                f"a query took longer than {self._limit_s:g} s", "ask for fewer rows"
            ) from None

    def _connection(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = open_reader(self._path)
            self._connections.append(connection)
        return connection


class InlineReader:
    """Reads on a given connection in the caller's thread: for simulations, where nothing runs beside."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def query(self, sql: str, args: Args = ()) -> list[tuple[Any, ...]]:
        """All rows of one SELECT; see `Reader`."""
        return self._connection.execute(sql, args).fetchall()

    async def read(self, function: Callable[[apsw.Connection], T]) -> T:
        """Result of a function in one snapshot; see `Reader`."""
        return _in_snapshot(self._connection, function)


def open_reader(path: Path) -> apsw.Connection:
    """A connection that cannot write; the database must exist."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.pragma("wal_autocheckpoint", 0)
    connection.pragma("query_only", 1)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    return connection


def _in_snapshot(connection: apsw.Connection, function: Callable[[apsw.Connection], T]) -> T:
    connection.execute("BEGIN")
    try:
        return function(connection)
    finally:
        connection.execute("ROLLBACK")
