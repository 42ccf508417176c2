"""Group commit: atomic batches, conflicts that spare neighbours, decisions, numbers, fencing."""

from __future__ import annotations

from typing import Any

import apsw
import pytest

from counterpoint.storage.blobs import blob_digest
from counterpoint.storage.committer import COMMIT_BLOCK, WriteBatch
from tests.unit.storage.rows import HISTORY, RUNS, STATUS, Opened, history_row, new_run, run_row


def test_all_batches_of_a_group_share_one_commit_number(opened: Opened) -> None:
    results = opened.committer.commit([new_run(1), new_run(2)])
    assert [result.commit_no for result in results] == [1, 1]
    assert opened.committer.commit([new_run(3)])[0].commit_no == 2


def test_the_commit_number_stands_on_the_rows_that_ask_for_it(opened: Opened) -> None:
    opened.committer.commit([new_run(1)])
    opened.committer.commit([WriteBatch(rows=[(HISTORY, [history_row(number) for number in range(7)])])])
    assert opened.value("SELECT count(*) FROM history WHERE commit_no = 2") == 7


@pytest.mark.parametrize("count", [1, 2, 3, 255, 256, 257, 1000])
def test_any_number_of_rows_is_stored_whole_and_in_order(opened: Opened, count: int) -> None:
    rows = [history_row(number, str(number).encode()) for number in range(count)]
    opened.committer.commit([WriteBatch(rows=[(HISTORY, rows)])])
    stored = opened.database.connection.execute("SELECT history_no, body FROM history ORDER BY 1").fetchall()
    assert stored == [(number, str(number).encode()) for number in range(count)]


def test_a_conflict_fails_its_batch_and_not_its_neighbours(opened: Opened) -> None:
    first, conflict, last = opened.committer.commit([new_run(1, "same"), new_run(2, "same"), new_run(3)])
    assert first.error is None
    assert last.error is None
    assert conflict.error is not None
    assert "UNIQUE" in str(conflict.error)
    assert (conflict.error.is_fatal, conflict.error.is_full) == (False, False)
    assert opened.database.connection.execute("SELECT run_no FROM runs ORDER BY 1").fetchall() == [(1,), (3,)]


def test_a_refused_batch_leaves_none_of_its_rows(opened: Opened) -> None:
    opened.committer.commit([new_run(1, "same")])
    batch = WriteBatch(
        rows=[(HISTORY, [history_row(5)]), (RUNS, [run_row(2, "same")])],
        decisions=[lambda connection, _: connection.execute("UPDATE runs SET status = 5")],
    )
    assert opened.committer.commit([batch])[0].error is not None
    assert opened.value("SELECT count(*) FROM history") == 0
    assert opened.value("SELECT status FROM runs") == 2


def test_a_value_that_sqlite_cannot_store_is_the_batch_s_own_fault(opened: Opened) -> None:
    wrong = WriteBatch(rows=[(HISTORY, [history_row(1, body=object())])])  # type: ignore[arg-type]
    refused, stored = opened.committer.commit([wrong, new_run(1)])
    assert refused.error is not None
    assert stored.error is None
    assert opened.committer.fatal is None


def test_a_decision_s_result_reaches_its_batch(opened: Opened) -> None:
    batch = WriteBatch(decisions=[lambda _, number: number, lambda _, __: "two"])
    assert opened.committer.commit([new_run(1), batch])[1].results == [1, "two"]


def test_a_decision_that_raises_is_rolled_back_alone(opened: Opened) -> None:
    def fail(connection: apsw.Connection, _: int) -> None:
        connection.execute("INSERT INTO meta VALUES ('x', 1)")
        raise ValueError("no")

    def keep(connection: apsw.Connection, _: int) -> None:
        connection.execute("INSERT INTO meta VALUES ('y', 1)")

    batch = new_run(1)
    batch.decisions = [fail, keep]
    result = opened.committer.commit([batch])[0]
    assert result.error is None
    assert isinstance(result.results[0], ValueError)
    assert opened.value("SELECT count(*) FROM meta WHERE key = 'x'") == 0
    assert opened.value("SELECT count(*) FROM meta WHERE key = 'y'") == 1
    assert opened.value("SELECT count(*) FROM runs") == 1


def test_a_decision_sees_the_rows_of_earlier_batches_and_not_of_later_ones(opened: Opened) -> None:
    seen: list[Any] = []

    def look(connection: apsw.Connection, _: int) -> None:
        seen.append(connection.execute("SELECT group_concat(run_no) FROM runs").get)

    opened.committer.commit([new_run(1), WriteBatch(decisions=[look]), new_run(2)])
    assert seen == ["1"]


