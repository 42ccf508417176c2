"""Rows of many batches as few statements, with the same result as one batch after the other.

Rows of different tables are independent (no foreign keys, no triggers), so only the order within a table
matters. Rows of one statement are gathered into one segment, segments are written in order of their first
row. A row may join an earlier segment of its statement only if no other statement has touched the same key
since: "delete T0, insert T1, delete T1" needs two deletes, "insert T1, insert T2, delete T1, delete T2" needs
one. Statements that name rows of a table by other columns cannot be compared, so the table starts anew
between them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from counterpoint.storage.bulk import Bulk, Effect

Row: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = tuple[Bulk, list[Row]]


class Segment:
    """Rows of one statement that are written together."""

    __slots__ = ("_latest", "bulk", "rows")

    def __init__(self, bulk: Bulk) -> None:
        self.bulk = bulk
        self.rows: list[Row] = []
        self._latest: dict[Row, int] = {}

    def extend(self, rows: list[Row]) -> None:
        """Add rows; of two updates of one key the later one stands."""
        if self.bulk.effect is not Effect.UPDATE:
            self.rows.extend(rows)
            return
        width = len(self.bulk.key)
        for row in rows:
            # UPDATE ... FROM takes an arbitrary row when several have the key.
            place = self._latest.setdefault(row[:width], len(self.rows))
            if place == len(self.rows):
                self.rows.append(row)
            else:
                self.rows[place] = row


class _Table:
    """Which segment touched which key last, for a table that several statements change."""

    __slots__ = ("floor", "key", "touched")

    def __init__(self, key: tuple[str, ...]) -> None:
        self.key = key
        self.floor = 0
        self.touched: dict[Row, int] = {}


class Merge:
    """Gathers rows in the order in which they would have been written one by one."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self._open: dict[Bulk, int] = {}
        self._tables: dict[str, _Table] = {}

    def add(self, bulk: Bulk, rows: list[Row], is_alone: bool) -> None:
        """Add rows of a statement; `is_alone` says that no other statement of the group changes its table."""
        if is_alone:
            self.segments[self._segment(bulk, 0)].extend(rows)
            return
        table = self._tables.get(bulk.table)
        if table is None:
            table = self._tables[bulk.table] = _Table(bulk.key)
        elif table.key != bulk.key:
            table.key, table.floor, table.touched = bulk.key, len(self.segments), {}
        width = len(bulk.key)
        for row in rows:
            key = row[:width]
            index = self._segment(bulk, max(table.floor, table.touched.get(key, 0) if width else 0))
            if width:
                table.touched[key] = index
            self.segments[index].extend([row])

    def _segment(self, bulk: Bulk, floor: int) -> int:
        index = self._open.get(bulk, -1)
        if index < floor or index < 0:
            index = self._open[bulk] = len(self.segments)
            self.segments.append(Segment(bulk))
        return index


def merged(entries: Iterable[Rows]) -> list[Segment]:
    """Segments to write in order, with the effect of the entries one after the other."""
    listed = list(entries)
    if len(listed) == 1 and listed[0][0].effect is not Effect.UPDATE:
        only = Segment(listed[0][0])
        only.rows = listed[0][1]
        return [only]
    first: dict[str, Bulk] = {}
    shared = {bulk.table for bulk, _ in listed if first.setdefault(bulk.table, bulk) is not bulk}
    merge = Merge()
    for bulk, rows in listed:
        merge.add(bulk, rows, bulk.table not in shared)
    return merge.segments
