"""Virtual time for the real engine on a real asyncio loop: nothing is waited for but the machine itself.

The clock stands still while work goes on. Once everything rests, whoever drives the loop moves the clock to
the next timer, and the loop forward by as much as the engine's alarm needs to ring. Sockets, threads and
processes stay real, so this is not a simulation: it is the product with the waits taken out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

import apsw

from counterpoint.core.context import Invocation
from counterpoint.core.expr.program import Variables
from counterpoint.core.values import Instant, JsonValue
from counterpoint.engines.embedded.timers import MAX_SLEEP_S
from counterpoint.ports.connectors import ActionInfo, Attempt, AttemptResult, Connectors
from counterpoint.ports.expressions import ExpressionWorker
from counterpoint.storage.committer import CommitResult, WriteBatch
from counterpoint.storage.readers import Args, Reader
from counterpoint.storage.writer import Journal

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

QUIET_TURNS = 4
"""Turns of the loop without any work after which everything rests."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose timers can be made due.

    Attributes:
        handovers: Callbacks that were scheduled so far, to run in the next turn.
    """

    def __init__(self) -> None:
        self._offset_s = 0.0
        self.handovers = 0
        super().__init__()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """See `asyncio.AbstractEventLoop.call_soon`."""
        self.handovers += 1
        return super().call_soon(callback, *args, context=context)

    def time(self) -> float:
        """Time of the loop's timers."""
        return super().time() + self._offset_s

    def ring(self) -> None:
        """Let every alarm of the engine ring in the loop's next turn."""
        self._offset_s += MAX_SLEEP_S + 0.1


class VirtualClock:
    """A clock that somebody moves (`ports.clock.Clock`)."""

    def __init__(self, start: Instant) -> None:
        self.instant = start

    def now(self) -> Instant:
        """The instant that was set last."""
        return self.instant

    def monotonic_s(self) -> float:
        """Real seconds: how long the engine computes at a stretch is no matter of virtual time."""
        return time.monotonic()


class Bustle:
    """How much is under way; the wrappers below count themselves in and out.

    Attributes:
        waiting: Tells how many of them will never end by themselves.
    """

    def __init__(self, loop: VirtualLoop, waiting: Callable[[], int] = lambda: 0) -> None:
        self.waiting = waiting
        self._loop = loop
        self._count = 0
        self._changed = asyncio.Event()

    def enter(self) -> None:
        """Something begins."""
        self._count += 1

    def leave(self) -> None:
        """Something ended."""
        self._count -= 1
        self._changed.set()

    @contextmanager
    def during(self) -> Iterator[None]:
        """Count the block."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    async def settle(self) -> None:
        """Return once everything rests."""
        quiet = 0
        while quiet < QUIET_TURNS:
            if self._count > self.waiting():
                self._changed.clear()
                await self._changed.wait()
            before = self._loop.handovers
            await asyncio.sleep(0)
            # Coming back here is one hand-over; any other is somebody's work.
            is_quiet = self._loop.handovers - before <= 1 and self._count <= self.waiting()
            quiet = quiet + 1 if is_quiet else 0


class CountedConnectors:
    """Connectors that count their attempts."""

    def __init__(self, inner: Connectors, bustle: Bustle) -> None:
        self.inner = inner
        self._bustle = bustle

    def describe(self, invocation: Invocation) -> ActionInfo | None:
        """See `ports.connectors.Connectors`."""
        return self.inner.describe(invocation)

    async def perform(self, attempt: Attempt) -> AttemptResult:
        """See `ports.connectors.Connectors`."""
        with self._bustle.during():
            return await self.inner.perform(attempt)

    async def confirm(self, attempt: Attempt) -> AttemptResult | None:
        """See `ports.connectors.Connectors`."""
        with self._bustle.during():
            return await self.inner.confirm(attempt)

    async def close(self) -> None:
        """See `ports.connectors.Connectors`."""
        await self.inner.close()


class CountedJournal:
    """A journal that counts its batches."""

    def __init__(self, inner: Journal, bustle: Bustle) -> None:
        self._inner = inner
        self._bustle = bustle

    def submit(self, batch: WriteBatch) -> None:
        """See `storage.writer.Journal`."""
        told = batch.on_done

        def done(result: CommitResult) -> None:
            self._bustle.leave()
            if told is not None:
                told(result)

        batch.on_done = done
        self._bustle.enter()
        self._inner.submit(batch)

    def resume(self) -> None:
        """See `storage.writer.Journal`."""
        self._inner.resume()

    def close(self) -> None:
        """See `storage.writer.Journal`."""
        self._inner.close()


class CountedReader:
    """A reader that counts its queries."""

    def __init__(self, inner: Reader, bustle: Bustle) -> None:
        self._inner = inner
        self._bustle = bustle

    async def query(self, sql: str, args: Args = ()) -> list[tuple[Any, ...]]:
        """See `storage.readers.Reader`."""
        with self._bustle.during():
            return await self._inner.query(sql, args)

    async def read(self, function: Callable[[apsw.Connection], T]) -> T:
        """See `storage.readers.Reader`."""
        with self._bustle.during():
            return await self._inner.read(function)


class CountedWorker:
    """An expression worker that counts its programs."""

    def __init__(self, inner: ExpressionWorker, bustle: Bustle) -> None:
        self._inner = inner
        self._bustle = bustle

    async def evaluate(self, text: str, value: JsonValue, variables: Variables) -> JsonValue:
        """See `ports.expressions.ExpressionWorker`."""
        with self._bustle.during():
            return await self._inner.evaluate(text, value, variables)

    async def close(self) -> None:
        """See `ports.expressions.ExpressionWorker`."""
        await self._inner.close()
