"""Following one run to its end: live progress on stderr, and the exit code that its outcome has."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from counterpoint.cli.context import CommandContext
from counterpoint.cli.session import Session
from counterpoint.errors import CounterpointError

if TYPE_CHECKING:
    from counterpoint.cli.render.progress import EventLines, Progress

EXIT_CODES = {"completed": 0, "faulted": 1, "cancelled": 3, "suspended": 4}
"""Exit code by the status with which a run ended or paused."""

REFRESH_S = 0.1
LAST_EVENTS_S = 2.0
"""Time that the last events get to arrive after the result."""


async def follow_run(context: CommandContext, session: Session, run_id: str) -> dict[str, Any]:
    """Result of a run once it ended or paused; shows its progress meanwhile."""
    if context.is_json:
        result: dict[str, Any] = await session.call("runs.wait", context.params(id=run_id))
        return result
    if context.out.notes.is_terminal:
        return await _follow_live(context, session, run_id)
    from counterpoint.cli.render.progress import EventLines

    return await _follow(context, session, run_id, EventLines(context.out.notes))


async def _follow_live(context: CommandContext, session: Session, run_id: str) -> dict[str, Any]:
    from rich.live import Live

    from counterpoint.cli.render.progress import Progress

    progress = Progress(lambda: time.time_ns() // 1000)
    # Refreshed from the loop: the thread that rich would use competes with an engine in this process.
    with Live(
        progress, console=context.out.notes, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    ) as live:

        async def refresh() -> None:
            while True:
                live.refresh()
                await asyncio.sleep(REFRESH_S)

        refreshing = asyncio.create_task(refresh())
        try:
            return await _follow(context, session, run_id, progress)
        finally:
            refreshing.cancel()
            with suppress(asyncio.CancelledError):
                await refreshing
            live.refresh()


async def _follow(
    context: CommandContext, session: Session, run_id: str, view: Progress | EventLines
) -> dict[str, Any]:
    watching = asyncio.create_task(_watch(context, session, run_id, view))
    try:
        result: dict[str, Any] = await session.call("runs.wait", context.params(id=run_id))
        await asyncio.wait([watching], timeout=LAST_EVENTS_S)
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    # What happened between the start and the first look has no event; the run's steps have it all.
    detail = await session.call("runs.show", context.params(id=run_id))
    view.complete(detail["steps"], result["status"])
    return result


async def _watch(context: CommandContext, session: Session, run_id: str, view: Progress | EventLines) -> None:
    # Progress is for the eye: when it cannot be had, the result still counts.
    with suppress(CounterpointError):
        async with aclosing(session.stream("runs.watch", context.params(id=run_id))) as events:
            async for event in events:
                view.apply(event)


def tell_result(context: CommandContext, result: dict[str, Any]) -> int:
    """Exit code of a result, which is printed: output on stdout, all else on stderr."""
    status = result["status"]
    if context.is_json:
        context.out.data(result)
    elif status == "completed":
        context.out.data(result.get("output"))
    else:
        from counterpoint.cli.render.runs import result_lines

        context.out.notes.print(result_lines(result))
    return EXIT_CODES.get(status, 1)


def tell_where_it_goes_on(context: CommandContext, session: Session, run_id: str) -> None:
    """Say who carries a run on that was started or resumed and is not followed."""
    if session.is_owner:
        context.out.note(f"No owner is running: run {run_id} goes on with `counterpoint serve`.")
