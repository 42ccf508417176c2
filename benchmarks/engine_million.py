"""Throughput with 1,000,000 finished runs beside an empty database, interleaved, and its list pages.

The finished runs are written as rows by the writer itself; they have the histories that three-step runs have.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import uvloop
from engine_stand import SCOPE, Stand, stand
from engine_three_steps import DOCUMENT, connector, throughput
from report import publish

from counterpoint.core.values import Status
from counterpoint.engines.embedded import SystemClock
from counterpoint.ports.records import RunQuery
from counterpoint.storage.bulk import insert
from counterpoint.storage.committer import WriteBatch
from counterpoint.storage.database import SERVER, open_database
from counterpoint.storage.schema import SEQ_BITS

FINISHED = 1_000_000
BATCH = 2_000
RUNS = 6_000
REPEATS = 5
FLIGHT = 100

NEW_RUN = insert(
    "runs",
    "run_no, scope_no, id, workflow_no, revision_no, status, started, ended, actor, correlation_id, trace_id,"
    " head",
)
NEW_HISTORY = insert(
    "history",
    "history_no, scope_no, at, format, kind, step, codec, key_id, nonce, body, head",
    commit="commit_no",
)


def fill(folder: Path) -> None:
    """Write finished runs, four rows of history each, and an empty checkpointed log."""
    database = open_database(folder, SERVER)
    committer = database.committer(SERVER)
    now, head = SystemClock().now(), os.urandom(32)
    body = os.urandom(180)
    for first in range(1, FINISHED + 1, BATCH):
        numbers = range(first, first + BATCH)
        runs = [
            (
                n,
                1,
                f"0{n:025d}",
                1,
                1,
                int(Status.COMPLETED),
                now - (FINISHED - n) * 1000,
                now,
                "bench",
                "c",
                "t",
                head,
            )
            for n in numbers
        ]
        rows = [
            ((n << SEQ_BITS) + seq, 1, now, 1, 2, "do.one", 0, None, head[:12], body, head)
            for n in numbers
            for seq in range(1, 5)
        ]
        for result in committer.commit([WriteBatch(rows=[(NEW_RUN, runs), (NEW_HISTORY, rows)])]):
            if result.error is not None:
                raise result.error
        committer.checkpoint(is_idle=True)
    committer.close()
    database.close()


async def deployed_first(folder: Path) -> None:
    """Deploy, so that the workflow has the numbers that the rows name."""
    async with stand(folder, [DOCUMENT], [connector()]):
        pass


async def list_page_ms(on: Stand, times: int = 60) -> float:
    """95th percentile of a page of the list, over pages and filters."""
    found = []
    for query in (
        RunQuery(),
        RunQuery(workflow="three-steps"),
        RunQuery(status="completed"),
        RunQuery(status="faulted"),
    ):
        cursor = ""
        for _ in range(times // 4):
            begin = time.perf_counter()
            page = await on.records.runs(
                SCOPE, RunQuery(query.workflow, query.status, before=cursor, limit=50)
            )
            found.append((time.perf_counter() - begin) * 1000)
            cursor = page.next
    found.sort()
    return found[len(found) * 95 // 100]


async def compare(empty: Path, full: Path) -> None:
    """Interleave the two databases."""
    rates: dict[Path, list[float]] = {empty: [], full: []}
    pages = []
    for _ in range(REPEATS):
        for folder in (empty, full):
            async with stand(folder, [], [connector()]) as on:
                await throughput(on, 1_000, FLIGHT, "three-steps", {"n": 0})
                rates[folder].append(await throughput(on, RUNS, FLIGHT, "three-steps", {"n": 0}))
                if folder is full:
                    pages.append(await list_page_ms(on))
    ratios = [one / other for one, other in zip(rates[full], rates[empty], strict=True)]
    publish("engine.million_runs.ratio", ratios, "x of an empty database")
    publish("engine.million_runs.runs_per_s", rates[full], "runs/s")
    publish("engine.million_runs.list_p95_ms", pages, "ms")


def main() -> None:
    """Fill one database, leave the other empty, compare."""
    with tempfile.TemporaryDirectory() as folder:
        empty, full = Path(folder) / "empty", Path(folder) / "full"
        for path in (empty, full):
            uvloop.run(deployed_first(path))
        fill(full)
        uvloop.run(compare(empty, full))


if __name__ == "__main__":
    main()
