"""The support desk at work: `make up`, or `make up CHAOS=1` to see it survive.

Starts the apps and the engine, feeds the tickets, shows the runs, and ends with the balance. The exit code is
0 if nothing was lost and nothing doubled, 1 otherwise, 2 if the demonstration itself broke.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import shutil
import signal
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from stage.chaos import KILL_SHARES, kill_and_restart, make_weather, set_failures
from stage.feeding import Desk, count_runs, deploy, feed, release_stuck
from stage.processes import COMMAND, EXAMPLE, Apps, Broken, Engine
from stage.progress import Progress
from stage.result import Result, expected_of
from stage.screen import Screen, show_hints, show_result
from tickets import Ticket, make_tickets

from counterpoint.cli.socket_client import OwnerAbsent, SocketClient

ROOT = EXAMPLE.parents[1]
FOLDER = ROOT / "var" / "support-desk"
MARK = ".support-desk"
"""File that says that a folder is ours and may be emptied."""

TIME_LIMIT_S = 600
FIGURES_EVERY_S = 0.25


def main() -> int:
    given = _arguments()
    console = Console(highlight=False)
    try:
        result = asyncio.run(_show(given, console))
    except (Broken, TimeoutError) as error:
        console.print(f"[bold red]The demonstration broke:[/] {error or f'not done in {TIME_LIMIT_S} s'}")
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Stopped.")
        return 130
    return 0 if result.is_good else 1


def _count(text: str) -> int:
    """A number of tickets from 1 to 100,000, as argparse wants it."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 100_000):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of tickets from 1 to 100000")
    return int(text)


def _arguments() -> argparse.Namespace:
    environment = os.environ
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=_count, default=environment.get("TICKETS") or "400")
    parser.add_argument("--chaos", action="store_true", default=bool(environment.get("CHAOS")))
    parser.add_argument("--stay", action="store_true", default=bool(environment.get("STAY")))
    parser.add_argument("--kills", type=int, default=len(KILL_SHARES), help="kills of the engine in chaos")
    parser.add_argument("--seed", type=int, default=1, help="seed of the apps' failures")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where data and logs go; emptied first")
    parser.add_argument("--workflow", type=Path, default=EXAMPLE / "support-desk.yaml")
    return parser.parse_args()


async def _show(given: argparse.Namespace, console: Console) -> Result:
    task = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGINT):
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    if await _is_in_use(given.folder):
        raise Broken(f"another demonstration is running in {given.folder}")
    _prepare(given.folder)
    async with AsyncExitStack() as stack:
        apps, engine = Apps(given.folder, given.seed), Engine(given.folder)
        stack.push_async_callback(apps.close)
        stack.push_async_callback(engine.close)
        async with asyncio.timeout(TIME_LIMIT_S):
            await asyncio.gather(apps.start(), engine.start())
            result = await _perform(given, console, apps, engine)
        show_result(console, result)
        (given.folder / "result.json").write_text(json.dumps(dataclasses.asdict(result), indent=2))
        command, data = _shown(COMMAND), Path(_shown(engine.data))
        show_hints(console, command, data, result.example)
        if given.stay:
            console.print("\nApps and engine keep running; Ctrl-C ends them.")
            await engine.watch()
        else:
            console.print("\n`make up STAY=1` keeps the apps and the engine running.")
    return result


async def _is_in_use(folder: Path) -> bool:
    """Whether the engine of another demonstration runs there."""
    try:
        client = await SocketClient.connect(folder / "data")
    except OwnerAbsent:
        return False
    await client.close()
    return True


