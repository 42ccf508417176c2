"""What an error of SQLite or of the disk means to the caller: full, fatal, or wrong rows."""

from __future__ import annotations

import errno

import apsw

from counterpoint.errors import LockLostError, StorageError

_FATAL = (
    apsw.IOError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.ProtocolError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.PermissionsError,
    apsw.NoMemError,
    apsw.MisuseError,
    apsw.InternalError,
)
_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)


def storage_error(error: BaseException) -> StorageError | None:
    """The error as the caller must treat it; None when it is the rows' own fault (a conflict, a wrong value).

    A failed fsync is fatal and never retried: the kernel may have dropped the pages that it could not write,
    so a second fsync would report success for data that is gone.
    """
    if isinstance(error, StorageError):
        return error
    if isinstance(error, LockLostError):
        return StorageError(str(error), is_fatal=True)
    if isinstance(error, apsw.FullError):
        return StorageError(f"the disk is full: {error}; free space and try again", is_full=True)
    if isinstance(error, _FATAL):
        return StorageError(f"the database cannot be written: {type(error).__name__}: {error}", is_fatal=True)
    if isinstance(error, OSError):
        if error.errno in _FULL_ERRNOS:
            return StorageError(f"the disk is full: {error}; free space and try again", is_full=True)
        return StorageError(f"a file cannot be written: {error}", is_fatal=True)
    return None
