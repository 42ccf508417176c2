"""The writer's thread: order, one hand-over per group, refusal after a fatal error, a clean end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import apsw
import pytest

from counterpoint.errors import StorageError
from counterpoint.storage.committer import CommitResult, WriteBatch
from counterpoint.storage.database import Database, open_database
from counterpoint.storage.writer import Writer
from tests.unit.storage.rows import HISTORY, history_row, new_run

Callback = Callable[[], None]


class Loop:
    """What the writer posts to; the test runs it."""

    def __init__(self) -> None:
        self.posted: SimpleQueue[Callback] = SimpleQueue()
        self.turns = 0

    def turn(self) -> None:
        """Wait for a hand-over and run it."""
        self.posted.get(timeout=30)()
        self.turns += 1

    def drain(self) -> None:
        while not self.posted.empty():
            self.turn()


class Held:
    """Makes the writer wait inside a commit until the test lets it go on."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.go = threading.Event()

    def __call__(self, connection: apsw.Connection, commit_no: int) -> None:
        self.entered.set()
        self.go.wait(30)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = open_database(tmp_path / "data")
    yield found
    found.close()


@pytest.fixture
def loop() -> Loop:
    return Loop()


def test_results_come_in_the_order_of_submission(database: Database, loop: Loop) -> None:
    writer = Writer(database.committer(), loop.posted.put)
    told: list[int] = []
    for number in range(200):
        batch = new_run(number)
        batch.on_done = lambda result, number=number: told.append(number)  # type: ignore[misc]
        writer.submit(batch)
    writer.close()
    loop.drain()
    assert told == list(range(200))


def test_what_gathers_during_a_commit_is_one_commit_and_one_hand_over(database: Database, loop: Loop) -> None:
    writer = Writer(database.committer(), loop.posted.put)
    held = Held()
    results: list[CommitResult] = []
    writer.submit(WriteBatch(decisions=[held]))
    held.entered.wait(30)
    for number in range(50):
        batch = new_run(number)
        batch.on_done = results.append
        writer.submit(batch)
    held.go.set()
    loop.turn()
    loop.turn()
    assert len({result.commit_no for result in results}) == 1
    writer.close()
    assert writer.stats.commits == 2
    assert writer.stats.rows == 50
    assert writer.stats.group_sizes == {1: 1, 32: 1}


def test_a_callback_that_raises_does_not_keep_the_others_waiting(database: Database, loop: Loop) -> None:
    writer = Writer(database.committer(), loop.posted.put)
    held = Held()
    told: list[CommitResult] = []

    def fail(result: CommitResult) -> None:
        raise ValueError("mine")

    writer.submit(WriteBatch(decisions=[held]))
    held.entered.wait(30)
    writer.submit(WriteBatch(on_done=fail))
    writer.submit(WriteBatch(on_done=told.append))
    held.go.set()
    loop.turn()
    with pytest.raises(ValueError, match="mine"):
        loop.turn()
    assert len(told) == 1
    writer.close()


def test_closing_stores_what_was_submitted_and_refuses_more(database: Database, loop: Loop) -> None:
    writer = Writer(database.committer(), loop.posted.put)
    for number in range(20):
        writer.submit(new_run(number))
    writer.close()
    writer.close()
    with pytest.raises(StorageError):
        writer.submit(new_run(99))
    again = database.readers(1)
    again.close()
    database.close()
    with_rows = open_database(database.folder)
    assert with_rows.connection.execute("SELECT count(*) FROM runs").get == 20
    with_rows.close()


def test_a_fatal_error_is_told_once_and_everything_after_it_is_refused(
    database: Database, loop: Loop
) -> None:
    fatal: list[StorageError] = []
    results: list[CommitResult] = []
    other = apsw.Connection(str(database.path))
    database.connection.set_busy_timeout(0)
    writer = Writer(database.committer(), loop.posted.put, fatal.append)
    other.execute("BEGIN IMMEDIATE")
    for told in (1, 2):
        writer.submit(WriteBatch(on_done=results.append))
        while len(results) < told:
            loop.turn()
    writer.close()
    other.close()
    loop.drain()
    assert [result.error is not None and result.error.is_fatal for result in results] == [True, True]
    assert len(fatal) == 1


def test_a_mistake_in_a_statement_s_shape_leaves_nobody_waiting(database: Database, loop: Loop) -> None:
    results: list[CommitResult] = []
    writer = Writer(database.committer(), loop.posted.put)
    writer.submit(WriteBatch(rows=[(None, [(1,)])], on_done=results.append))  # type: ignore[list-item]
    writer.close()
    loop.drain()
    assert results[0].error is not None


def test_a_loop_that_is_gone_does_not_stop_the_writer(database: Database) -> None:
    def closed(_: Callback) -> None:
        raise RuntimeError("Event loop is closed")

    writer = Writer(database.committer(), closed)
    writer.submit(new_run(1))
    writer.close()
    assert writer.stats.batches == 1


def test_work_behind_a_full_disk_waits_for_the_sender_to_resume(database: Database, loop: Loop) -> None:
    results: list[CommitResult] = []
    connection = database.connection
    writer = Writer(database.committer(), loop.posted.put)

    def submit(batch: WriteBatch) -> bool:
        """Whether the batch was refused because the disk is full."""
        batch.on_done = results.append
        writer.submit(batch)
        loop.turn()
        error = results[-1].error
        return error is not None and error.is_full

    connection.pragma("max_page_count", connection.pragma("page_count"))
    assert submit(WriteBatch(rows=[(HISTORY, [history_row(n, b"x" * 4000) for n in range(50)])]))
    connection.pragma("max_page_count", 1_000_000)
    assert submit(new_run(1))
    writer.resume()
    assert not submit(new_run(1))
    writer.close()
