"""Copies a data directory while its owner works: one pinned snapshot, in a process of its own.

In the owner's process a copy would slow commits down, and closing the copied file could drop SQLite's locks.
The snapshot is one open read transaction, so the copy is the state of one instant; blobs of that state are
linked or copied after it. Everything goes into a hidden folder beside the target, is checked there, synced
and renamed: a target is complete or absent. Only the database and the blobs are copied, so no key file can
get into it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import apsw
import msgspec

from counterpoint.errors import Conflict, HistoryCorruptError, StorageError
from counterpoint.ports.maintenance import BackupProgress
from counterpoint.storage.blobs import BlobFolder, sync_folder
from counterpoint.storage.database import BLOBS_NAME, DATABASE_NAME
from counterpoint.storage.readers import open_reader

STEP_PAGES = 1024
"""Pages between two reports."""

Report = Callable[[BackupProgress], None]


class _Failure(msgspec.Struct, frozen=True, tag="failure"):
    """Last line of a copying process that failed."""

    message: str
    is_conflict: bool = False
    is_full: bool = False


class _Progress(msgspec.Struct, frozen=True, tag="progress"):
    """Any other line."""

    item: BackupProgress


async def back_up(folder: Path, target: Path) -> AsyncIterator[BackupProgress]:
    """Progress of a copy made by another process; the last item says `done`.

    Args:
        folder: Data directory, in use or not.
        target: Where the copy goes; must not exist.

    Raises:
        Conflict: The target exists.
        StorageError: The copy failed or did not pass its check; nothing is left at the target.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "counterpoint.storage.backup",
        str(folder),
        str(target),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    is_done = False
    try:
        async for line in process.stdout:
            item = _item(line)
            is_done = item.phase == "done"
            yield item
    finally:
        await _end(process)
    if not is_done:
        raise StorageError(f"the copying process ended early, with code {process.returncode}")


def copy_directory(folder: Path, target: Path, report: Report) -> None:
    """Copy a data directory; must not run in the process that owns it.

    Raises:
        Conflict: The target exists.
        StorageError: The source is not usable, or the copy did not pass its check.
        OSError: The disk is full or failed.
    """
    if target.exists():
        raise Conflict(f"{target} exists", "choose a name that does not")
    if not (folder / DATABASE_NAME).exists():
        raise StorageError(f"{folder} holds no database")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        _copy(folder, partial, report)
        partial.rename(target)
        sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    report(BackupProgress("done", 1, 1, str(target)))


def _copy(folder: Path, partial: Path, report: Report) -> None:
    source = open_reader(folder / DATABASE_NAME)
    try:
        # The first read pins the snapshot; the copy would start anew at each commit of the owner otherwise.
        source.execute("BEGIN")
        rows: list[Any] = source.execute("SELECT digest, marked FROM blobs ORDER BY digest").fetchall()
        copy = apsw.Connection(str(partial / DATABASE_NAME))
        try:
            _copy_pages(source, copy, report)
            gone = _copy_blobs(folder, partial, rows, report)
            copy.executemany("DELETE FROM blobs WHERE digest = ?", [(digest,) for digest in gone])
            _check(copy, report)
        finally:
            copy.close()
    finally:
        source.close()
    _sync_database(partial)


def _copy_pages(source: apsw.Connection, copy: apsw.Connection, report: Report) -> None:
    with copy.backup("main", source, "main") as backup:
        while not backup.done:
            backup.step(STEP_PAGES)
            report(BackupProgress("database", backup.page_count - backup.remaining, backup.page_count))


def _copy_blobs(
    folder: Path, partial: Path, rows: list[tuple[str, int | None]], report: Report
) -> Iterable[str]:
    """Copy each blob, checking its digest; gives those that were swept meanwhile, to which nothing refers."""
    blobs, copies = BlobFolder(folder / BLOBS_NAME), BlobFolder(partial / BLOBS_NAME)
    gone = []
    for number, (digest, marked) in enumerate(rows, 1):
        try:
            copies.store(digest, blobs.read(digest))
        except HistoryCorruptError:
            if marked is None or blobs.path(digest).exists():
                raise
            gone.append(digest)
        report(BackupProgress("blobs", number, len(rows)))
    return gone


def _check(copy: apsw.Connection, report: Report) -> None:
    report(BackupProgress("check", 0, 1))
    result = copy.execute("PRAGMA integrity_check(1)").get
    if result != "ok":
        raise StorageError(f"the copy is damaged: {result}; examine the source with `counterpoint doctor`")
    report(BackupProgress("check", 1, 1))


def _sync_database(partial: Path) -> None:
    database = partial / DATABASE_NAME
    database.chmod(0o600)
    descriptor = os.open(database, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(partial)


def _item(line: bytes) -> BackupProgress:
    decoded = msgspec.json.decode(line, type=_Failure | _Progress)
    if isinstance(decoded, _Progress):
        return decoded.item
    if decoded.is_conflict:
        raise Conflict(decoded.message, "choose a name that does not exist")
    raise StorageError(decoded.message, is_full=decoded.is_full)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let the copying process clean up, should the caller have lost interest."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
    await process.wait()


def _failure(error: Exception) -> _Failure:
    if isinstance(error, Conflict):
        return _Failure(str(error), is_conflict=True)
    full = isinstance(error, apsw.FullError) or (isinstance(error, OSError) and error.errno == 28)
    return _Failure(f"the backup failed: {error}", is_full=full)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(143)


def main(arguments: list[str]) -> int:
    """Copy the first argument to the second; progress as JSON lines. Gives the exit code."""
    signal.signal(signal.SIGTERM, _stop)

    def write(item: _Progress | _Failure) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(item) + b"\n")
        sys.stdout.buffer.flush()

    try:
        copy_directory(Path(arguments[0]), Path(arguments[1]), lambda item: write(_Progress(item)))
    except Exception as error:  # noqa: BLE001 - told to the parent process, which raises it
        write(_failure(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
