"""Merged statements have the effect of the batches one after the other."""

from __future__ import annotations

from typing import Any

import apsw
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.storage.bulk import Bulk, delete, insert, update
from counterpoint.storage.merge import merged

SCHEMA = """
    CREATE TABLE a (k INTEGER, l INTEGER, v, w, PRIMARY KEY (k, l));
    CREATE TABLE b (n INTEGER PRIMARY KEY, v);
"""
INSERT = insert("a", "k, l, v", key=2)
V = update("b", "v", key="n")
W = update("a", "w", key="k")
GONE = delete("a", "k, l")
GONE_K = delete("a", "k")
LOG = insert("b", "n, v", key=1)
LOG_GONE = delete("b", "n")

keys = st.integers(0, 3)
values = st.integers(0, 99)
entries = st.one_of(
    st.tuples(st.just(INSERT), st.tuples(keys, keys, values)),
    st.tuples(st.just(V), st.tuples(keys, values)),
    st.tuples(st.just(W), st.tuples(keys, values)),
    st.tuples(st.just(GONE), st.tuples(keys, keys)),
    st.tuples(st.just(GONE_K), st.tuples(keys)),
    st.tuples(st.just(LOG), st.tuples(keys, values)),
    st.tuples(st.just(LOG_GONE), st.tuples(keys)),
)


def outcome(groups: list[tuple[Bulk, list[tuple[Any, ...]]]]) -> list[Any] | None:
    """Both tables after the statements; None if a row was refused."""
    connection = apsw.Connection(":memory:")
    connection.execute(SCHEMA)
    try:
        for bulk, rows in groups:
            connection.execute(bulk.sql(len(rows)), [value for row in rows for value in row])
    except apsw.ConstraintError:
        return None
    return [connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in "ab"]


@given(st.lists(entries, max_size=25))
def test_merged_rows_do_what_single_rows_do(listed: list[tuple[Bulk, tuple[int, ...]]]) -> None:
    single = [(bulk, [row]) for bulk, row in listed]
    expected = outcome(single)
    together = outcome([(segment.bulk, segment.rows) for segment in merged(single)])
    # A refusal of the merged rows is answered by a second pass, batch by batch; a wrong result would be
    # final.
    if together is not None:
        assert together == expected


@given(st.integers(1, 300))
def test_rows_of_statements_that_do_not_meet_become_one_statement_each(count: int) -> None:
    listed = [
        entry for n in range(count) for entry in ((LOG, [(n, 0)]), (INSERT, [(n, n, 0)]), (V, [(n, 1)]))
    ]
    assert [(segment.bulk, len(segment.rows)) for segment in merged(listed)] == [
        (LOG, count),
        (INSERT, count),
        (V, count),
    ]


def test_a_timer_that_comes_and_goes_in_one_group_is_gone() -> None:
    listed = [(GONE, [(0, 0)]), (INSERT, [(1, 1, 5)]), (GONE, [(1, 1)])]
    assert outcome([(segment.bulk, segment.rows) for segment in merged(listed)]) == [[], []]