def test_commit_numbers_rise_over_openings_even_without_a_clean_end(opened: Opened) -> None:
    for number in range(3):
        opened.committer.commit([new_run(number)])
    opened.database.connection.close()
    opened.database.close()
    again = Opened(opened.folder)
    assert again.committer.commit([new_run(9)])[0].commit_no > 3
    again.close()
    opened.committer.fatal = None
    opened.database.lock.release()
    opened.__init__(opened.folder)  # type: ignore[misc]
    assert opened.committer.last_commit < 2 * COMMIT_BLOCK


def test_a_block_of_commit_numbers_that_is_used_up_is_followed_by_another(opened: Opened) -> None:
    opened.committer.last_commit = COMMIT_BLOCK - 1
    assert [opened.committer.commit([new_run(n)])[0].commit_no for n in (1, 2)] == [
        COMMIT_BLOCK,
        COMMIT_BLOCK + 1,
    ]
    assert opened.value("SELECT value FROM meta WHERE key = 'commit_no'") >= COMMIT_BLOCK + 1


def test_an_owner_that_was_replaced_cannot_commit_any_more(opened: Opened) -> None:
    opened.committer.commit([new_run(1)])
    (opened.folder / "owner.lock").unlink()
    usurper = Opened(opened.folder)
    result = opened.committer.commit([new_run(2)])[0]
    assert result.error is not None
    assert result.error.is_fatal
    assert "another process" in str(result.error)
    assert usurper.committer.commit([new_run(3)])[0].error is None
    assert usurper.database.connection.execute("SELECT run_no FROM runs ORDER BY 1").fetchall() == [
        (1,),
        (3,),
    ]
    usurper.close()


def test_a_write_by_a_tool_does_not_stop_the_owner(opened: Opened) -> None:
    opened.committer.commit([new_run(1)])
    other = apsw.Connection(str(opened.database.path))
    other.execute("INSERT INTO meta VALUES ('note', 1)")
    other.close()
    assert opened.committer.commit([new_run(2)])[0].error is None


def test_after_a_fatal_error_nothing_is_tried_again(opened: Opened) -> None:
    opened.committer.commit([new_run(1)])
    other = apsw.Connection(str(opened.database.path))
    other.execute("BEGIN IMMEDIATE")
    opened.database.connection.set_busy_timeout(0)
    assert opened.committer.commit([new_run(2)])[0].error is not None
    other.execute("ROLLBACK")
    other.close()
    result = opened.committer.commit([new_run(2)])[0]
    assert result.error is not None
    assert result.error.is_fatal
    assert opened.value("SELECT count(*) FROM runs") == 1


def test_a_blob_is_a_file_and_a_row(opened: Opened) -> None:
    data = b"x" * 100_000
    digest = blob_digest(data)
    batch = new_run(1)
    batch.blobs = [(digest, data)]
    assert opened.committer.commit([batch])[0].error is None
    assert opened.committer.commit([batch.__class__(blobs=[(digest, data)])])[0].error is None
    assert opened.database.blobs.read(digest) == data
    assert opened.value("SELECT size FROM blobs WHERE digest = ?", digest) == 100_000


def test_an_update_behind_an_insert_of_the_same_group_finds_its_row(opened: Opened) -> None:
    opened.committer.commit(
        [new_run(1), WriteBatch(rows=[(STATUS, [(1, 3)])]), new_run(2), WriteBatch(rows=[(STATUS, [(1, 7)])])]
    )
    assert opened.database.connection.execute("SELECT run_no, status FROM runs ORDER BY 1").fetchall() == [
        (1, 7),
        (2, 2),
    ]


def test_a_full_disk_inside_a_decision_refuses_the_group_and_not_only_the_decision(opened: Opened) -> None:
    connection = opened.database.connection
    connection.pragma("max_page_count", connection.pragma("page_count") + 2)

    def large(connection: apsw.Connection, _: int) -> None:
        connection.execute("INSERT INTO meta VALUES ('large', zeroblob(1000000))")

    results = opened.committer.commit([new_run(1), WriteBatch(decisions=[large])])
    assert [result.error is not None and result.error.is_full for result in results] == [True, True]
    assert opened.committer.fatal is None
    assert opened.value("SELECT count(*) FROM runs") == 0
    connection.pragma("max_page_count", 1_000_000)
    held_back = opened.committer.commit([new_run(2)])[0]
    assert held_back.error is not None
    opened.committer.resume()
    assert opened.committer.commit([new_run(1)])[0].error is None


def test_a_decision_alone_that_finds_the_disk_full_holds_nothing_back(opened: Opened) -> None:
    connection = opened.database.connection
    connection.pragma("max_page_count", connection.pragma("page_count") + 2)

    def large(connection: apsw.Connection, _: int) -> None:
        connection.execute("INSERT INTO meta VALUES ('large', zeroblob(1000000))")

    assert opened.committer.commit([WriteBatch(decisions=[large])])[0].error is not None
    assert opened.committer.commit([new_run(1)])[0].error is None
