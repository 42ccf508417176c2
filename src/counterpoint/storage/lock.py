"""Who owns the data directory: one process at a time.

The kernel gives the lock back when its holder dies, however it dies, so a lock file that was left behind is
never in the way. What stands in the file is for people and for the CLI. Should the file be deleted under its
holder, two processes could own the directory: the epoch in the database then stops the older one at its next
commit (see `committer`).
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from counterpoint.core.values import Instant, to_iso
from counterpoint.errors import LockLostError

LOCK_NAME = "owner.lock"


class Owner(msgspec.Struct, frozen=True, rename="camel"):
    """What the lock file says.

    Attributes:
        pid: Process.
        started: When it took the lock.
        epoch: Number of its opening of the database; 0 while it opens.
    """

    pid: int
    started: Instant
    epoch: int = 0


class OwnerLock:
    """A held lock; release it with `release`, or by the end of the process.

    Attributes:
        previous: Owner that died without releasing the lock, if one did.
    """

    def __init__(self, descriptor: int, owner: Owner, previous: Owner | None) -> None:
        self._descriptor = descriptor
        self._owner = owner
        self.previous = previous

    @classmethod
    def acquire(cls, folder: Path, now: Instant) -> OwnerLock:
        """Take the lock of a data directory; the file is kept for ever, only its lock comes and goes.

        Raises:
            LockLostError: Another process holds it; says which.
        """
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _read(descriptor)
            os.close(descriptor)
            raise LockLostError(
                f"{folder} is in use by {_describe(owner)}; use its socket, or stop it"
            ) from None
        lock = cls(descriptor, Owner(os.getpid(), now), _read(descriptor))
        lock._write(lock._owner)
        return lock

    def note_epoch(self, epoch: int) -> None:
        """Write the epoch into the file."""
        self._owner = msgspec.structs.replace(self._owner, epoch=epoch)
        self._write(self._owner)

    def release(self) -> None:
        """Give the lock back; doing it twice is harmless."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, owner: Owner) -> None:
        data = msgspec.json.encode(owner)
        os.pwrite(self._descriptor, data, 0)
        os.ftruncate(self._descriptor, len(data))


def owner_of(folder: Path) -> Owner | None:
    """Who holds the lock of a data directory now; None when nobody does."""
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor) or Owner(0, 0)
    else:
        return None
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> Owner | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, 4096, 0), type=Owner)
    except msgspec.DecodeError:
        return None


def _describe(owner: Owner | None) -> str:
    if owner is None or owner.pid == 0:
        return "another process"
    return f"process {owner.pid} (since {to_iso(owner.started)})"
