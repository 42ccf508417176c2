"""What is known while tickets go through: runs by status, figures of the apps, the engine's fate."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from typing import Any

SHOWN_EVENTS = 6
"""Latest events that the screen shows."""


class Progress:
    """Figures of a demonstration.

    Attributes:
        total: Tickets to be fed.
        statuses: Status of the run of each ticket that was fed, by reference.
        figures: What the apps counted.
        kills: How often the engine was killed.
        recoveries: For each kill, milliseconds from the restart until the engine took commands again.
        restarted_calls: Starts and waits that were asked again because the engine had gone.
        events: Latest events, as time since the begin and text.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.statuses: dict[str, str] = {}
        self.figures: dict[str, Any] = {
            "requests": 0,
            "effects": 0,
            "repeated": 0,
            "replayed": 0,
            "failures": {},
        }
        self.kills = 0
        self.recoveries: list[int] = []
        self.restarted_calls = 0
        self.events: deque[tuple[float, str]] = deque(maxlen=SHOWN_EVENTS)
        self.listeners: list[Any] = []
        self._began = time.monotonic()
        self._ended: float | None = None
        self._settled: set[str] = set()
        self._marks: list[tuple[int, asyncio.Event]] = []

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first ticket, up to the last one's end."""
        return max((self._ended or time.monotonic()) - self._began, 1e-9)

    @property
    def settled(self) -> int:
        """Tickets whose run has ended or paused at least once."""
        return len(self._settled)

    @property
    def counts(self) -> Counter[str]:
        """Runs by status."""
        return Counter(self.statuses.values())

    def begin(self) -> None:
        """The first ticket is about to be fed."""
        self._began = time.monotonic()

    def end(self) -> None:
        """The last run has ended."""
        self._ended = time.monotonic()

    def fed(self, reference: str) -> None:
        """A ticket has a run."""
        self.statuses.setdefault(reference, "running")

    def settle(self, reference: str, status: str) -> None:
        """A ticket's run has ended or paused."""
        self.statuses[reference] = status
        self._settled.add(reference)
        for threshold, event in self._marks:
            if self.settled >= threshold:
                event.set()

    async def reached(self, share: float) -> None:
        """Wait until that share of the tickets is settled."""
        threshold, event = max(1, int(self.total * share)), asyncio.Event()
        self._marks.append((threshold, event))
        if self.settled < threshold:
            await event.wait()

    def tell(self, text: str) -> None:
        """Something happened that people want to see."""
        entry = (self.elapsed_s, text)
        self.events.append(entry)
        for listener in self.listeners:
            listener(entry)
