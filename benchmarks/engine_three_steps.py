"""Three durable no-op steps a run: throughput with 100 in flight, and the latency of one at a time.

Each step is a `call` of an in-process function with an argument expression and an output expression.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import uvloop
from engine_stand import SCOPE, Stand, stand
from limit_group_commit import group_commits
from report import publish

from counterpoint.ports.engine import StartRun
from counterpoint.sdk import Connector

FLIGHT = 100
RUNS = 12_000
REPEATS = 5

DOCUMENT = """
document:
  dsl: '1.0.3'
  namespace: bench
  name: three-steps
  version: '1.0.0'
do:
  - one:
      call: bench.noop
      with: { value: '${ .n }' }
      output: { as: '${ { n: (.value + 1) } }' }
  - two:
      call: bench.noop
      with: { value: '${ .n }' }
      output: { as: '${ { n: (.value + 1) } }' }
  - three:
      call: bench.noop
      with: { value: '${ .n }' }
      output: { as: '${ { n: (.value + 1) } }' }
"""

LARGE = DOCUMENT.replace("three-steps", "three-steps-10k").replace(
    "with: { value: '${ .n }' }\n      output: { as: '${ { n: (.value + 1) } }' }",
    "with: { value: '${ . }' }\n      output: { as: '${ .value }' }",
)


def connector() -> Connector:
    """A connector whose one action gives its argument back."""
    bench = Connector("bench")

    @bench.action()
    async def noop(ctx, value):
        return {"value": value}

    return bench


async def throughput(on: Stand, runs: int, flight: int, name: str, value: object) -> float:
    """Runs a second with so many in flight."""
    left = iter(range(runs))
    engine = on.engine

    async def feed() -> None:
        for _ in left:
            started = await engine.start(SCOPE, StartRun(name, value, "bench"))
            result = await engine.wait(SCOPE, started.run_id)
            if result.status != "completed":
                raise RuntimeError(f"run {started.run_id} is {result.status}: {result.fault}")

    begin = time.perf_counter()
    await asyncio.gather(*(feed() for _ in range(flight)))
    return runs / (time.perf_counter() - begin)


async def latencies(on: Stand, runs: int) -> list[float]:
    """Milliseconds from start to result, one run at a time."""
    found = []
    for _ in range(runs):
        begin = time.perf_counter()
        started = await on.engine.start(SCOPE, StartRun("three-steps", {"n": 0}, "bench"))
        await on.engine.wait(SCOPE, started.run_id)
        found.append((time.perf_counter() - begin) * 1000)
    return found


async def measure(folder: Path) -> None:
    """Measure in one engine, interleaved, and publish."""
    async with stand(folder, [DOCUMENT, LARGE], [connector()]) as on:
        await throughput(on, 3_000, FLIGHT, "three-steps", {"n": 0})
        rates, large, raw = [], [], []
        typical: list[list[float]] = []
        for _ in range(REPEATS):
            rates.append(await throughput(on, RUNS, FLIGHT, "three-steps", {"n": 0}))
            large.append(await throughput(on, RUNS // 4, FLIGHT, "three-steps-10k", ten_kilobytes()))
            raw.append(await asyncio.to_thread(lone_commit_ms, folder.parent))
            typical.append(sorted(await latencies(on, 400)))
        stats = on.writer.stats
    medians = [times[len(times) // 2] for times in typical]
    publish("engine.three_steps.runs_per_s", rates, "runs/s")
    publish("engine.three_steps_10k.runs_per_s", large, "runs/s")
    publish("engine.three_steps.p50_ms", medians, "ms")
    publish("engine.three_steps.p99_ms", [times[len(times) * 99 // 100] for times in typical], "ms")
    # A run of three steps needs four commits, one after the other.
    ratios = [median / (4 * commit) for median, commit in zip(medians, raw, strict=True)]
    publish("engine.three_steps.p50_per_commit", ratios, "x of four raw commits")
    publish("engine.three_steps.raw_commit_ms", raw, "ms")
    print(f"rows a commit: {stats.rows / stats.commits:.1f} over {stats.commits} commits")


def lone_commit_ms(parent: Path) -> float:
    """Median of a raw commit of one row on the same disk."""
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        _, times = group_commits(Path(folder) / "raw", 1, 0.7)
    return times[len(times) // 2]


def ten_kilobytes() -> dict[str, object]:
    """An input of about 10 KB, as businesses have them: many small members."""
    items = [{"id": number, "name": f"item {number}", "isOpen": True} for number in range(210)]
    return {"n": 0, "items": items}


def main() -> None:
    """Measure in a fresh folder."""
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(Path(folder) / "data"))


if __name__ == "__main__":
    main()
