"""Examines a data directory: what could cost data or speed, and what to do about it; changes nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import apsw

from counterpoint.core.values import Instant, to_iso
from counterpoint.errors import StorageError
from counterpoint.ports.maintenance import Finding
from counterpoint.storage.checkpoints import FORCED_BYTES
from counterpoint.storage.database import DATABASE_NAME, check_sqlite, wall_now
from counterpoint.storage.lock import owner_of
from counterpoint.storage.readers import open_reader
from counterpoint.storage.schema import SCHEMA_VERSION

FSYNCS = 60
"""Fsyncs that are timed."""

SLOW_FSYNC_MS = 20.0
"""Above this median the disk limits the engine to a few dozen commits a second."""

UNLIKELY_FSYNC_MS = 0.01
"""Below this median nothing reaches a disk: a memory file system, or a layer that ignores the flush."""

LEAST_FREE_BYTES = 1 << 30
CLOCK_SLACK_MICROS = 1_000_000


def examine(folder: Path, now: Callable[[], Instant] = wall_now) -> list[Finding]:
    """Everything worth knowing about SQLite, database, disk and clock; takes a second or so: use a thread.

    The database may be in use. A directory without one gives the findings about SQLite and the disk.
    """
    findings = [_sqlite(), _owner(folder), _mode(folder), _free_space(folder), _fsync(folder)]
    path = folder / DATABASE_NAME
    if not path.exists():
        return [*findings, Finding("database", "none yet", True)]
    try:
        connection = open_reader(path)
    except apsw.Error as error:
        return [*findings, Finding("database", f"cannot be opened: {error}", False, "Restore a backup.")]
    try:
        return [*findings, *_database(connection, path, now())]
    finally:
        connection.close()


def _database(connection: apsw.Connection, path: Path, now: Instant) -> Iterator[Finding]:
    try:
        yield _journal(connection)
        yield _schema(connection)
        yield _log_size(path)
        yield _integrity(connection)
        yield _quarantine(connection)
        yield _clock(connection, now)
    except apsw.Error as error:
        yield Finding("database", f"cannot be read: {error}", False, "Restore a backup.")


def _sqlite() -> Finding:
    version = apsw.sqlite_lib_version()
    try:
        check_sqlite(version)
    except StorageError as error:
        return Finding("SQLite version", version, False, str(error))
    return Finding("SQLite version", version, True)


def _owner(folder: Path) -> Finding:
    owner = owner_of(folder)
    if owner is None:
        return Finding("owner", "nobody", True)
    return Finding("owner", f"process {owner.pid} since {to_iso(owner.started)}, epoch {owner.epoch}", True)


def _mode(folder: Path) -> Finding:
    mode = folder.stat().st_mode & 0o777
    return Finding(
        "permissions",
        f"{mode:o}",
        mode & 0o077 == 0,
        "Let only the owner in: chmod 700 on the data directory.",
    )


def _free_space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    advice = "Free space or move the data directory: a full disk refuses new work."
    return Finding("free disk", f"{free / 1e9:.1f} GB", free >= LEAST_FREE_BYTES, advice)


def _fsync(folder: Path) -> Finding:
    try:
        median, worst = fsync_latency_ms(folder)
    except OSError as error:
        return Finding("fsync", f"failed: {error}", False, "Replace the disk, or move the data directory.")
    value = f"median {median:.2f} ms, 99 % {worst:.2f} ms"
    if median < UNLIKELY_FSYNC_MS:
        return Finding("fsync", value, False, "Too fast to be true: use a disk that honours flush.")
    advice = "Use a local SSD: each commit waits for one fsync."
    return Finding("fsync", value, median <= SLOW_FSYNC_MS, advice)


def fsync_latency_ms(folder: Path, count: int = FSYNCS) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds, of writing 8 KB into a file and syncing it."""
    descriptor, name = tempfile.mkstemp(prefix=".fsync-", dir=folder)
    try:
        os.pwrite(descriptor, bytes(8192 * count), 0)
        os.fsync(descriptor)
        times = sorted(_timed_sync(descriptor, index) for index in range(count))
    finally:
        os.close(descriptor)
        Path(name).unlink()
    return times[count // 2], times[min(count - 1, count * 99 // 100)]


def _timed_sync(descriptor: int, index: int) -> float:
    begin = perf_counter()
    os.pwrite(descriptor, b"\x55" * 8192, index * 8192)
    os.fdatasync(descriptor)
    return (perf_counter() - begin) * 1000


def _journal(connection: apsw.Connection) -> Finding:
    mode = connection.pragma("journal_mode")
    value = f"journal {mode}, commits synced by the owner, pages of {connection.pragma('page_size')} bytes"
    return Finding(
        "settings", value, mode == "wal", "Open it once with Counterpoint; use a local file system."
    )


def _schema(connection: apsw.Connection) -> Finding:
    version = connection.pragma("user_version")
    if version > SCHEMA_VERSION:
        return Finding(
            "schema", str(version), False, f"Use a newer Counterpoint: this one knows {SCHEMA_VERSION}."
        )
    return Finding("schema", f"{version} of {SCHEMA_VERSION}", True)


def _log_size(path: Path) -> Finding:
    log = path.with_name(path.name + "-wal")
    size = log.stat().st_size if log.exists() else 0
    advice = "A reader or a backup holds an old snapshot; if none runs, restart the owner."
    return Finding("write-ahead log", f"{size / 1e6:.1f} MB", size <= 4 * FORCED_BYTES, advice)


def _integrity(connection: apsw.Connection) -> Finding:
    result = str(connection.execute("PRAGMA quick_check(1)").get)
    return Finding("integrity", result, result == "ok", "Stop the owner, keep the files, restore a backup.")


def _quarantine(connection: apsw.Connection) -> Finding:
    rows = connection.execute("SELECT table_name, row_no, reason FROM quarantine LIMIT 4").fetchall()
    if not rows:
        return Finding("quarantine", "empty", True)
    value = "; ".join(f"{table} {row_no}: {reason}" for table, row_no, reason in rows[:3])
    return Finding(
        "quarantine", value + (" ..." if len(rows) > 3 else ""), False, "Restore these from a backup."
    )


def _clock(connection: apsw.Connection, now: Instant) -> Finding:
    last = max(
        connection.execute("SELECT value FROM meta WHERE key = 'commit_at'").get or 0,
        connection.execute("SELECT at FROM history ORDER BY history_no DESC LIMIT 1").get or 0,
        connection.execute("SELECT at FROM audit ORDER BY audit_no DESC LIMIT 1").get or 0,
    )
    is_ok = now >= last - CLOCK_SLACK_MICROS
    value = to_iso(now) if is_ok else f"{to_iso(now)}, but the last commit was at {to_iso(last)}"
    return Finding("clock", value, is_ok, "The clock went back: synchronise it before timers fire late.")
