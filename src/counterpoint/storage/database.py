"""Opens the one database of a data directory, and refuses one that could lose what it acknowledged."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from time import time_ns

import apsw
import msgspec

from counterpoint.core.values import Instant
from counterpoint.errors import StorageError
from counterpoint.storage.blobs import BlobFolder, sync_folder
from counterpoint.storage.checkpoints import BUSY_TIMEOUT_MS, FORCED_BYTES, IDLE_BYTES, Checkpoints
from counterpoint.storage.committer import COMMIT_BLOCK, Committer, note_commits
from counterpoint.storage.failures import storage_error
from counterpoint.storage.lock import OwnerLock
from counterpoint.storage.readers import ReaderPool
from counterpoint.storage.schema import SEQ_BITS
from counterpoint.storage.upgrades import upgrade

DATABASE_NAME = "counterpoint.db"
BLOBS_NAME = "blobs"

MINIMUM_SQLITE = (3, 51, 3)
"""Versions before it can lose commits when a checkpoint races with a writer (the WAL-reset bug)."""

STATEMENTS = 1_000
"""Prepared statements kept: up to 128 sizes of the few statements that many rows pass through."""

CACHE_KIB = 32_768


class Tuning(msgspec.Struct, frozen=True):
    """Sizes that differ between a server, a short command and a test.

    Attributes:
        presized_wal_bytes: The log is grown to this at the opening: overwriting a file needs half the time of
            growing it.
        idle_checkpoint_bytes: See `checkpoints`.
        forced_checkpoint_bytes: See `checkpoints`.
        vfs: Name of the SQLite file layer; empty for the system's.
        synchronous: Never change it: only the crash tests do, to see that they notice.
    """

    presized_wal_bytes: int = 0
    idle_checkpoint_bytes: int = IDLE_BYTES
    forced_checkpoint_bytes: int = FORCED_BYTES
    vfs: str = ""
    synchronous: str = "FULL"


SHORT = Tuning()
"""Sizes of a process that ends soon."""

SERVER = Tuning(presized_wal_bytes=IDLE_BYTES + 4 * 1024 * 1024)
"""Sizes of a process that stays."""


def wall_now() -> Instant:
    """The system's wall clock."""
    return time_ns() // 1000


class Database:
    """An opened database with its lock.

    Attributes:
        folder: Data directory.
        path: Database file.
        connection: The writing connection; belongs to the committer once there is one.
        epoch: Number of this opening.
        blobs: Large values.
        lock: Held lock; its `previous` names an owner that died.
    """

    def __init__(
        self,
        folder: Path,
        connection: apsw.Connection,
        epoch: int,
        lock: OwnerLock,
        now: Callable[[], Instant],
    ) -> None:
        self.folder = folder
        self.path = folder / DATABASE_NAME
        self.connection = connection
        self.epoch = epoch
        self.blobs = BlobFolder(folder / BLOBS_NAME)
        self.lock = lock
        self._now = now

    def committer(self, tuning: Tuning = SHORT) -> Committer:
        """The committer of the writing connection; make one, for one thread."""
        checkpoints = Checkpoints(
            self.connection, tuning.idle_checkpoint_bytes, tuning.forced_checkpoint_bytes
        )
        return Committer(self.connection, self.epoch, self.blobs, self._now, checkpoints)

    def readers(self, size: int = 2) -> ReaderPool:
        """Connections that only read, with a thread each."""
        return ReaderPool(self.path, size)

    def next_run_no(self) -> int:
        """First free run number; ask once, count on in memory. No number is ever used twice."""
        connection = self.connection
        runs = connection.execute("SELECT max(run_no) FROM runs").get or 0
        rows = (connection.execute("SELECT max(history_no) FROM history").get or 0) >> SEQ_BITS
        floor = connection.execute("SELECT value FROM meta WHERE key = 'run_no_floor'").get or 0
        return int(max(runs, rows, floor)) + 1

    def close(self) -> None:
        """Close the connection (the committer may have done so) and give the lock back."""
        self.connection.close()
        self.lock.release()


