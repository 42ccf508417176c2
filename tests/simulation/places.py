"""Folders for simulations: in memory where there is such a place, since no real disk is meant."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEMORY = Path("/dev/shm")


@contextmanager
def scratch(fallback: Path) -> Iterator[Path]:
    """An empty folder that is removed afterwards."""
    place = _MEMORY if os.access(_MEMORY, os.W_OK) else fallback
    folder = Path(tempfile.mkdtemp(prefix="counterpoint-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
