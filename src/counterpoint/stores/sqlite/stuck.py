"""Stuck runs, found by the index of runs that did not complete and grouped by their stored cause."""

from __future__ import annotations

from collections import Counter
from typing import Any

from counterpoint.core.values import Scope, Status, decode_json
from counterpoint.ports.advice import group_of
from counterpoint.ports.records import RunRecord, StuckGroup, StuckReport
from counterpoint.storage.readers import Reader
from counterpoint.stores.sqlite.queries import IN_SCOPE, scope_values
from counterpoint.stores.sqlite.run_lists import read_runs

CHUNK = 2_000
"""Rows of one read, so that no reader holds a snapshot for long."""

MAX_SCANNED = 200_000
"""Rows that one report reads at most."""

# `status <> 7` repeats the condition of the partial index, without which SQLite would not take it.
_STUCK = f"""SELECT r.run_no, r.id, s.namespace, w.name, r.started, r.cause
    FROM runs r INDEXED BY runs_open JOIN scopes s ON s.scope_no = r.scope_no
    JOIN workflows w ON w.workflow_no = r.workflow_no
    WHERE r.status = ? AND r.status <> 7 AND r.run_no > ? AND {IN_SCOPE} ORDER BY r.run_no LIMIT {CHUNK}"""

STUCK_STATUSES = (Status.SUSPENDED, Status.FAULTED)


class SqliteStuckRuns:
    """What is stuck (`ports.records.StuckRuns`)."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def groups(self, scope: Scope) -> StuckReport:
        """Stuck runs grouped by cause; reads by chunks, at most `MAX_SCANNED` rows."""
        counts: Counter[str] = Counter()
        oldest: dict[str, tuple[Any, ...]] = {}
        scanned = 0
        for status in STUCK_STATUSES:
            after = 0
            while scanned < MAX_SCANNED:
                rows = await self._chunk(scope, status, after)
                for row in rows:
                    group = _group(row)
                    counts[group] += 1
                    if group not in oldest or row[4] < oldest[group][4]:
                        oldest[group] = row
                scanned += len(rows)
                if len(rows) < CHUNK:
                    break
                after = rows[-1][0]
        found = [_describe(group, count, oldest[group]) for group, count in counts.most_common()]
        return StuckReport(found, scanned < MAX_SCANNED)

    async def members(self, scope: Scope, group: str, after: int = 0, limit: int = 500) -> list[RunRecord]:
        """Runs of one group by number; stops reading once there are enough."""
        numbers: list[int] = []
        for status in STUCK_STATUSES:
            numbers.extend(await self._members_of(scope, status, group, after, limit))
        return await read_runs(self._reader, sorted(numbers)[:limit])

    async def _members_of(
        self, scope: Scope, status: Status, group: str, after: int, limit: int
    ) -> list[int]:
        found: list[int] = []
        while len(found) < limit:
            rows = await self._chunk(scope, status, after)
            found.extend(row[0] for row in rows if _group(row) == group)
            if len(rows) < CHUNK:
                break
            after = rows[-1][0]
        return found[:limit]

    async def _chunk(self, scope: Scope, status: Status, after: int) -> list[tuple[Any, ...]]:
        return await self._reader.query(_STUCK, (int(status), after, *scope_values(scope)))


def _cause(row: tuple[Any, ...]) -> dict[str, Any]:
    found: dict[str, Any] = decode_json(row[5]) if row[5] else {}
    return found


def _group(row: tuple[Any, ...]) -> str:
    cause = _cause(row)
    if "group" in cause:
        return str(cause["group"])
    return group_of(
        str(cause.get("code", "unknown")), f"{row[2]}/{row[3]}", str(cause.get("pointer", "")), None
    )


def _describe(group: str, count: int, row: tuple[Any, ...]) -> StuckGroup:
    cause = _cause(row)
    fault = cause.get("fault") or {}
    return StuckGroup(
        group=group,
        code=cause.get("code", "unknown"),
        namespace=row[2],
        workflow=row[3],
        count=count,
        oldest=row[4],
        example=row[1],
        pointer=cause.get("pointer", ""),
        task=cause.get("task", ""),
        error=fault.get("type", ""),
        status=fault.get("status", 0),
        why=cause.get("why", ""),
        next=cause.get("next", ""),
    )
