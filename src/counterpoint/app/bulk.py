"""Use case: runs stuck for the same cause, and letting them go on together: one first, the rest at a rate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from counterpoint.app.control import go_on
from counterpoint.app.places import everywhere, scope_of
from counterpoint.app.timeline import read_timeline
from counterpoint.errors import InvalidRequest, NotFound, RequestError
from counterpoint.ports.engine import Engine
from counterpoint.ports.history import Histories
from counterpoint.ports.records import RecordStore, RunRecord, StuckReport, StuckRuns

MAX_RATE = 1_000.0
"""Most runs per second that a bulk retry lets go on."""

CANARY_TIMEOUT_S = 60.0
"""How long the first run may take to leave its cause, in seconds, unless the request says otherwise."""

PAGE = 500
"""Members read at once."""

Pause = Callable[[float], Awaitable[None]]
"""Waits that many seconds."""


class BulkRetry(msgspec.Struct, frozen=True, kw_only=True):
    """Which stuck runs to let go on, and how fast.

    Attributes:
        group: Name of the group, as the report of stuck runs gives it.
        rate: Runs per second after the first.
        limit: Most runs; 0 for all.
        canary_timeout_s: How long the first run may take to leave its cause, in seconds.
    """

    environment: str
    group: str
    actor: str
    rate: float = 10.0
    limit: int = 0
    canary_timeout_s: float = CANARY_TIMEOUT_S


class BulkProgress(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One piece of progress of a bulk retry.

    Attributes:
        kind: `canary`: the first run was let go on; `canaryPassed`, `canaryFailed`, `canaryUndecided`: what
            became of it, and the last two end the whole; `retried` or `refused`: one more run; `finished`.
        run_id: The run that it is about.
        retried: Runs let go on so far.
        refused: Runs that could not be let go on, such as those that somebody else let go on meanwhile.
        detail: One sentence for people.
    """

    kind: str
    run_id: str = ""
    retried: int = 0
    refused: int = 0
    detail: str = ""


class StuckControl:
    """Lists what is stuck and lets it go on.

    Args:
        stuck: Finds stuck runs.
        records: Runs as rows.
        engine: Runs them.
        histories: Tells whether the first run passed the step that failed.
        pause: Waits; a test moves its own clock.
    """

    def __init__(
        self,
        stuck: StuckRuns,
        records: RecordStore,
        engine: Engine,
        histories: Histories,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._stuck = stuck
        self._records = records
        self._engine = engine
        self._histories = histories
        self._pause = pause

    async def groups(self, environment: str) -> StuckReport:
        """Faulted and paused runs of an environment, grouped by cause, the largest group first."""
        return await self._stuck.groups(everywhere(environment))

    async def retry(self, request: BulkRetry) -> AsyncIterator[BulkProgress]:
        """Let one run go on; if it leaves the cause, the rest at the rate.

        Raises:
            InvalidRequest: The rate is not above 0 and at most `MAX_RATE`.
            NotFound: No stuck run has this cause.
        """
        if not 0 < request.rate <= MAX_RATE:
            raise InvalidRequest(f"the rate must be above 0 and at most {MAX_RATE:g} runs per second")
        members = await self._members(request, 0)
        if not members:
            raise NotFound(
                f"no stuck run has the cause {request.group!r}", "`counterpoint runs list --stuck`."
            )
        canary = members[0]
        await go_on(self._engine, canary, request.actor)
        yield BulkProgress("canary", canary.id, 1, 0, f"{canary.id} goes first; the rest waits for it.")
        verdict = await self._judge(canary, request)
        yield verdict
        if verdict.kind != "canaryPassed":
            return
        async for progress in self._rest(request, canary):
            yield progress

    async def _rest(self, request: BulkRetry, canary: RunRecord) -> AsyncIterator[BulkProgress]:
        retried, refused, after = 1, 0, canary.run_no
        while members := await self._members(request, after):
            for run in members:
                if request.limit and retried + refused >= request.limit:
                    break
                await self._pause(1 / request.rate)
                try:
                    await go_on(self._engine, run, request.actor)
                except RequestError as error:
                    refused += 1
                    yield BulkProgress("refused", run.id, retried, refused, str(error))
                else:
                    retried += 1
                    yield BulkProgress("retried", run.id, retried, refused)
            else:
                after = members[-1].run_no
                continue
            break
        detail = f"{retried} let go on, {refused} refused."
        yield BulkProgress("finished", "", retried, refused, detail)

    async def _members(self, request: BulkRetry, after: int) -> list[RunRecord]:
        return await self._stuck.members(everywhere(request.environment), request.group, after, PAGE)

    async def _judge(self, canary: RunRecord, request: BulkRetry) -> BulkProgress:
        """Whether the first run left its cause: it stopped otherwise, or passed the step that failed."""
        waiting = {
            asyncio.ensure_future(self._rest_of(canary)),
            asyncio.ensure_future(self._step_passed(canary)),
        }
        try:
            async with asyncio.timeout(request.canary_timeout_s):
                while waiting:
                    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        verdict = task.result()
                        if verdict is not None:
                            return verdict
        except TimeoutError:
            pass
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        waited = f"{canary.id} has neither passed nor failed in {request.canary_timeout_s:g} s"
        detail = f"{waited}; the rest was left alone."
        return BulkProgress("canaryUndecided", canary.id, 1, 0, detail)

    async def _rest_of(self, canary: RunRecord) -> BulkProgress | None:
        await self._engine.wait(scope_of(canary), canary.id)
        run = await self._records.run(scope_of(canary), canary.id)
        cause = run.cause or {}
        if cause.get("group") == (canary.cause or {}).get("group") and run.status in ("faulted", "suspended"):
            detail = (
                f"{canary.id} failed the same way; the rest was left alone. {cause.get('next', '')}".strip()
            )
            return BulkProgress("canaryFailed", canary.id, 1, 0, detail)
        return BulkProgress("canaryPassed", canary.id, 1, 0, f"{canary.id} is {run.status}.")

    async def _step_passed(self, canary: RunRecord) -> BulkProgress | None:
        """Passed as soon as the step is done, although the run may go on for days; None if it never is."""
        step = (canary.cause or {}).get("step", "")
        if not step:
            return None
        # Watching begins before the look at the history: the result cannot fall between the two.
        events = aiter(self._engine.watch(scope_of(canary), canary.id))
        upcoming = asyncio.ensure_future(anext(events, None))
        try:
            timeline = await read_timeline(self._histories, scope_of(canary), canary.id)
            line = timeline.steps.get(step)
            if line is not None and line.state == "done":
                return _passed(canary, step)
            while (event := await upcoming) is not None:
                if event.kind == "attemptEnded" and event.step == step and event.status == "done":
                    return _passed(canary, step)
                upcoming = asyncio.ensure_future(anext(events, None))
            return None
        finally:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)


def _passed(canary: RunRecord, step: str) -> BulkProgress:
    return BulkProgress(
        "canaryPassed", canary.id, 1, 0, f"{canary.id} passed the step that had failed ({step})."
    )
