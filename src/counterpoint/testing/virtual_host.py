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
        on_step: Told of each event before it runs.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.true: Instant = START
        self.skew: Instant = 0
        self.steps = 0
        self.on_step: Callable[[Instant, int], None] | None = None
        self._count = 0
        self._events: list[tuple[Instant, int, Event]] = []

    def at(self, instant: Instant, callback: Callable[[], None], owner: VirtualHost | None = None) -> Event:
        """Call at a true instant, unless the owner is dead by then."""
        event = Event(callback, owner)
        count = self._count = self._count + 1
        heapq.heappush(self._events, (instant if instant > self.true else self.true, count, event))
        return event

    def step(self) -> bool:
        """Run the next event; false when there is none."""
        if self.next_at() is None:
            return False
        instant, count, event = heapq.heappop(self._events)
        # An outage may have moved the time past what was due in it.
        if instant > self.true:
            self.true = instant
        self.steps += 1
        if self.on_step is not None:
            self.on_step(self.true, count)
        event.callback()
        return True

    def next_at(self) -> Instant | None:
        """True instant of the next event."""
        events = self._events
        while events:
            event = events[0][2]
            if not event.is_cancelled and (event.owner is None or not event.owner.is_dead):
                return events[0][0]
            heapq.heappop(events)
        return None

    def leap(self, micros: int) -> None:
        """Let true time pass without events, as while no process runs."""
        self.true += micros

    def draw(self, least_s: float, most_s: float) -> int:
        """A delay in microseconds."""
        return int(self.random.uniform(least_s, most_s) * MICROS_PER_S)


class Event:
    """A scheduled call."""

    __slots__ = ("callback", "is_cancelled", "owner")

    def __init__(self, callback: Callable[[], None], owner: VirtualHost | None = None) -> None:
        self.callback = callback
        self.owner = owner
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
        self._look_s = time.random.choice((0.0, 0.0, 0.000_05, 0.000_6, 0.002))
        self._computed_s = 0.0
        self._connectors = connectors
        self._connection = connection
        self._evaluate = evaluate

    def now(self) -> Instant:
        """Wall clock: true time and skew."""
        return self.time.true + self.time.skew

    def monotonic_s(self) -> float:
        """True time, and what computing took: some machines are slow, so that slices end anywhere."""
        self._computed_s += self._look_s
        return self.time.true / MICROS_PER_S + self._computed_s

    def random(self, count: int) -> bytes:
        """Bytes from the seeded source."""
        return self.time.random.randbytes(count)

    def after(self, micros: int, callback: Callable[[], None]) -> Event:
        """Call after microseconds, unless this host is dead by then."""
        return self.time.at(self.time.true + micros, callback, self)

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
