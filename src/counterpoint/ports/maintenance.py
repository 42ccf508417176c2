"""Port of looking after a data directory: backup, examination, figures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from counterpoint.core.values import Instant


class BackupProgress(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """How far a backup is.

    Attributes:
        phase: `database`, `blobs`, `check` or `done`.
        done: Parts done in the phase.
        total: Parts of the phase; 0 when unknown.
        target: Where the backup lies, once done.
    """

    phase: str
    done: int = 0
    total: int = 0
    target: str = ""


class Finding(msgspec.Struct, frozen=True, rename="camel"):
    """One thing that the examination looked at.

    Attributes:
        name: What was looked at.
        value: What was found, for people.
        is_ok: Whether it is as it should be.
        advice: What to do when it is not.
    """

    name: str
    value: str
    is_ok: bool
    advice: str = ""


class SystemInfo(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Who serves, since when, from where.

    Attributes:
        version: Version of the product.
        data: Data directory.
        opened: Instant at which the owner opened it.
        pid: Process id of the owner.
        epoch: Number of times that the directory was opened.
        figures: Counters by name, such as commits and rows written since the opening.
    """

    version: str
    data: str
    opened: Instant
    pid: int
    epoch: int
    figures: dict[str, float] = {}


class Maintenance(Protocol):
    """Looks after the data directory."""

    def backup(self, target: str) -> AsyncIterator[BackupProgress]:
        """Copy everything, consistently, while work goes on; the last item says `done`.

        Raises:
            Conflict: The target exists.
            StorageError: The copy failed or did not pass its check; nothing is left at the target.
        """
        ...

    async def examine(self) -> list[Finding]:
        """Everything worth knowing about database, disk and clock."""
        ...

    async def info(self) -> SystemInfo:
        """Who serves, since when, from where."""
        ...
