"""A pool of long-lived tasks that make attempts.

A task per attempt costs more than a trivial action itself. Here a task takes one attempt after another;
before it may be held up by one, it wakes another task for the rest of the queue. So a thousand actions that
never wait run in one task, and a thousand that all wait occupy a thousand.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from counterpoint.engines.embedded.budgets import SLICE_S
from counterpoint.errors import standard_fault
from counterpoint.ports.connectors import Attempt, AttemptResult, Connectors, Verdict
from counterpoint.ports.logs import Log

log = Log("counterpoint.attempts")

MAX_TASKS = 2_000
"""Attempts under way at once; more wait in the queue."""


class Job:
    """One attempt in the pool; the handle of whoever asked for it."""

    __slots__ = ("attempt", "done", "is_cancelled", "task")

    def __init__(self, attempt: Attempt, done: Callable[[AttemptResult], None]) -> None:
        self.attempt = attempt
        self.done = done
        self.is_cancelled = False
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """Take it out of the queue, or interrupt it."""
        if not self.is_cancelled:
            self.is_cancelled = True
            if self.task is not None:
                self.task.cancel()


class AttemptPool:
    """Makes attempts.

    Args:
        connectors: What makes one attempt.
        max_tasks: Attempts under way at once.
    """

    def __init__(self, connectors: Connectors, max_tasks: int = MAX_TASKS) -> None:
        self._connectors = connectors
        self._max_tasks = max_tasks
        self._queue: deque[Job] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_woken = False
        self._is_closed = False

    def submit(self, attempt: Attempt, done: Callable[[AttemptResult], None]) -> Job:
        """Make an attempt as soon as a task is free; `done` is not called for a cancelled one."""
        job = Job(attempt, done)
        self._queue.append(job)
        if not self._is_woken:
            self._wake()
        return job

    @property
    def is_busy(self) -> bool:
        """Whether an attempt is under way or waits for a task."""
        return bool(self._queue) or len(self._tasks) > len(self._idle)

    async def close(self) -> None:
        """Interrupt what is under way and end the tasks."""
        self._is_closed = True
        self._queue.clear()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wake(self) -> None:
        while self._idle:
            sleeper = self._idle.pop()
            if not sleeper.done():
                self._is_woken = True
                sleeper.set_result(None)
                return
        if len(self._tasks) < self._max_tasks and not self._is_closed:
            self._is_woken = True
            task = asyncio.get_running_loop().create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        queue = self._queue
        loop = asyncio.get_running_loop()
        me = asyncio.current_task()
        while not self._is_closed:
            self._is_woken = False
            ends = loop.time() + SLICE_S
            while queue:
                job = queue.popleft()
                if job.is_cancelled:
                    continue
                if queue and not self._is_woken:
                    # If this attempt waits for something, another task goes on with the queue.
                    self._wake()
                job.task = me
                await self._perform(job, me)
                if queue and loop.time() >= ends:
                    # Actions that never wait would otherwise hold the loop until the queue is empty.
                    await asyncio.sleep(0)
                    ends = loop.time() + SLICE_S
            sleeper: asyncio.Future[None] = loop.create_future()
            self._idle.append(sleeper)
            await sleeper

    async def _perform(self, job: Job, me: asyncio.Task[None] | None) -> None:
        try:
            result = await self._connectors.perform(job.attempt)
        except asyncio.CancelledError:
            if self._is_closed:
                raise
            if me is not None:
                me.uncancel()
            if job.is_cancelled:
                return
            # The action cancelled itself; neither the run nor this task may wait for ever because of it.
            result = _broken(job, "it cancelled itself")
        # Not only Exception: KeyboardInterrupt or GeneratorExit out of an action would end the whole process,
        # and the next one with it, which would repeat the attempt.
        except BaseException as bug:
            log.error(
                "connector broke its contract", step=job.attempt.step, run=job.attempt.run_id, exc_info=bug
            )
            result = _broken(job, type(bug).__name__)
        job.task = None
        if not job.is_cancelled:
            job.done(result)


def _broken(job: Job, what: str) -> AttemptResult:
    """Result of an attempt whose action broke the rules; how far it came is unknown."""
    detail = f"The action {job.attempt.invocation.target} failed in an unforeseen way: {what}"
    return AttemptResult(Verdict.PERMANENT, fault=standard_fault("runtime", detail), is_uncertain=True)
