"""Readers: snapshots, the time limit, and that they cannot write."""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import pytest

from counterpoint.errors import LimitExceeded
from counterpoint.storage.readers import InlineReader, ReaderPool
from tests.unit.storage.rows import Opened, new_run

ENDLESS = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


@pytest.fixture
def pool(opened: Opened) -> Iterator[ReaderPool]:
    found = ReaderPool(opened.database.path, 2, limit_s=0.05)
    yield found
    found.close()


async def test_a_reader_sees_what_is_committed(opened: Opened, pool: ReaderPool) -> None:
    assert await pool.query("SELECT run_no FROM runs") == []
    opened.committer.commit([new_run(1)])
    assert await pool.query("SELECT run_no FROM runs WHERE run_no = ?", (1,)) == [(1,)]


async def test_a_function_sees_one_snapshot(opened: Opened, pool: ReaderPool) -> None:
    def twice(connection: apsw.Connection) -> tuple[int, int]:
        first = connection.execute("SELECT count(*) FROM runs").get
        opened.committer.commit([new_run(1)])
        return first, connection.execute("SELECT count(*) FROM runs").get

    assert await pool.read(twice) == (0, 0)
    assert await pool.query("SELECT count(*) FROM runs") == [(1,)]


async def test_a_query_that_does_not_end_is_interrupted_and_the_reader_goes_on(pool: ReaderPool) -> None:
    for _ in range(3):
        with pytest.raises(LimitExceeded):
            await pool.query(ENDLESS)
    assert await pool.query("SELECT 1") == [(1,)]


async def test_a_reader_cannot_write(pool: ReaderPool) -> None:
    with pytest.raises(apsw.ReadOnlyError):
        await pool.query("DELETE FROM runs")


async def test_a_function_that_raises_ends_its_snapshot(opened: Opened, pool: ReaderPool) -> None:
    def fail(connection: apsw.Connection) -> None:
        connection.execute("SELECT count(*) FROM runs").fetchall()
        raise ValueError("mine")

    for _ in range(4):
        with pytest.raises(ValueError, match="mine"):
            await pool.read(fail)
    opened.committer.commit([new_run(1)])
    assert await pool.query("SELECT count(*) FROM runs") == [(1,)]


async def test_the_inline_reader_answers_alike(opened: Opened) -> None:
    reader = InlineReader(opened.database.connection)
    opened.committer.commit([new_run(1)])
    assert await reader.query("SELECT run_no FROM runs") == [(1,)]
    assert await reader.read(lambda connection: connection.execute("SELECT count(*) FROM runs").get) == 1
