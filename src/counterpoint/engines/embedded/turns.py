"""Turns: how much the engine does before the loop may look at anything else.

A loop runs everything that is ready before it looks at sockets and timers again. A slice for each run would
not bound that: a hundred busy runs have a hundred slices. So all of the engine's work in one round of the
loop shares one slice; what comes later waits in line for the next round.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from counterpoint.engines.embedded.budgets import SLICE_S
from counterpoint.engines.embedded.host import Host


class Turns:
    """The slice of this round, and who waits for the next one.

    Attributes:
        ends: When the slice of this round is used up, on the host's monotonic clock.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._clock = host.monotonic_s
        self._is_open = False
        self._waiting: deque[Callable[[], None]] = deque()
        self.ends = 0.0

    def is_spent(self) -> bool:
        """Whether work that is asked for now must wait for the next round."""
        now = self._clock()
        if self._is_open:
            return now >= self.ends
        self._is_open = True
        self.ends = now + SLICE_S
        self._host.soon(self._next)
        return False

    def wait(self, callback: Callable[[], None]) -> None:
        """Call in a later round, in the order of asking."""
        self._waiting.append(callback)
        if not self._is_open:
            self._is_open = True
            self._host.soon(self._next)

    def _next(self) -> None:
        self._is_open = False
        # Only those that wait now: one that asks again meanwhile is behind all others.
        for _ in range(len(self._waiting)):
            if self.is_spent():
                return
            self._waiting.popleft()()
