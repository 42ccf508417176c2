"""Feeding: a run for every ticket, followed to its end, whatever happens to the engine meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from tickets import Ticket

from counterpoint.cli.socket_client import OwnerAbsent, SocketClient
from counterpoint.errors import LockLostError
from stage.processes import EXAMPLE, Broken, Engine
from stage.progress import Progress

WORKFLOW = "support/support-desk"
IN_FLIGHT = 32
"""Tickets that are fed and not yet settled."""

RESUME_RATE = 100.0
"""Paused runs per second that are let go on, after the first of them has passed."""

MAX_ROUNDS = 8
"""How often what is stuck is let go on before the demonstration gives up."""


class Desk:
    """The engine as the feeder sees it: one connection, made again when the engine came back.

    Args:
        engine: The engine's process.
        progress: Where repeated calls are counted.
    """

    def __init__(self, engine: Engine, progress: Progress) -> None:
        self._engine = engine
        self.progress = progress
        self._client: SocketClient | None = None
        self._connecting = asyncio.Lock()

    async def call(self, operation: str, **params: Any) -> Any:
        """Result of an operation, asked again when the engine went away before it answered.

        Only for operations that may be repeated: reads, waits, deploys, and starts with a start key.
        """
        while True:
            client = await self._connected()
            try:
                return await client.call(operation, params)
            except LockLostError:
                self.progress.restarted_calls += 1
                await self._drop(client)

    async def stream(self, operation: str, **params: Any) -> list[dict[str, Any]]:
        """All items of a streaming operation."""
        client = await self._connected()
        return [cast(dict[str, Any], item) async for item in client.stream(operation, params)]

    async def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            await self._client.close()

    async def _connected(self) -> SocketClient:
        async with self._connecting:
            while self._client is None:
                await self._engine.ready.wait()
                try:
                    self._client = await SocketClient.connect(self._engine.data)
                except (OwnerAbsent, LockLostError):
                    # Killed between its word and our call: the event is cleared, so the next wait is real.
                    await asyncio.sleep(0.01)
            return self._client

    async def _drop(self, client: SocketClient) -> None:
        if self._client is client:
            self._client = None
            await client.close()


async def deploy(desk: Desk, document: str) -> None:
    """Make the workflow available."""
    await desk.call("workflows.deploy", text=document, folder=str(EXAMPLE))


async def feed(desk: Desk, tickets: list[Ticket], base: str, progress: Progress) -> None:
    """Start a run for each ticket and follow it until it ends or pauses."""
    waiting = iter(tickets)
    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(_feed_some(desk, waiting, base, progress))


async def _feed_some(desk: Desk, waiting: Iterator[Ticket], base: str, progress: Progress) -> None:
    for ticket in waiting:
        started = await desk.call(
            "runs.start", workflow=WORKFLOW, input={**ticket, "base": base}, trigger="support-desk"
        )
        progress.fed(ticket["reference"])
        result = await desk.call("runs.wait", id=started["runId"])
        progress.settle(ticket["reference"], result["status"])


async def release_stuck(desk: Desk, progress: Progress, until_idle: Callable[[], Awaitable[None]]) -> None:
    """Let paused runs go on, one first, until nothing is stuck any more.

    Args:
        desk: The engine.
        progress: Where it is told.
        until_idle: Waits until the apps work at nothing: a request whose answer took too long may go on
            there, and a repetition meanwhile would be refused (409).

    Raises:
        Broken: Something is stuck for good.
    """
    for _ in range(MAX_ROUNDS):
        groups = (await desk.call("runs.stuck"))["groups"]
        if not groups:
            return
        await until_idle()
        for group in groups:
            progress.tell(f"paused by {group.get('status', 0)} at {group['task']}: {group['count']}")
            steps = await desk.stream("runs.retryBulk", cause=group["group"], rate=RESUME_RATE)
            told = "the first one passed" if steps[-1]["kind"] == "finished" else "the first one failed again"
            progress.tell(f"resumed: {steps[-1].get('retried', 0)}; {told}")
        await _follow_all(desk, progress)
    raise Broken("some runs stay stuck; `counterpoint runs list --stuck` says why")


async def _follow_all(desk: Desk, progress: Progress) -> None:
    async for run in runs_of(desk):
        if run["startKey"] in progress.statuses and run["status"] != "completed":
            result = await desk.call("runs.wait", id=run["id"])
            progress.settle(run["startKey"], result["status"])
        else:
            progress.settle(run["startKey"], run["status"])


async def runs_of(desk: Desk) -> Any:
    """All runs of the workflow, newest first."""
    before = ""
    while True:
        page = await desk.call("runs.list", workflow=WORKFLOW, before=before, limit=100)
        for run in page["items"]:
            yield run
        before = page["next"]
        if not before:
            return


@dataclass
class Counts:
    """Runs as the engine's records have them: by status, by business outcome, and id by correlation."""

    statuses: dict[str, int] = field(default_factory=Counter)
    outcomes: dict[str, int] = field(default_factory=Counter)
    by_correlation: dict[str, str] = field(default_factory=dict)


async def count_runs(desk: Desk) -> Counts:
    """Counts of all runs of the workflow."""
    counts = Counts()
    async for run in runs_of(desk):
        counts.statuses[run["status"]] += 1
        counts.outcomes[run.get("outcome") or "none"] += 1
        counts.by_correlation[run["correlationId"]] = run["id"]
    return counts
