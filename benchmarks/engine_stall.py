"""How long hostile documents keep the engine's loop from its next turn.

A callback runs every millisecond beside the engine; the longest gap between two of them is the stall. Beside
the wall clock the processor time of the loop's thread is shown: on a busy machine only that one tells
something.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from engine_stand import SCOPE, Stand, stand
from hostile_documents import DOCUMENTS, Hostile
from report import publish

from counterpoint.ports.engine import StartRun
from counterpoint.runners.jq_worker import JqWorker
from counterpoint.sdk import Connector
from counterpoint.wiring import GC_THRESHOLDS

REPEATS = 3
TICK_S = 0.001


class Turns:
    """Watches the turns of the loop.

    Attributes:
        wall: Longest gap between two turns, in seconds.
        busy: Longest processor time between two turns, in seconds.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.begin()
        self._handle = self._loop.call_later(TICK_S, self._tick)

    def begin(self) -> None:
        """Forget the gaps so far."""
        self.wall = self.busy = 0.0
        self._last, self._last_busy = time.perf_counter(), time.thread_time()

    def stop(self) -> None:
        """Watch no more."""
        self._handle.cancel()

    def _tick(self) -> None:
        now, busy = time.perf_counter(), time.thread_time()
        self.wall, self.busy = (
            max(self.wall, now - self._last - TICK_S),
            max(self.busy, busy - self._last_busy),
        )
        self._last, self._last_busy = now, busy
        self._handle = self._loop.call_later(TICK_S, self._tick)


def connector() -> Connector:
    """The action that does nothing."""
    bench = Connector("bench")

    @bench.action(idempotency="natural")
    async def noop(ctx: Any, value: Any) -> Any:
        return value

    return bench


async def stalls(on: Stand, turns: Turns, hostile: Hostile) -> tuple[float, float, str]:
    """Longest stalls while a document runs, in milliseconds (wall, processor), and how it ended."""
    turns.begin()
    started = await on.engine.start(SCOPE, StartRun(hostile.name, hostile.value, "bench"))
    result = await on.engine.wait(SCOPE, started.run_id)
    detail = "" if result.fault is None else result.fault.detail or ""
    await asyncio.sleep(2 * TICK_S)
    is_right = result.status == hostile.status and hostile.detail in detail
    return (
        turns.wall * 1000,
        turns.busy * 1000,
        "" if is_right else f"  UNEXPECTED {result.status}: {detail[:100]}",
    )


async def measure(folder: Path, wanted: list[str]) -> None:
    """Print the stalls of each document and publish the longest."""
    gc.set_threshold(*GC_THRESHOLDS)
    chosen = [one for one in DOCUMENTS if not wanted or one.name in wanted]
    worker = JqWorker()
    worst: list[float] = []
    async with stand(folder, [one.text for one in chosen], [connector()], worker=worker) as on:
        turns = Turns()
        for one in chosen:
            repeats = [await stalls(on, turns, one) for _ in range(REPEATS)]
            walls, busy = sorted(r[0] for r in repeats), sorted(r[1] for r in repeats)
            middle = REPEATS // 2
            print(
                f"{one.name:<24} {walls[middle]:>9.1f} ms wall {busy[middle]:>9.1f} ms busy{repeats[0][2]}",
                flush=True,
            )
            worst.append(walls[middle])
        turns.stop()
        await worker.close()
    publish("engine.hostile.worst_stall_ms", [max(worst)], "ms")


def main() -> None:
    """Measure in a fresh folder."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder) / "data", sys.argv[1:]))


if __name__ == "__main__":
    main()
