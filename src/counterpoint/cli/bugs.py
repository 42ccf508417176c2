"""Where the details of an unexpected failure go: into a file of the data directory, never to the user."""

from __future__ import annotations

import os
import secrets
import time
import traceback
from pathlib import Path

from counterpoint import __version__
from counterpoint.core.values import to_iso

FILE_NAME = "failures.log"
MAX_BYTES = 4 * 1024 * 1024
"""Size beyond which the file is begun anew; the one before is kept beside it."""


def record_bug(error: BaseException, folder: Path) -> str:
    """Reference under which the failure's traceback stands in the log; empty when it could not be written."""
    reference = secrets.token_hex(4)
    trace = "".join(traceback.format_exception(error))
    at = to_iso(time.time_ns() // 1000)
    entry = f"{at} reference={reference} version={__version__} pid={os.getpid()}\n{trace}\n"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / FILE_NAME
        if path.exists() and path.stat().st_size > MAX_BYTES:
            path.replace(path.with_suffix(".log.1"))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(entry)
    except OSError:
        return ""
    return reference
