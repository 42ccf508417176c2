"""Reads histories: decoded rows, and the check of their chain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from counterpoint.core.values import Scope
from counterpoint.engines.embedded.rows import (
    COLUMNS,
    GENESIS,
    SELECT_ROWS,
    StoredRow,
    chain,
    columns_text,
    decode,
    read_body,
    row_range,
)
from counterpoint.errors import HistoryCorruptError, NotFound
from counterpoint.ports.history import HistoryEntry, InputKind, RunEnd, Verification
from counterpoint.ports.payloads import PayloadCodec
from counterpoint.storage.readers import Reader

_RUN = (
    "SELECT r.run_no, r.head, s.namespace, s.environment FROM runs AS r JOIN scopes AS s USING (scope_no)"
    " WHERE r.id = ?"
)
_PAGE = 2_000
_ROWS_A_TURN = 200
_LAST_ROWS = 20


class EmbeddedHistories:
    """Implements `Histories` on the database.

    Args:
        reader: Reads the database.
        codec: Encoding of payloads.
        blob: Reads a blob by digest.
    """

    def __init__(self, reader: Reader, codec: PayloadCodec, blob: Callable[[str], bytes]) -> None:
        self._reader = reader
        self._codec = codec
        self._blob = blob

    async def entries(
        self, scope: Scope, run_id: str, after: int = 0, limit: int = 1000
    ) -> list[HistoryEntry]:
        """See `Histories.entries`."""
        run_no, _, own = await self._run(scope, run_id)
        rows = await self._rows(run_no, after, limit)
        found: list[HistoryEntry] = []
        for row in rows:
            found.append(decode(row, own, self._codec, read_body(row, self._blob)))
            if len(found) % _ROWS_A_TURN == 0:
                await asyncio.sleep(0)
        return found

    async def last_end(self, scope: Scope, run_id: str) -> RunEnd | None:
        """How a run ended or paused last; hardly a row follows such a one."""
        run_no, _, own = await self._run(scope, run_id)
        sql = SELECT_ROWS.replace("ORDER BY history_no", "ORDER BY history_no DESC LIMIT ?")
        rows = await self._reader.query(sql, (*row_range(run_no), _LAST_ROWS))
        for values in rows:
            row = StoredRow(*values)
            end = decode(row, own, self._codec, read_body(row, self._blob)).end
            if end is not None:
                return end
        return None

    async def verify(self, scope: Scope, run_id: str) -> Verification:
        """See `Histories.verify`; a gap left by compaction must be attested by the latest SETTLED row."""
        run_no, stored_head, own = await self._run(scope, run_id)
        try:
            gaps = await self._gaps(run_no, own)
            head, count = await self._walk(run_no, own, gaps)
        except _Broken as broken:
            return Verification(False, broken.rows, "", broken.problem)
        if stored_head is not None and not await self._has_head(run_no, stored_head):
            return Verification(
                False, count, head.hex(), "the head stored with the run is that of none of its rows"
            )
        return Verification(True, count, head.hex())

    async def _walk(self, run_no: int, scope: Scope, gaps: dict[int, list[Any]]) -> tuple[bytes, int]:
        head, last, count = GENESIS, 0, 0
        while True:
            rows = await self._rows(run_no, last, _PAGE)
            for row in rows:
                if row.seq != last + 1:
                    head = _over_gap(gaps, last + 1, row.seq - 1, head, count)
                head = self._check(row, head, scope, count)
                last, count = row.seq, count + 1
            if len(rows) < _PAGE:
                break
        if count == 0:
            raise _Broken("the run has no history", 0)
        return head, count

    async def _gaps(self, run_no: int, scope: Scope) -> dict[int, list[Any]]:
        low, high = row_range(run_no)
        sql = (
            f"SELECT {COLUMNS} FROM history WHERE history_no > ? AND history_no < ? AND kind = ?"
            " ORDER BY history_no DESC LIMIT 1"
        )
        rows = await self._reader.query(sql, (low, high, InputKind.SETTLED))
        if not rows:
            return {}
        entry = self._decode(StoredRow(*rows[0]), scope, 0)
        return {gap[0]: gap for gap in entry.payload["gaps"]}

    def _check(self, row: StoredRow, head: bytes, scope: Scope, count: int) -> bytes:
        """Head after a row whose bytes match it."""
        self._decode(row, scope, count)
        columns = columns_text(row.history_no, row.at, row.form, row.kind, row.step or "")
        found = chain(head, row.nonce, columns, row.body)
        if found != row.head:
            raise _Broken(
                f"row {row.seq} does not match its digest: it, or one before it, was changed", count
            )
        return found

    def _decode(self, row: StoredRow, scope: Scope, count: int) -> HistoryEntry:
        try:
            return decode(row, scope, self._codec, read_body(row, self._blob))
        except HistoryCorruptError as bad:
            raise _Broken(str(bad), count) from bad

    async def _has_head(self, run_no: int, head: bytes) -> bool:
        low, high = row_range(run_no)
        sql = "SELECT 1 FROM history WHERE history_no > ? AND history_no < ? AND head = ? LIMIT 1"
        return bool(await self._reader.query(sql, (low, high, head)))

    async def _rows(self, run_no: int, after: int, limit: int) -> list[StoredRow]:
        rows = await self._reader.query(f"{SELECT_ROWS} LIMIT ?", (*row_range(run_no, after), limit))
        return [StoredRow(*row) for row in rows]

    async def _run(self, scope: Scope, run_id: str) -> tuple[int, bytes | None, Scope]:
        rows: list[tuple[Any, ...]] = await self._reader.query(_RUN, (run_id,))
        if not rows or scope.environment != rows[0][3] or scope.namespace not in ("*", rows[0][2]):
            raise NotFound(f"There is no run `{run_id}`", "List runs with: counterpoint runs list")
        return rows[0][0], rows[0][1], Scope(rows[0][2], rows[0][3])


class _Broken(Exception):
    """The chain does not hold."""

    def __init__(self, problem: str, rows: int) -> None:
        self.problem = problem
        self.rows = rows


def _over_gap(gaps: dict[int, list[Any]], first: int, last: int, head: bytes, count: int) -> bytes:
    """Head behind rows that compaction removed."""
    gap = gaps.get(first)
    if gap is None or gap[1] != last:
        raise _Broken(
            f"rows {first} to {last} are missing, and no later row says that they were forgotten", count
        )
    if bytes.fromhex(gap[2]) != head:
        raise _Broken(f"the rows before the forgotten rows {first} to {last} were changed", count)
    return bytes.fromhex(gap[3])
