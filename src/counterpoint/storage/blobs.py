"""Large values as files beside the database, named by their SHA-256.

A blob is written to a temporary file, fsynced, renamed, and its folder fsynced, all before the transaction
that mentions it: a crash leaves at worst a file that no row knows. Removal is mark and sweep: `mark_blobs`
marks what nothing refers to, the next mark or store unmarks, `sweep_blobs` deletes rows that have been marked
for the grace, and the committer removes the files after that commit, in the writer's thread, so that a store
of the same blob cannot fall in between.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import msgspec

from counterpoint.core.values import Instant
from counterpoint.errors import HistoryCorruptError

BLOB_BYTES = 64 * 1024
"""Values larger than this are stored as blobs."""

SWEEP_ROWS = 500
"""Most blobs that one commit removes."""


class SweptBlobs(msgspec.Struct, frozen=True):
    """Result of `sweep_blobs`: rows that went with the commit; the committer removes their files after it."""

    digests: tuple[str, ...]


def blob_digest(data: bytes) -> str:
    """Name of a blob: SHA-256 of its content in hex."""
    return hashlib.sha256(data).hexdigest()


class BlobFolder:
    """The files of the blobs.

    Args:
        folder: Where they live; made if absent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Where a blob lies."""
        return self._folder / digest[:2] / digest

    def store(self, digest: str, data: bytes) -> None:
        """Make a blob durable; storing it again changes nothing, or repairs a damaged file.

        Raises:
            OSError: The disk is full or failed.
        """
        target = self.path(digest)
        with suppress(FileNotFoundError):
            if blob_digest(target.read_bytes()) == digest:
                # It may have been renamed by a process that died before it synced the folder.
                sync_folder(target.parent)
                return
        self._make_shard(target.parent)
        temporary = target.with_name(f".{digest}.new")
        try:
            _write_synced(temporary, data)
            # Crash before the rename: a temporary file that `leftovers` finds. After it: a blob without a
            # row.
            temporary.replace(target)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)

    def read(self, digest: str) -> bytes:
        """Content of a blob.

        Raises:
            HistoryCorruptError: The file is absent, or its content has another digest; see `quarantine`.
        """
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise HistoryCorruptError(f"blob {digest} is missing; restore it from a backup") from None
        if blob_digest(data) != digest:
            raise HistoryCorruptError(f"blob {digest} does not match its digest; restore it from a backup")
        return data

    def remove(self, digest: str) -> None:
        """Remove a blob's file, if it is there."""
        self.path(digest).unlink(missing_ok=True)

    def digests(self) -> Iterator[str]:
        """Digests of all files."""
        for shard in sorted(self._folder.iterdir()):
            yield from sorted(p.name for p in shard.iterdir() if not p.name.startswith("."))

    def leftovers(self, known: Collection[str], before: Instant) -> list[Path]:
        """Files older than `before` that no row knows, and temporary files that a crash left."""
        found = []
        for shard in sorted(self._folder.iterdir()):
            for path in sorted(shard.iterdir()):
                if path.name not in known and path.stat().st_mtime_ns // 1000 < before:
                    found.append(path)
        return found

    def _make_shard(self, shard: Path) -> None:
        if not shard.is_dir():
            shard.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._folder)


def mark_blobs(connection: apsw.Connection, referenced: Collection[str], now: Instant) -> int:
    """How many blobs are marked, after marking those that nothing refers to; a decision for the writer."""
    rows = connection.execute("SELECT digest, marked FROM blobs").fetchall()
    changes: list[tuple[Instant | None, Any]] = [
        (now if marked is None else None, digest)
        for digest, marked in rows
        if (digest in referenced) != (marked is None)
    ]
    connection.executemany("UPDATE blobs SET marked = ? WHERE digest = ?", changes)
    return sum(1 for digest, _ in rows if digest not in referenced)


def sweep_blobs(connection: apsw.Connection, marked_before: Instant, limit: int = SWEEP_ROWS) -> SweptBlobs:
    """Blobs whose rows are removed, as marked before an instant; a decision for the writer."""
    rows = connection.execute(
        "DELETE FROM blobs WHERE digest IN (SELECT digest FROM blobs WHERE marked < ? LIMIT ?)"
        " RETURNING digest",
        (marked_before, limit),
    ).fetchall()
    return SweptBlobs(tuple(str(digest) for (digest,) in rows))


def quarantine(connection: apsw.Connection, table: str, row_no: int, reason: str, now: Instant) -> None:
    """Note that a stored record is corrupt; a decision for the writer. The record stays, for repair."""
    connection.execute(
        "INSERT INTO quarantine (table_name, row_no, found, reason) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (table, row_no, now, reason),
    )


def quarantine_blob(connection: apsw.Connection, digest: str, reason: str, now: Instant) -> None:
    """Note that a blob is corrupt; its row number is made of the first 63 bits of its digest."""
    quarantine(connection, "blobs", int(digest[:16], 16) >> 1, f"{digest}: {reason}", now)


def _write_synced(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make what was created, renamed or deleted in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
