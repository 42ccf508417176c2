"""Use case: start runs and steer them. The engine records the actor with each command, in the same commit."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from counterpoint.app.inputs import check_input
from counterpoint.app.places import everywhere, find_run, find_workflow, scope_of
from counterpoint.core.values import Scope
from counterpoint.errors import Conflict
from counterpoint.ports.engine import Engine, RunResult, Started, StartRun
from counterpoint.ports.records import Page, RecordStore, RunQuery, RunRecord

MAX_REASON = 1_000
"""Longest reason for a command that is kept, in characters."""

OPERATOR = "operator"
"""Cause of a run that somebody suspended."""


class RunControl:
    """Start, wait for and steer runs.

    Args:
        records: Finds workflows and runs.
        engine: Runs them.
    """

    def __init__(self, records: RecordStore, engine: Engine) -> None:
        self._records = records
        self._engine = engine

    async def start(self, environment: str, request: StartRun) -> Started:
        """Start a run of a workflow named `NAME` or `NAMESPACE/NAME`; durable when this returns.

        Raises:
            InvalidRequest: The input is not JSON, or the name fits several workflows.
            LimitExceeded: The input is too deep or too large, or there are too many open runs.
            NotFound: No such workflow or version.
        """
        # In a thread: a large value takes longer to look at than a turn of the loop.
        await asyncio.to_thread(check_input, request.input)
        namespace, _, name = request.workflow.rpartition("/")
        if not namespace:
            namespace = (await find_workflow(self._records, environment, name)).namespace
        return await self._engine.start(Scope(namespace, environment), replace(request, workflow=name))

    async def wait(self, environment: str, run_id: str) -> RunResult:
        """How a run stands once it ended or paused."""
        run = await find_run(self._records, environment, run_id)
        return await self._engine.wait(scope_of(run), run.id)

    async def list(self, environment: str, query: RunQuery) -> Page:
        """A page of runs, newest first.

        Raises:
            NotFound: No such workflow.
        """
        if not query.workflow:
            return await self._records.runs(everywhere(environment), query)
        active = await find_workflow(self._records, environment, query.workflow)
        scope = Scope(active.namespace, environment)
        return await self._records.runs(scope, replace(query, workflow=active.name))

    async def cancel(self, environment: str, run_id: str, actor: str, reason: str = "") -> RunRecord:
        """Cancel a run; effects already made stay.

        Raises:
            Conflict: It has ended.
        """
        run = await find_run(self._records, environment, run_id)
        await self._engine.cancel(scope_of(run), run.id, actor, reason[:MAX_REASON])
        return await self._again(run)

    async def suspend(self, environment: str, run_id: str, actor: str, reason: str = "") -> RunRecord:
        """Halt a run until it is resumed; attempts under way end and are recorded."""
        run = await find_run(self._records, environment, run_id)
        await self._engine.suspend(scope_of(run), run.id, actor, reason[:MAX_REASON])
        return await self._again(run)

    async def resume(self, environment: str, run_id: str, actor: str) -> RunRecord:
        """Let a suspended run go on.

        Raises:
            Conflict: It is not suspended.
        """
        run = await find_run(self._records, environment, run_id)
        if run.status != "suspended":
            raise Conflict(
                f"run {run.id} is {run.status}, not suspended",
                f"`counterpoint runs retry {run.id}` tries again." if run.status == "faulted" else "",
            )
        await self._engine.resume(scope_of(run), run.id, actor)
        return await self._again(run)

    async def retry(self, environment: str, run_id: str, actor: str) -> RunRecord:
        """Go on with a faulted or paused run; its failed steps are tried again with the same keys.

        Raises:
            Conflict: It did not fault, or the document itself raised the fault.
        """
        run = await find_run(self._records, environment, run_id)
        await go_on(self._engine, run, actor)
        return await self._again(run)

    async def _again(self, run: RunRecord) -> RunRecord:
        return await self._records.run(scope_of(run), run.id)


async def go_on(engine: Engine, run: RunRecord, actor: str) -> None:
    """Let a stuck run go on: resume what somebody suspended, retry what failed."""
    if (run.cause or {}).get("code") == OPERATOR:
        await engine.resume(scope_of(run), run.id, actor)
    else:
        await engine.retry(scope_of(run), run.id, actor)
