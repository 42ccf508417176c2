"""Checkpoints: in an idle gap when the log is large, by force when very large, later behind a reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from counterpoint.storage import checkpoints
from counterpoint.storage.checkpoints import Checkpoints
from counterpoint.storage.committer import Committer, WriteBatch
from counterpoint.storage.database import Database, Tuning, open_database
from counterpoint.storage.readers import open_reader
from tests.unit.storage.rows import HISTORY, history_row

TUNING = Tuning(idle_checkpoint_bytes=200_000, forced_checkpoint_bytes=400_000)


class Log:
    """A database with small limits; each `fill` writes about 50 KB to the log."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.committer: Committer = database.committer(TUNING)
        self._next = 0

    @property
    def checkpoints(self) -> int:
        found: Checkpoints = self.committer._checkpoints
        return found.count

    @property
    def size(self) -> int:
        return self.database.path.with_name(self.database.path.name + "-wal").stat().st_size

    def fill(self, times: int) -> None:
        for _ in range(times):
            rows = [history_row(self._next + n, b"x" * 3000) for n in range(10)]
            self._next += 10
            assert self.committer.commit([WriteBatch(rows=[(HISTORY, rows)])])[0].error is None


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    database = open_database(tmp_path / "data", TUNING)
    found = Log(database)
    yield found
    found.committer.close()
    database.close()


def test_a_small_log_is_left_alone(log: Log) -> None:
    log.fill(1)
    log.committer.checkpoint(is_idle=True)
    assert log.checkpoints == 0


def test_a_large_log_is_moved_in_an_idle_gap_and_not_before(log: Log) -> None:
    log.fill(4)
    log.committer.checkpoint(is_idle=False)
    assert log.checkpoints == 0
    log.committer.checkpoint(is_idle=True)
    assert log.checkpoints == 1


def test_a_very_large_log_is_moved_in_any_case(log: Log) -> None:
    log.fill(12)
    log.committer.checkpoint(is_idle=False)
    assert log.checkpoints == 1


@pytest.mark.parametrize("is_idle", [True, False])
def test_the_log_does_not_grow_without_end(log: Log, is_idle: bool) -> None:
    for _ in range(60):
        log.fill(1)
        log.committer.checkpoint(is_idle=is_idle)
    assert log.checkpoints > 3
    assert log.size < 2 * TUNING.forced_checkpoint_bytes


def test_a_reader_delays_the_checkpoint_and_does_not_stop_the_commits(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "READER_WAIT_MS", 1)
    log.fill(1)
    reader = open_reader(log.database.path)
    reader.execute("BEGIN; SELECT count(*) FROM history").fetchall()
    log.fill(12)
    log.committer.checkpoint(is_idle=False)
    assert log.checkpoints == 0
    assert log.committer.fatal is None
    reader.execute("ROLLBACK")
    reader.close()
    log.fill(checkpoints.RETRY_BYTES // 30_000)
    log.committer.checkpoint(is_idle=False)
    assert log.checkpoints == 1
