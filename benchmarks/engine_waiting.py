"""100,000 runs that wait, half on a timer and half in a backoff: memory of the engine, and its restart.

Each part runs in a process of its own, so that the memory is that of an engine and not of a benchmark.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import tempfile
import time
from pathlib import Path

import uvloop
from engine_stand import SCOPE, stand
from report import publish

from counterpoint.errors import RetryableError
from counterpoint.ports.engine import StartRun
from counterpoint.sdk import Connector

WAITING = 100_000
FLIGHT = 200
REPEATS = 3

TIMER = """
document:
  dsl: '1.0.3'
  namespace: bench
  name: waits
  version: '1.0.0'
do:
  - nap:
      wait: { hours: 24 }
"""
BACKOFF = """
document:
  dsl: '1.0.3'
  namespace: bench
  name: backs-off
  version: '1.0.0'
use:
  retries:
    patient: { delay: { hours: 24 } }
do:
  - try_it:
      call: bench.refuse
      with: {}
      metadata: { counterpoint: { retry: patient } }
"""


def connector() -> Connector:
    """A connector whose one action is never ready."""
    bench = Connector("bench")

    @bench.action(idempotency="key")
    async def refuse(ctx):
        raise RetryableError("not now")

    return bench


def resident_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1_048_576


async def _fill(folder: Path) -> float:
    async with stand(folder, [TIMER, BACKOFF], [connector()]) as on:
        left = iter(range(WAITING))

        async def feed() -> None:
            for number in left:
                name = "waits" if number % 2 else "backs-off"
                await on.engine.start(SCOPE, StartRun(name, {"order": number}, "bench"))

        await asyncio.gather(*(feed() for _ in range(FLIGHT)))
        while on.engine.kernel.executions:  # noqa: ASYNC110 - the engine has no signal for an empty memory
            await asyncio.sleep(0.05)
        gc.collect()
        return resident_mb()


async def _restart(folder: Path) -> tuple[float, float]:
    begin = time.perf_counter()
    async with stand(folder, [], [connector()]) as on:
        elapsed = time.perf_counter() - begin
        waiting = await on.engine.waiting()
        if waiting != WAITING:
            raise RuntimeError(f"{waiting} runs wait after the restart, not {WAITING}")
        return elapsed, resident_mb()


def _in_process(function: object, folder: Path) -> object:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_call, (function, folder))


def _call(function: object, folder: Path) -> object:
    return uvloop.run(function(folder))  # type: ignore[operator]


def main() -> None:
    """Fill, measure, restart several times."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        filled = _in_process(_fill, data)
        restarts = [_in_process(_restart, data) for _ in range(REPEATS)]
    publish("engine.waiting_100k.rss_mb", [filled], "MB")
    publish("engine.waiting_100k.restart_s", [seconds for seconds, _ in restarts], "s")
    publish("engine.waiting_100k.restarted_rss_mb", [memory for _, memory in restarts], "MB")


if __name__ == "__main__":
    main()
