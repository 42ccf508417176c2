"""The engine's surroundings in the product: an asyncio loop, a pool of attempts, reader threads."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from typing import Any

import apsw

from counterpoint.core.expr.program import ExpressionFailed, Variables
from counterpoint.core.values import Instant, JsonValue
from counterpoint.engines.embedded.host import Handle
from counterpoint.engines.embedded.pool import AttemptPool
from counterpoint.ports.clock import Clock
from counterpoint.ports.connectors import Attempt, AttemptResult, Connectors
from counterpoint.ports.expressions import ExpressionWorker
from counterpoint.storage.readers import Reader


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Instant:
        """Microseconds since the epoch."""
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


class _Task:
    """Handle of a task of the loop."""

    __slots__ = ("_task",)

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def cancel(self) -> None:
        """Cancel the task."""
        self._task.cancel()


class AsyncioHost:
    """Implements `Host` on the running loop.

    Args:
        connectors: What calls reach.
        reader: Reads the database.
        worker: Evaluates foreign expressions.
        clock: Where instants come from.
        max_attempts: Attempts under way at once.
    """

    def __init__(
        self,
        connectors: Connectors,
        reader: Reader,
        worker: ExpressionWorker,
        clock: Clock,
        max_attempts: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._connectors = connectors
        self._reader = reader
        self._worker = worker
        self.pool = AttemptPool(connectors, max_attempts)
        self._tasks: set[asyncio.Task[None]] = set()
        self.now = clock.now
        self.monotonic_s = clock.monotonic_s
        self.random = os.urandom

    def soon(self, callback: Callable[[], None]) -> None:
        """Call in the loop's next iteration."""
        self._loop.call_soon(callback)

    def later(self, delay_s: float, callback: Callable[[], None]) -> Handle:
        """Call after a delay."""
        return self._loop.call_later(delay_s, callback)

    def read(
        self, query: Callable[[apsw.Connection], Any], done: Callable[[Any, Exception | None], None]
    ) -> None:
        """Run a query in a reader's thread."""

        async def run() -> None:
            try:
                result = await self._reader.read(query)
            except Exception as error:  # noqa: BLE001 - handed to who asked
                done(None, error)
                return
            done(result, None)

        self._spawn(run())

    def perform(self, attempt: Attempt, done: Callable[[AttemptResult], None]) -> Handle:
        """Make one attempt in the pool."""
        return self.pool.submit(attempt, done)

    def confirm(
        self, attempt: Attempt, done: Callable[[AttemptResult | None, Exception | None], None]
    ) -> Handle:
        """Ask the action whether its effect exists."""

        async def run() -> None:
            try:
                result = await self._connectors.confirm(attempt)
            except Exception as error:  # noqa: BLE001 - handed to who asked
                done(None, error)
                return
            done(result, None)

        return _Task(self._spawn(run()))

    def evaluate(
        self,
        text: str,
        value: JsonValue,
        variables: Variables,
        done: Callable[[Any, BaseException | None], None],
    ) -> None:
        """Ask the worker."""

        async def run() -> None:
            try:
                result = await self._worker.evaluate(text, value, variables)
            except ExpressionFailed as failed:
                done(None, failed)
                return
            except Exception as error:  # noqa: BLE001 - a worker that cannot be started fails the expression, not the engine
                done(None, ExpressionFailed(f"the expression worker failed: {error}"))
                return
            done(result, None)

        self._spawn(run())

    async def close(self) -> None:
        """Interrupt attempts and whatever else is under way."""
        await self.pool.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
