"""Port of time."""

from __future__ import annotations

from typing import Protocol

from counterpoint.core.values import Instant


class Clock(Protocol):
    """Where instants come from."""

    def now(self) -> Instant:
        """Wall-clock instant; may jump."""
        ...

    def monotonic_s(self) -> float:
        """Seconds on a clock that never goes back; for intervals."""
        ...
