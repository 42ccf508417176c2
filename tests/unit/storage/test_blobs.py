"""Blobs: durable before their row, verified when read, swept after a grace, quarantined when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterpoint.errors import HistoryCorruptError
from counterpoint.storage.blobs import (
    BlobFolder,
    blob_digest,
    mark_blobs,
    quarantine,
    quarantine_blob,
    sweep_blobs,
)
from counterpoint.storage.committer import WriteBatch
from counterpoint.testing.faulty_disk import FaultyDisk, Operation
from tests.crash.storage_workload import open_on
from tests.unit.storage.rows import Opened, new_run

DATA = b"a large value " * 10_000
DIGEST = blob_digest(DATA)


def stored(opened: Opened) -> None:
    assert opened.committer.commit([WriteBatch(blobs=[(DIGEST, DATA)])])[0].error is None


def test_storing_twice_changes_nothing(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path / "blobs")
    blobs.store(DIGEST, DATA)
    before = blobs.path(DIGEST).stat().st_mtime_ns
    blobs.store(DIGEST, DATA)
    assert blobs.path(DIGEST).stat().st_mtime_ns == before
    assert list(blobs.digests()) == [DIGEST]


def test_a_damaged_blob_is_noticed_and_repaired_by_storing_it_again(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path / "blobs")
    blobs.store(DIGEST, DATA)
    blobs.path(DIGEST).write_bytes(DATA[:-1] + b"X")
    with pytest.raises(HistoryCorruptError, match=DIGEST):
        blobs.read(DIGEST)
    blobs.store(DIGEST, DATA)
    assert blobs.read(DIGEST) == DATA


def test_a_missing_blob_is_reported(tmp_path: Path) -> None:
    with pytest.raises(HistoryCorruptError, match="missing"):
        BlobFolder(tmp_path / "blobs").read(DIGEST)


def test_a_blob_has_its_name_before_the_first_write_of_its_transaction(tmp_path: Path) -> None:
    disk = FaultyDisk("blob-order")
    database, committer = open_on(disk, tmp_path / "data")
    seen: list[bool] = []

    class Watching(list[Operation]):
        def append(self, operation: Operation) -> None:
            seen.append(database.blobs.path(DIGEST).exists())
            super().append(operation)

    disk.operations = Watching(disk.operations)
    batch = new_run(1)
    batch.blobs = [(DIGEST, DATA)]
    assert committer.commit([batch])[0].error is None
    assert seen
    assert all(seen)
    committer.close()
    database.close()
    disk.close()


def test_what_nothing_refers_to_goes_after_the_grace(opened: Opened) -> None:
    stored(opened)
    commit = opened.committer.commit
    assert commit([WriteBatch(decisions=[lambda c, _: mark_blobs(c, set(), 50)])])[0].results == [1]
    commit([WriteBatch(decisions=[lambda c, _: sweep_blobs(c, 50)])])
    assert opened.database.blobs.read(DIGEST) == DATA
    commit([WriteBatch(decisions=[lambda c, _: sweep_blobs(c, 51)])])
    assert list(opened.database.blobs.digests()) == []
    assert opened.value("SELECT count(*) FROM blobs") == 0


def test_a_mark_is_taken_away_by_a_reference_or_a_store(opened: Opened) -> None:
    stored(opened)
    commit = opened.committer.commit
    commit([WriteBatch(decisions=[lambda c, _: mark_blobs(c, set(), 1)])])
    commit([WriteBatch(decisions=[lambda c, _: mark_blobs(c, {DIGEST}, 2)])])
    commit([WriteBatch(decisions=[lambda c, _: sweep_blobs(c, 99)])])
    assert opened.database.blobs.read(DIGEST) == DATA
    commit([WriteBatch(decisions=[lambda c, _: mark_blobs(c, set(), 3)])])
    stored(opened)
    commit([WriteBatch(decisions=[lambda c, _: sweep_blobs(c, 99)])])
    assert opened.database.blobs.read(DIGEST) == DATA


def test_a_blob_stored_in_the_group_that_sweeps_it_stays(opened: Opened) -> None:
    stored(opened)
    opened.committer.commit([WriteBatch(decisions=[lambda c, _: mark_blobs(c, set(), 1)])])
    opened.committer.commit(
        [WriteBatch(decisions=[lambda c, _: sweep_blobs(c, 99)]), WriteBatch(blobs=[(DIGEST, DATA)])]
    )
    assert opened.value("SELECT count(*) FROM blobs") == 1
    assert opened.database.blobs.read(DIGEST) == DATA


def test_a_sweep_that_is_rolled_back_removes_no_file(opened: Opened) -> None:
    stored(opened)
    opened.committer.commit([WriteBatch(decisions=[lambda c, _: mark_blobs(c, set(), 1)]), new_run(1)])
    conflict = new_run(1)
    conflict.decisions = [lambda c, _: sweep_blobs(c, 99)]
    assert opened.committer.commit([conflict])[0].error is not None
    assert opened.database.blobs.read(DIGEST) == DATA


def test_files_that_no_row_knows_are_found_after_a_while(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path / "blobs")
    blobs.store(DIGEST, DATA)
    changed = blobs.path(DIGEST).stat().st_mtime_ns // 1000
    assert blobs.leftovers({DIGEST}, changed + 1) == []
    assert blobs.leftovers(set(), changed) == []
    assert blobs.leftovers(set(), changed + 1) == [blobs.path(DIGEST)]


def test_what_is_corrupt_is_noted_once(opened: Opened) -> None:
    for now in (1, 2):
        opened.committer.commit(
            [
                WriteBatch(
                    decisions=[
                        lambda c, _, now=now: quarantine(c, "history", 7, "bad digest", now),  # type: ignore[misc]
                        lambda c, _, now=now: quarantine_blob(c, DIGEST, "bad digest", now),  # type: ignore[misc]
                    ]
                )
            ]
        )
    rows = opened.database.connection.execute(
        "SELECT table_name, found FROM quarantine ORDER BY 1"
    ).fetchall()
    assert rows == [("blobs", 1), ("history", 1)]
