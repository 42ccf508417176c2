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

from counterpoint.ports.engine import StartRun
from counterpoint.sdk import Connector

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
    async def noop(ctx, value):  # noqa: ANN001, ANN202 - untyped on purpose: any JSON
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


async def main() -> None:
    """Print figures."""
    with tempfile.TemporaryDirectory(dir="var" if Path("var").exists() else None) as folder:
        async with stand(Path(folder), [DOCUMENT, LARGE], [connector()]) as on:
            await throughput(on, 2000, 100, "three-steps", {"n": 0})
            for _ in range(3):
                print("runs/s", round(await throughput(on, 10000, 100, "three-steps", {"n": 0})))
            large = {"n": 0, "text": "x" * 100, "items": [{"id": i, "name": f"item {i}", "ok": True} for i in range(220)]}
            for _ in range(2):
                print("10k runs/s", round(await throughput(on, 3000, 100, "three-steps-10k", large)))
            one = sorted(await latencies(on, 1000))
            print("p50", one[500], "p99", one[990])
            print(on.writer.stats)


if __name__ == "__main__":
    uvloop.run(main())