def _prepare(folder: Path) -> None:
    """Empty the folder of an earlier demonstration, and write the settings of the engine.

    Raises:
        Broken: The folder is not ours to empty.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise Broken(f"{folder} holds something else; name another folder")
        shutil.rmtree(folder)
    (folder / "data").mkdir(parents=True)
    (folder / MARK).touch()
    settings = (EXAMPLE / "counterpoint.toml").read_text(encoding="utf-8")
    # Beside the data, so that every later command with `--data` finds it.
    settings = settings.replace('"desk.py"', json.dumps(str(EXAMPLE / "desk.py")))
    (folder / "data" / "counterpoint.toml").write_text(settings, encoding="utf-8")


def _shown(path: Path) -> str:
    """A path as short as it can be typed here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


async def _perform(given: argparse.Namespace, console: Console, apps: Apps, engine: Engine) -> Result:
    tickets = make_tickets(given.tickets)
    progress = Progress(len(tickets))
    desk = Desk(engine, progress)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        stack.push_async_callback(desk.close)
        await deploy(desk, given.workflow.read_text(encoding="utf-8"))
        with Screen(console, progress, given.chaos):
            progress.begin()
            progress.tell(f"{len(tickets)} tickets, apps at {apps.base}, engine with pid {engine.pid}")
            work = asyncio.ensure_future(_work(given, tickets, desk, engine, (session, apps.base)))
            watching = [
                asyncio.ensure_future(engine.watch()),
                asyncio.ensure_future(_refresh(session, apps.base, progress)),
            ]
            await _first_of(work, watching)
            progress.end()
            progress.tell(f"all tickets are through, {len(progress.statuses)} runs")
        return await _result(tickets, desk, progress, (session, apps.base))


async def _first_of(work: asyncio.Future[None], watching: list[asyncio.Future[None]]) -> None:
    """Wait for the work; if one of the watchers fails before, fail with it."""
    try:
        done, _ = await asyncio.wait({work, *watching}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (work, *watching):
            task.cancel()
        await asyncio.gather(work, *watching, return_exceptions=True)


async def _work(
    given: argparse.Namespace,
    tickets: list[Ticket],
    desk: Desk,
    engine: Engine,
    apps: tuple[aiohttp.ClientSession, str],
) -> None:
    """Feed all tickets, with chaos meanwhile if it is wanted, then let go on what has paused."""
    progress = desk.progress
    async with asyncio.TaskGroup() as group:
        if given.chaos:
            group.create_task(make_weather(*apps, progress))
            group.create_task(kill_and_restart(engine, progress, given.kills))
        group.create_task(feed(desk, tickets, apps[1], progress))
    await release_stuck(desk, progress, partial(_until_idle, *apps))
    await set_failures(*apps, [])


async def _refresh(session: aiohttp.ClientSession, base: str, progress: Progress) -> None:
    while True:
        progress.figures = await _get(session, f"{base}/admin/figures")
        await asyncio.sleep(FIGURES_EVERY_S)


async def _until_idle(session: aiohttp.ClientSession, base: str) -> None:
    while (await _get(session, f"{base}/admin/figures"))["underWay"]:  # noqa: ASYNC110 - no event crosses processes
        await asyncio.sleep(FIGURES_EVERY_S)


async def _get(session: aiohttp.ClientSession, address: str) -> dict[str, Any]:
    async with session.get(address) as response:
        response.raise_for_status()
        found: dict[str, Any] = await response.json()
        return found


async def _result(
    tickets: list[Ticket], desk: Desk, progress: Progress, apps: tuple[aiohttp.ClientSession, str]
) -> Result:
    session, base = apps
    async with session.post(f"{base}/admin/balance", json=expected_of(tickets)) as response:
        balance = await response.json()
    figures = await _get(session, f"{base}/admin/figures")
    counts = await count_runs(desk)
    return Result(
        tickets=len(tickets),
        balance=balance,
        statuses=dict(counts.statuses),
        outcomes=dict(counts.outcomes),
        figures=figures,
        kills=progress.kills,
        recoveries=progress.recoveries,
        elapsed_s=round(progress.elapsed_s, 2),
        example=counts.by_correlation.get(figures["busiest"], ""),
    )


if __name__ == "__main__":
    sys.exit(main())
