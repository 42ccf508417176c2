"""Lists of runs by keyset.

Every list is a merge of ranges of the index `(workflow, status, started)`: one range for each workflow and
status asked for, each read only as far as the page goes. So a page costs the same at ten runs and at ten
million; there is no offset, no count and no sort over what is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest
from typing import Any

import apsw

from counterpoint.core.values import Scope, Status, decode_json
from counterpoint.errors import InvalidRequest
from counterpoint.ports.records import Page, RunQuery, RunRecord
from counterpoint.storage.readers import Reader
from counterpoint.stores.sqlite.queries import IN_SCOPE, scope_values

MAX_PAGE = 500
"""Most rows of one page."""

_RUN = """SELECT r.id, r.run_no, s.namespace, s.environment, w.name, v.version, r.revision_no, r.status,
    r.started, r.actor, r.correlation_id, r.trace_id, r.ended, r.start_key, p.id, r.outcome, r.cause
    FROM runs r JOIN scopes s ON s.scope_no = r.scope_no
    JOIN workflows w ON w.workflow_no = r.workflow_no
    JOIN revisions v ON v.revision_no = r.revision_no LEFT JOIN runs p ON p.run_no = r.parent_no
    WHERE r.run_no IN """

RANGE = """SELECT started, run_no FROM runs
    WHERE workflow_no = ? AND status = ? AND (started, run_no) < (?, ?) AND started >= ?
    ORDER BY started DESC, run_no DESC LIMIT ?"""
"""One range: below a position, not before a floor."""

_END = 2**62


async def page_of_runs(reader: Reader, scope: Scope, query: RunQuery) -> Page:
    """A page of runs, newest first.

    Raises:
        InvalidRequest: Unknown status word or damaged cursor.
    """
    limit = max(1, min(query.limit, MAX_PAGE))
    statuses = [_status(query.status)] if query.status else list(Status)
    started, run_no = _position(query.before)
    sql = f"""SELECT w.workflow_no FROM workflows w JOIN scopes s ON s.scope_no = w.scope_no
              WHERE {IN_SCOPE} AND (? = '' OR w.name = ?)"""
    values = (*scope_values(scope), query.workflow, query.workflow)
    workflows = [row[0] for row in await reader.query(sql, values)]
    ranges = [(workflow, int(status)) for workflow in workflows for status in statuses]
    found = await reader.read(lambda connection: _newest(connection, ranges, (started, run_no), limit + 1))
    page = found[:limit]
    items = await read_runs(reader, [number for _, number in page])
    return Page(items, f"{page[-1][0]}-{page[-1][1]}" if len(found) > limit else "")


def _newest(
    connection: apsw.Connection, ranges: Sequence[tuple[int, int]], position: tuple[int, int], count: int
) -> list[tuple[int, int]]:
    """Start and number of the newest runs of all ranges below a position."""
    found: list[tuple[int, int]] = []
    floor = 0
    for workflow, status in ranges:
        # One small statement again and again stays prepared; one union of hundreds of ranges would not.
        rows: list[Any] = connection.execute(RANGE, (workflow, status, *position, floor, count)).fetchall()
        if rows:
            found = nlargest(count, [*found, *rows])
            floor = found[-1][0] if len(found) == count else 0
    return found


async def read_runs(reader: Reader, numbers: Sequence[int]) -> list[RunRecord]:
    """Records of runs in the order of their numbers given; a run that retention removed is left out."""
    if not numbers:
        return []
    marks = ", ".join("?" * len(numbers))
    rows = await reader.query(f"{_RUN} ({marks})", tuple(numbers))
    by_number = {row[1]: _record(row) for row in rows}
    return [by_number[number] for number in numbers if number in by_number]


def _record(row: tuple[Any, ...]) -> RunRecord:
    return RunRecord(
        id=row[0],
        run_no=row[1],
        namespace=row[2],
        environment=row[3],
        workflow=row[4],
        version=row[5],
        revision_no=row[6],
        status=Status(row[7]).word,
        started=row[8],
        actor=row[9],
        correlation_id=row[10],
        trace_id=row[11],
        ended=row[12],
        start_key=row[13],
        parent_id=row[14],
        outcome=row[15],
        cause=decode_json(row[16]) if row[16] else None,
    )


def _status(word: str) -> Status:
    for status in Status:
        if status.word == word:
            return status
    known = ", ".join(status.word for status in Status)
    raise InvalidRequest(f"no status {word!r}", f"A run is one of {known}.")


def _position(cursor: str) -> tuple[int, int]:
    if not cursor:
        return _END, _END
    started, _, run_no = cursor.partition("-")
    if not (started.isdecimal() and run_no.isdecimal() and len(cursor) < 40):
        raise InvalidRequest(
            "this cursor is not one of a list of runs", "Take `next` of the page before as it is."
        )
    return int(started), int(run_no)
