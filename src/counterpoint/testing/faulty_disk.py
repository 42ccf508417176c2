"""A disk for SQLite that remembers, fails on demand, and can lose power.

`FaultyDisk` is a file layer of SQLite (a VFS) over the real one. It records every write, truncation, deletion
and sync. At any recorded point `CrashImages` rebuilds what a power cut could have left: all that was synced
before, and of what was written since a random part, torn at sectors of 512 bytes. The shared-memory file is
not rebuilt: it does not outlive its processes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path

import apsw
import msgspec

SECTOR = 512
"""What a disk writes wholly or not at all."""


class Kind(Enum):
    """What was done to a file."""

    WRITE = "write"
    TRUNCATE = "truncate"
    DELETE = "delete"
    SYNC = "sync"


class Operation(msgspec.Struct, frozen=True):
    """One recorded operation on a file, by the file's name; `offset` is the new size of a truncation."""

    file: str
    kind: Kind
    offset: int = 0
    data: bytes = b""


class DiskFault(msgspec.Struct, frozen=True):
    """Which operation fails, and how.

    Attributes:
        kind: `WRITE` or `SYNC`.
        number: The first one that fails, counted from 1 in that kind.
        is_full: Whether the disk is full; else it reports an input/output error.
        is_lasting: Whether all later ones of the kind fail too, until `heal`.
    """

    kind: Kind
    number: int
    is_full: bool = False
    is_lasting: bool = False


class FaultyDisk:
    """A registered file layer; give its `name` as `vfs`.

    Args:
        name: Name, unique in the process.
        fault: What is to fail.

    Attributes:
        is_whole: Whether nothing has failed so far.
    """

    def __init__(self, name: str, fault: DiskFault | None = None) -> None:
        self.name = name
        self.operations: list[Operation] = []
        self.is_whole = True
        self._fault = fault
        self._counts = dict.fromkeys(Kind, 0)
        self._layer = _Layer(self)

    @property
    def point(self) -> int:
        """Number of operations so far: a place at which the power can go."""
        return len(self.operations)

    def count(self, kind: Kind) -> int:
        """Operations of a kind that were asked for, failed ones included."""
        return self._counts[kind]

    def fail_next(self, fault: DiskFault) -> None:
        """Let something fail from here on: the fault's number counts from the operations made so far."""
        self._fault = msgspec.structs.replace(fault, number=self._counts[fault.kind] + fault.number)

    def remember(self, folder: Path) -> None:
        """Take the files that lie in a folder as written and synced; call it before anything else."""
        for path in sorted(folder.iterdir()):
            if path.is_file():
                self.operations.append(Operation(path.name, Kind.WRITE, 0, path.read_bytes()))
                self.operations.append(Operation(path.name, Kind.SYNC))

    def heal(self) -> None:
        """Let nothing fail any more."""
        self._fault = None

    def close(self) -> None:
        """Take the layer out of SQLite; its databases must be closed."""
        self._layer.unregister()

    def perform(self, operation: Operation) -> None:
        """Record an operation, or raise the failure that it was chosen for."""
        self._counts[operation.kind] += 1
        fault = self._fault
        if fault is not None and operation.kind is fault.kind:
            number = self._counts[operation.kind]
            if number == fault.number or (fault.is_lasting and number > fault.number):
                self.is_whole = False
                raise _failure(fault)
        self.operations.append(operation)


class CrashImages:
    """What a power cut could have left at points of a recording; ask for the points in rising order.

    Args:
        operations: The recording.
        source: Draws what survives.
    """

    def __init__(self, operations: Sequence[Operation], source: random.Random) -> None:
        self._operations = operations
        self._source = source
        self._durable: dict[str, bytearray] = {}
        self._pending: dict[str, list[Operation]] = {}
        self._next = 0

    def write(self, point: int, folder: Path) -> None:
        """Rebuild the files as of a point in a folder; files of an earlier image there are removed."""
        self._advance(point)
        for old in folder.iterdir():
            if old.is_file():
                old.unlink()
        # All, nothing and half are the corners; in between lie the torn ones.
        survival = self._source.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for name, pending in self._pending.items():
            durable = self._durable.get(name)
            image = None if durable is None else bytearray(durable)
            for operation in self._survivors(pending, survival):
                image = _apply(image, operation)
            if image is not None:
                (folder / name).write_bytes(image)

    def _advance(self, point: int) -> None:
        for operation in self._operations[self._next : point]:
            pending = self._pending.setdefault(operation.file, [])
            if operation.kind is not Kind.SYNC:
                pending.append(operation)
                continue
            image = self._durable.pop(operation.file, None)
            for earlier in pending:
                image = _apply(image, earlier)
            if image is not None:
                self._durable[operation.file] = image
            pending.clear()
        self._next = max(self._next, point)

    def _survivors(self, pending: Sequence[Operation], survival: float) -> Iterator[Operation]:
        for operation in pending:
            if operation.kind is not Kind.WRITE:
                if self._source.random() < survival:
                    yield operation
                continue
            for sector in _sectors(operation):
                if self._source.random() < survival:
                    yield sector


class _Layer(apsw.VFS):
    def __init__(self, disk: FaultyDisk) -> None:
        self._disk = disk
        super().__init__(disk.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        """Files with a name are recorded; nameless ones are temporary and pass through."""
        if name is None:
            return apsw.VFSFile("", name, flags)
        path = name if isinstance(name, str) else name.filename()
        return _File(self._disk, Path(path).name, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        """Deletions are recorded, and their folder's sync as a sync of the file that is gone."""
        self._disk.perform(Operation(Path(filename).name, Kind.DELETE))
        if syncdir:
            self._disk.perform(Operation(Path(filename).name, Kind.SYNC))
        super().xDelete(filename, syncdir)


class _File(apsw.VFSFile):
    def __init__(self, disk: FaultyDisk, label: str, name: str | apsw.URIFilename, flags: list[int]) -> None:
        self._disk = disk
        self._label = label
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        """Writes are recorded, or fail."""
        self._disk.perform(Operation(self._label, Kind.WRITE, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        """Truncations are recorded."""
        self._disk.perform(Operation(self._label, Kind.TRUNCATE, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        """Syncs are recorded, or fail; the real disk is left alone: images come from the recording."""
        self._disk.perform(Operation(self._label, Kind.SYNC))


def _failure(fault: DiskFault) -> Exception:
    if fault.is_full:
        return apsw.exception_for(apsw.SQLITE_FULL)
    return apsw.exception_for(apsw.SQLITE_IOERR_FSYNC if fault.kind is Kind.SYNC else apsw.SQLITE_IOERR_WRITE)


def _sectors(operation: Operation) -> Iterator[Operation]:
    """A write cut at the disk's sectors."""
    start = 0
    while start < len(operation.data):
        offset = operation.offset + start
        size = SECTOR - offset % SECTOR
        yield Operation(operation.file, Kind.WRITE, offset, operation.data[start : start + size])
        start += size


def _apply(image: bytearray | None, operation: Operation) -> bytearray | None:
    if operation.kind is Kind.DELETE:
        return None
    image = bytearray() if image is None else image
    end = operation.offset + len(operation.data)
    if operation.kind is Kind.TRUNCATE:
        del image[operation.offset :]
    if end > len(image):
        image.extend(bytes(end - len(image)))
    image[operation.offset : end] = operation.data
    return image
