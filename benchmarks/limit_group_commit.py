"""What disk and SQLite allow at best: a bare loop that commits groups of history-like rows, fsync on.

The engine's figures are read against these. `writer.busy.rows_per_s` is the product's own writer with a main
thread that never rests, in a closed loop: each durable row asks for the next one.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from report import publish

from counterpoint.storage.bulk import insert
from counterpoint.storage.committer import CommitResult, WriteBatch
from counterpoint.storage.database import SERVER, open_database
from counterpoint.storage.writer import Writer

GROUPS = (1, 25, 100, 400)
REPEATS = 3
BODY = os.urandom(150)
HEAD = os.urandom(32)
HISTORY = insert(
    "history",
    "history_no, scope_no, at, format, kind, step, codec, key_id, nonce, body, head",
    commit="commit_no",
)


def rows_from(start: int) -> Iterator[tuple[Any, ...]]:
    """Rows of about 200 bytes in rising order."""
    for number in itertools.count(start):
        yield (number, 1, 1_700_000_000_000_000, 1, 2, "do.charge", 0, None, b"12345678", BODY, HEAD)


def group_commits(folder: Path, group: int, seconds: float) -> tuple[float, list[float]]:
    """Rows a second of a bare loop, and the sorted latencies of its commits in milliseconds."""
    database = open_database(folder, SERVER)
    connection = database.connection
    statement = HISTORY.sql(group)
    rows = rows_from(1)
    latencies = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds:
        values = list(itertools.chain.from_iterable(itertools.islice(rows, group)))
        start = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(statement, (1, *values))
        connection.execute("COMMIT")
        latencies.append((time.perf_counter() - start) * 1000)
    elapsed = time.perf_counter() - begin
    database.close()
    return len(latencies) * group / elapsed, sorted(latencies)


def writer_beside_busy_thread(folder: Path, flight: int, seconds: float) -> tuple[float, float]:
    """Rows and commits a second of the writer, with so many rows in flight, beside a computing thread."""
    database = open_database(folder, SERVER)
    writer = Writer(database.committer(SERVER), lambda function: function())
    rows = rows_from(1)
    end = time.perf_counter() + seconds
    left = threading.Semaphore(0)

    def again(result: CommitResult) -> None:
        if result.error is not None:
            raise result.error
        if time.perf_counter() < end:
            writer.submit(WriteBatch(rows=[(HISTORY, [next(rows)])], on_done=again))
        else:
            left.release()

    for _ in range(flight):
        again(CommitResult(0, []))
    _compute_until(end)
    for _ in range(flight):
        left.acquire()
    writer.close()
    database.close()
    return writer.stats.rows / seconds, writer.stats.commits / seconds


def _compute_until(end: float) -> None:
    total = 0
    while time.perf_counter() < end:
        for number in range(500):
            total += number * number


def in_folder(parent: Path | None, function: Callable[[Path], Any]) -> Any:
    """Result of a measurement in a fresh folder on the disk of `parent`."""
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        return function(Path(folder) / "data")


def measure(folder: Path | None, seconds: float) -> dict[str, float]:
    """The two figures that other benchmarks relate to, measured on the disk of a folder.

    Args:
        folder: Where to measure; None for the system's folder of temporary files.
        seconds: For each of the two.

    Returns:
        `limit.group_commit.rows_per_s` (groups of 400) and `limit.commit.p50_ms` (one row a commit).
    """
    rate, _ = in_folder(folder, lambda path: group_commits(path, 400, seconds))
    _, single = in_folder(folder, lambda path: group_commits(path, 1, seconds))
    return {"limit.group_commit.rows_per_s": rate, "limit.commit.p50_ms": single[len(single) // 2]}


def main() -> None:
    """Measure and publish."""
    for group in GROUPS:
        runs = [
            in_folder(None, lambda path, group=group: group_commits(path, group, 1.5)) for _ in range(REPEATS)
        ]
        name = "limit.group_commit" if group == GROUPS[-1] else f"limit.group_commit_{group}"
        publish(f"{name}.rows_per_s", [rate for rate, _ in runs], "rows/s")
        if group == 1:
            publish("limit.commit.p50_ms", [times[len(times) // 2] for _, times in runs], "ms")
            publish("limit.commit.p99_ms", [times[len(times) * 99 // 100] for _, times in runs], "ms")
    for flight in GROUPS[1:]:
        busy = [
            in_folder(None, lambda path, flight=flight: writer_beside_busy_thread(path, flight, 1.5))
            for _ in range(REPEATS)
        ]
        publish(f"limit.writer_busy_{flight}.rows_per_s", [rate for rate, _ in busy], "rows/s")
        publish(f"limit.writer_busy_{flight}.commits_per_s", [commits for _, commits in busy], "commits/s")


if __name__ == "__main__":
    main()