def open_database(
    folder: Path,
    tuning: Tuning = SHORT,
    now: Callable[[], Instant] = wall_now,
) -> Database:
    """Open the data directory as its owner, making or upgrading what is needed.

    Args:
        folder: Data directory; made with mode 700 if absent.
        tuning: Sizes; give the same to `Database.committer`.
        now: Clock for the lock file and the commit times.

    Raises:
        LockLostError: Another process owns the directory.
        StorageError: SQLite is too old, a setting was refused, the disk failed, or the database is not
            usable.
    """
    check_sqlite(apsw.sqlite_lib_version())
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(
            f"the data directory {folder} cannot be used: {reason}; name another one"
        ) from error
    lock = OwnerLock.acquire(folder, now())
    try:
        connection, epoch = _open(folder / DATABASE_NAME, tuning, now)
    except BaseException as error:
        lock.release()
        failure = storage_error(error)
        if failure is None or failure is error:
            raise
        raise failure from error
    lock.note_epoch(epoch)
    return Database(folder, connection, epoch, lock, now)


def check_sqlite(version: str) -> None:
    """Refuse a SQLite that is too old.

    Raises:
        StorageError: The version is below `MINIMUM_SQLITE`.
    """
    if tuple(int(part) for part in version.split(".")[:3]) < MINIMUM_SQLITE:
        least = ".".join(map(str, MINIMUM_SQLITE))
        raise StorageError(
            f"SQLite {version} can lose commits; {least} or later is needed: upgrade the package apsw"
        )


def _open(path: Path, tuning: Tuning, now: Callable[[], Instant]) -> tuple[apsw.Connection, int]:
    is_new = _make_private(path)
    if tuning.presized_wal_bytes:
        if is_new:
            # SQLite throws the log of an empty database away, so it is grown once there is something in it.
            _connect(path, tuning).close()
        _grow_log(path, tuning.presized_wal_bytes)
    sync_folder(path.parent)
    connection = _connect(path, tuning)
    try:
        connection.execute("BEGIN IMMEDIATE")
        upgrade(connection)
        epoch = _take_epoch(connection, now())
        connection.execute("COMMIT")
    except BaseException:
        connection.close(True)
        raise
    return connection, epoch


def _connect(path: Path, tuning: Tuning) -> apsw.Connection:
    connection = apsw.Connection(str(path), vfs=tuning.vfs or None, statementcachesize=STATEMENTS)
    try:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        _set_pragmas(connection, tuning.synchronous)
    except BaseException:
        connection.close(True)
        raise
    return connection


def _make_private(path: Path) -> bool:
    """Whether the database is new; its mode becomes 600, which SQLite gives to the files beside it, too.

    Must come before SQLite opens it: closing any descriptor of a database drops the process's locks on it.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    return path.stat().st_size == 0


def _grow_log(path: Path, size: int) -> None:
    """Grow the log with zeros, which SQLite takes for its end: to overwrite is cheaper than to append."""
    log = path.with_name(path.name + "-wal")
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        missing = size - os.fstat(descriptor).st_size
        while missing > 0:
            missing -= os.write(descriptor, bytes(min(missing, 1 << 20)))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _set_pragmas(connection: apsw.Connection, synchronous: str) -> None:
    """Set what durability needs and read it back: SQLite ignores what it cannot do.

    Raises:
        StorageError: A setting did not take.
    """
    level = {"OFF": 0, "NORMAL": 1, "FULL": 2}[synchronous]
    # The change to a write-ahead log is made through a rollback journal. Only EXTRA syncs the folder after
    # the journal's deletion; a journal that comes back after a power cut would empty the database.
    connection.pragma("synchronous", 3)
    wanted: dict[str, int | str] = {
        "page_size": 4096,
        "journal_mode": "wal",
        "synchronous": level,
        "wal_autocheckpoint": 0,
        "journal_size_limit": FORCED_BYTES,
        "foreign_keys": 0,
        "temp_store": 2,
        "mmap_size": 0,
        "cache_size": -CACHE_KIB,
        "trusted_schema": 0,
        "cell_size_check": 1,
    }
    for name, value in wanted.items():
        connection.pragma(name, value)
    for name, value in wanted.items():
        found = connection.pragma(name)
        if found != value and name != "page_size":
            raise StorageError(
                f"SQLite refused the setting {name}={value} (it has {found}): is the file system local?"
            )
    # The log stays when the last connection closes: it need not be grown again. Nor is it moved then: after a
    # failed fsync nothing may be written any more.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    flag = ctypes.c_int(1)
    connection.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(flag))


def _take_epoch(connection: apsw.Connection, now: Instant) -> int:
    """Count the opening, which fences off an older owner, and reserve commit numbers in the same commit."""
    epoch = connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'epoch' RETURNING value").get
    used = connection.execute("SELECT value FROM meta WHERE key = 'commit_no'").get or 0
    note_commits(connection, used + COMMIT_BLOCK, now)
    return int(epoch)
