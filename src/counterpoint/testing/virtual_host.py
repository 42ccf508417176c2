"""Surroundings of the engine for simulations: one seeded scheduler, a virtual clock, nothing real.

Time passes only between events, events at one instant run in the order of their arrival, and every delay is
drawn from one seeded source: the same seed gives the same trace. Actions are coroutines that may only await
`VirtualHost.pause`.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import apsw

from counterpoint.core.expr.program import ExpressionFailed, Variables
from counterpoint.core.values import MICROS_PER_S, Instant, JsonValue
from counterpoint.ports.connectors import Attempt, AttemptResult, Connectors

START: Instant = 1_767_225_600 * MICROS_PER_S
"""2026-01-01T00:00:00Z."""

Evaluate = Callable[[str, JsonValue, Variables], JsonValue]


class VirtualTime:
    """A clock and a queue of events; outlives the engines that stand on it.

    Attributes:
        skew: Microseconds that the wall clock is away from true time (a test moves it).
        steps: Events run so far.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.true: Instant = START
        self.skew: Instant = 0
        self.steps = 0
        self._count = 0
        self._events: list[tuple[Instant, int, Event]] = []

    def at(self, instant: Instant, callback: Callable[[], None]) -> Event:
        """Call at a true instant."""
        event = Event(callback)
        self._count += 1
        heapq.heappush(self._events, (max(instant, self.true), self._count, event))
        return event

    def step(self) -> bool:
        """Run the next event; false when there is none."""
        while self._events:
            instant, _, event = heapq.heappop(self._events)
            if event.is_cancelled:
                continue
            self.true = instant
            self.steps += 1
            event.callback()
            return True
        return False

    def next_at(self) -> Instant | None:
        """True instant of the next event."""
        while self._events and self._events[0][2].is_cancelled:
            heapq.heappop(self._events)
        return self._events[0][0] if self._events else None

    def draw(self, least_s: float, most_s: float) -> int:
        """A delay in microseconds."""
        return int(self.random.uniform(least_s, most_s) * MICROS_PER_S)


class Event:
    """A scheduled call."""

    __slots__ = ("callback", "is_cancelled")

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        """Do not call."""
        self.is_cancelled = True


class Pause:
    """What an action awaits: virtual seconds."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Generator[Pause, None, None]:
        yield self


class Work:
    """A coroutine of an action under way; cancelling it closes the coroutine where it stands."""

    __slots__ = ("coroutine", "done", "event", "host", "make")

    def __init__(
        self,
        host: VirtualHost,
        make: Callable[[], Coroutine[Any, Any, Any]],
        done: Callable[[Any, Exception | None], None],
    ) -> None:
        self.host = host
        self.make = make
        self.coroutine: Coroutine[Any, Any, Any] | None = None
        self.done = done
        self.event: Event | None = None

    def advance(self) -> None:
        """Run to the next pause, or to the end."""
        if self.coroutine is None:
            self.coroutine = self.make()
        try:
            pause = self.coroutine.send(None)
        except StopIteration as stop:
            self.done(stop.value, None)
        except Exception as error:  # noqa: BLE001 - handed to who asked
            self.done(None, error)
        else:
            self.event = self.host.after(int(pause.seconds * MICROS_PER_S), self.advance)

    def cancel(self) -> None:
        """Stop it; what it did stays done."""
        if self.event is not None:
            self.event.cancel()
        if self.coroutine is not None:
            self.coroutine.close()


class VirtualHost:
    """Implements the engine's `Host` on virtual time.

    Args:
        time: The clock and its events.
        connectors: What calls reach.
        connection: Read by queries; sees what is committed.
        evaluate: Evaluates foreign expressions.
    """

    def __init__(
        self, time: VirtualTime, connectors: Connectors, connection: apsw.Connection, evaluate: Evaluate
    ) -> None:
        self.time = time
        self.is_dead = False
        self._connectors = connectors
        self._connection = connection
        self._evaluate = evaluate

    def now(self) -> Instant:
        """Wall clock: true time and skew."""
        return self.time.true + self.time.skew

    def monotonic_s(self) -> float:
        """True time; pure work takes none, so slices end by their count alone."""
        return self.time.true / MICROS_PER_S

    def random(self, count: int) -> bytes:
        """Bytes from the seeded source."""
        return self.time.random.randbytes(count)

    def after(self, micros: int, callback: Callable[[], None]) -> Event:
        """Call after microseconds, unless this host is dead by then."""
        return self.time.at(self.time.true + micros, lambda: None if self.is_dead else callback())

    def soon(self, callback: Callable[[], None]) -> None:
        """Call after what is ready now."""
        self.after(0, callback)

    def later(self, delay_s: float, callback: Callable[[], None]) -> Event:
        """Call after a delay."""
        return self.after(int(delay_s * MICROS_PER_S), callback)

    def read(
        self, query: Callable[[apsw.Connection], Any], done: Callable[[Any, Exception | None], None]
    ) -> None:
        """Run a query some time from now, and answer some time later."""

        def run() -> None:
            result = query(self._connection)
            self.after(self.time.draw(0, 0.002), lambda: done(result, None))

        self.after(self.time.draw(0, 0.002), run)

    def perform(self, attempt: Attempt, done: Callable[[AttemptResult], None]) -> Work:
        """Make one attempt."""
        work = Work(
            self,
            lambda: self._connectors.perform(attempt),
            lambda result, error: done(_result(result, error)),
        )
        work.event = self.after(self.time.draw(0, 0.001), work.advance)
        return work

    def confirm(
        self, attempt: Attempt, done: Callable[[AttemptResult | None, Exception | None], None]
    ) -> Work:
        """Ask whether the effect of an attempt exists."""
        work = Work(self, lambda: self._connectors.confirm(attempt), done)
        work.event = self.after(self.time.draw(0, 0.001), work.advance)
        return work

    def evaluate(
        self,
        text: str,
        value: JsonValue,
        variables: Variables,
        done: Callable[[Any, BaseException | None], None],
    ) -> None:
        """Evaluate some time from now."""

        def run() -> None:
            try:
                result = self._evaluate(text, value, variables)
            except ExpressionFailed as failed:
                done(None, failed)
                return
            done(result, None)

        self.after(self.time.draw(0, 0.003), run)

    def kill(self) -> None:
        """The process dies: nothing of it is called any more."""
        self.is_dead = True


def _result(result: AttemptResult | None, error: Exception | None) -> AttemptResult:
    if result is None:
        raise error or RuntimeError("an attempt gave nothing")
    return result
