"""Backup: one instant's state, complete or absent, without anything else from the folder."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from counterpoint.errors import Conflict, StorageError
from counterpoint.ports.maintenance import BackupProgress
from counterpoint.storage.backup import back_up, copy_directory
from counterpoint.storage.blobs import blob_digest, mark_blobs
from counterpoint.storage.committer import WriteBatch
from counterpoint.storage.database import open_database
from tests.unit.storage.rows import HISTORY, Opened, history_row, new_run

DATA = b"a large value " * 10_000


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def collect(folder: Path, target: Path) -> list[BackupProgress]:
    return [item async for item in back_up(folder, target)]


async def test_a_backup_is_a_data_directory_of_its_own(opened: Opened, tmp_path: Path) -> None:
    batch = new_run(1)
    batch.blobs = [(blob_digest(DATA), DATA)]
    opened.committer.commit([batch])
    (opened.folder / "secrets.key").write_text("never copied")
    target = tmp_path / "copies" / "one"
    items = await collect(opened.folder, target)
    assert items[-1] == BackupProgress("done", 1, 1, str(target))
    assert {item.phase for item in items} == {"database", "blobs", "check", "done"}
    assert sorted(path.name for path in target.iterdir()) == ["blobs", "counterpoint.db"]
    assert target.stat().st_mode & 0o077 == 0
    copy = open_database(target)
    assert copy.connection.execute("SELECT id FROM runs").fetchall() == [("run-1",)]
    assert copy.blobs.read(blob_digest(DATA)) == DATA
    copy.close()
    assert [path.name for path in target.parent.iterdir()] == ["one"]


async def test_a_backup_during_work_is_the_state_after_some_commit(opened: Opened, tmp_path: Path) -> None:
    body = b"x" * 3000
    opened.committer.commit([WriteBatch(rows=[(HISTORY, [history_row(n, body) for n in range(6000)])])])
    number = 6000
    target = tmp_path / "copy"
    backup = asyncio.ensure_future(collect(opened.folder, target))
    while not backup.done():
        rows = [history_row(n, body) for n in range(number, number + 3)]
        assert opened.committer.commit([WriteBatch(rows=[(HISTORY, rows)])])[0].error is None
        number += 3
        await asyncio.sleep(0)
    await backup
    copy = open_database(target)
    count, last = copy.connection.execute("SELECT count(*), max(history_no) FROM history").fetchall()[0]
    copy.close()
    assert count == last + 1
    assert count % 3 == 0
    assert 6000 <= count <= number


async def test_an_existing_target_is_refused_and_left_alone(opened: Opened, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.mkdir()
    with pytest.raises(Conflict):
        await collect(opened.folder, target)
    assert list(target.iterdir()) == []


async def test_a_folder_without_a_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(StorageError, match="no database"):
        await collect(tmp_path / "empty", tmp_path / "copy")
    assert names(tmp_path) == ["empty"]


async def test_a_damaged_blob_fails_the_backup_and_leaves_nothing(opened: Opened, tmp_path: Path) -> None:
    digest = blob_digest(DATA)
    opened.committer.commit([WriteBatch(blobs=[(digest, DATA)])])
    opened.database.blobs.path(digest).write_bytes(b"other")
    with pytest.raises(StorageError, match=digest):
        await collect(opened.folder, tmp_path / "copies" / "one")
    assert list((tmp_path / "copies").iterdir()) == []


async def test_a_damaged_page_fails_the_backup_and_leaves_nothing(opened: Opened, tmp_path: Path) -> None:
    rows = [history_row(n, b"x" * 500) for n in range(2000)]
    opened.committer.commit([WriteBatch(rows=[(HISTORY, rows)])])
    opened.damage()
    with pytest.raises(StorageError, match=r"damaged|malformed"):
        await collect(opened.folder, tmp_path / "copies" / "one")
    assert list((tmp_path / "copies").iterdir()) == []


async def test_a_blob_that_was_swept_meanwhile_is_no_failure(opened: Opened, tmp_path: Path) -> None:
    digest = blob_digest(DATA)
    opened.committer.commit([WriteBatch(blobs=[(digest, DATA)])])
    opened.committer.commit([WriteBatch(decisions=[lambda c, _: mark_blobs(c, set(), 1)])])
    opened.database.blobs.remove(digest)
    await collect(opened.folder, tmp_path / "copy")
    copy = open_database(tmp_path / "copy")
    assert copy.connection.execute("SELECT count(*) FROM blobs").get == 0
    copy.close()


async def test_a_backup_that_is_given_up_leaves_nothing(opened: Opened, tmp_path: Path) -> None:
    rows = [history_row(n, b"x" * 3000) for n in range(5000)]
    opened.committer.commit([WriteBatch(rows=[(HISTORY, rows)])])
    items = back_up(opened.folder, tmp_path / "copies" / "one")
    await anext(items)
    await items.aclose()  # type: ignore[attr-defined]
    left = [path.name for path in (tmp_path / "copies").iterdir()]
    assert left in ([], ["one"])


def test_a_report_that_raises_leaves_nothing(opened: Opened, tmp_path: Path) -> None:
    opened.close()

    def fail(_: BackupProgress) -> None:
        raise OSError("pipe closed")

    with pytest.raises(OSError, match="pipe closed"):
        copy_directory(opened.folder, tmp_path / "copies" / "one", fail)
    assert list((tmp_path / "copies").iterdir()) == []
