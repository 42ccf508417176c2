"""Retention: what goes, what stays, in which portions."""

from __future__ import annotations

import apsw

from counterpoint.core.values import Status
from counterpoint.storage.committer import WriteBatch
from counterpoint.storage.retention import Removed, delete_finished
from counterpoint.storage.schema import SEQ_BITS
from tests.unit.storage.rows import HISTORY, TIMERS, Opened, history_row, new_run


def removed(opened: Opened, before: int, after: int = 0, limit: int = 500) -> Removed:
    batch = WriteBatch(decisions=[lambda connection, _: delete_finished(connection, before, after, limit)])
    result = opened.committer.commit([batch])[0].results[0]
    assert isinstance(result, Removed), result
    return result


def with_history(
    opened: Opened, run_no: int, rows: int, status: Status = Status.COMPLETED, ended: int | None = 10
) -> None:
    batch = new_run(run_no, status=status, ended=ended)
    batch.rows.append((HISTORY, [history_row((run_no << SEQ_BITS) + seq) for seq in range(1, rows + 1)]))
    opened.committer.commit([batch])


def runs(opened: Opened) -> list[int]:
    return [row[0] for row in opened.database.connection.execute("SELECT run_no FROM runs ORDER BY 1")]


def test_only_runs_that_ended_before_go(opened: Opened) -> None:
    with_history(opened, 1, 3)
    with_history(opened, 2, 3, ended=20)
    with_history(opened, 3, 3, Status.WAITING, ended=None)
    with_history(opened, 4, 3, Status.FAULTED)
    assert removed(opened, 20) == Removed(8, 4, True)
    assert runs(opened) == [2, 3]
    assert opened.value("SELECT count(*) FROM history") == 6


def test_timers_and_inbox_go_with_the_run(opened: Opened) -> None:
    with_history(opened, 1, 1)
    opened.committer.commit([WriteBatch(rows=[(TIMERS, [(5, 1, "wait", 1, 1), (5, 2, "wait", 1, 1)])])])
    opened.database.connection.execute(
        "INSERT INTO inbox (scope_no, run_no, kind, body) VALUES (1, 1, 1, x'00')"
    )
    removed(opened, 20)
    assert opened.database.connection.execute("SELECT run_no FROM timers").fetchall() == [(2,)]
    assert opened.value("SELECT count(*) FROM inbox") == 0


def test_a_child_stays_as_long_as_its_parent_is_open(opened: Opened) -> None:
    with_history(opened, 1, 1, Status.WAITING, ended=None)
    with_history(opened, 2, 1)
    opened.database.connection.execute("UPDATE runs SET parent_no = 1 WHERE run_no = 2")
    removed(opened, 20)
    assert runs(opened) == [1, 2]
    opened.database.connection.execute("UPDATE runs SET status = 7, ended = 11 WHERE run_no = 1")
    removed(opened, 20)
    assert runs(opened) == []


def test_no_commit_removes_more_than_the_limit_and_nobody_sees_a_cut_history(opened: Opened) -> None:
    with_history(opened, 1, 1200)
    with_history(opened, 2, 3)
    portions = []
    after = 0
    while True:
        portion = removed(opened, 20, after)
        portions.append(portion.rows)
        after = portion.after
        cut = opened.value(
            "SELECT count(*) FROM runs WHERE run_no = 1"
            " AND (SELECT count(*) FROM history WHERE history_no < ?) < 1200",
            2 << SEQ_BITS,
        )
        assert cut == 0
        if portion.is_done:
            break
    assert sum(portions) == 1205
    assert max(portions) <= 500
    assert opened.value("SELECT count(*) FROM history") == 0
    assert opened.value("SELECT count(*) FROM meta WHERE key = 'retention_run'") == 0


def test_a_removal_that_a_crash_cut_short_is_ended_by_the_next_pass(opened: Opened) -> None:
    with_history(opened, 1, 1200)
    removed(opened, 20)
    opened.close()
    opened.__init__(opened.folder)  # type: ignore[misc]
    while not removed(opened, 20).is_done:
        pass
    assert opened.value("SELECT count(*) FROM history") == 0


def test_the_number_of_a_removed_run_is_not_used_again(opened: Opened) -> None:
    with_history(opened, 41, 1)
    removed(opened, 20)
    assert opened.database.next_run_no() == 42
    with_history(opened, 3, 1)
    removed(opened, 20)
    assert opened.database.next_run_no() == 42


def test_many_old_open_runs_are_passed_over_in_portions(opened: Opened) -> None:
    def open_runs(connection: apsw.Connection, _: int) -> None:
        connection.execute(
            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 4500)"
            " INSERT INTO runs (run_no, scope_no, id, workflow_no, revision_no, status, started, actor,"
            " correlation_id, trace_id) SELECT i, 1, 'r' || i, 1, 1, 3, 0, 'me', 'c', 't' FROM n"
        )

    opened.committer.commit([WriteBatch(decisions=[open_runs])])
    with_history(opened, 5000, 1)
    after, turns = 0, 0
    while True:
        portion = removed(opened, 20, after)
        after, turns = portion.after, turns + 1
        if portion.is_done:
            break
    assert turns == 3
    assert runs(opened)[-1] == 4500
