"""Runs cases inside Temporal in a process of its own, and prints what differed: one line of JSON a case.

Usage: python -m tests.conformance.temporal_main CASE...
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback

import msgspec

from counterpoint.runners.jq_worker import JqWorker
from counterpoint.testing.conformance import Case
from counterpoint.testing.conformance_check import differences
from tests.conformance.surroundings import CASES
from tests.conformance.temporal_runner import TemporalRunner, temporal_runner

AT_ONCE = 12
"""Cases under way at the same time: the development server answers slowly, but many at once."""


async def run_all(cases: list[Case]) -> None:
    """Run the cases and print one line for each."""
    expressions = JqWorker()
    gate = asyncio.Semaphore(AT_ONCE)
    async with temporal_runner(expressions) as runner:

        async def one(case: Case) -> None:
            async with gate:
                print(msgspec.json.encode([case.id, await _differences(runner, case)]).decode(), flush=True)

        await asyncio.gather(*(one(case) for case in cases))
    await expressions.close()


async def _differences(runner: TemporalRunner, case: Case) -> list[str]:
    try:
        return differences(case, await runner.run(case))
    except Exception:
        return [traceback.format_exc()]


if __name__ == "__main__":
    wanted = set(sys.argv[1:])
    asyncio.run(run_all([case for case in CASES if case.id in wanted]))
    # The threads of Temporal's library may abort the process when the interpreter is torn down below them.
    os._exit(0)
