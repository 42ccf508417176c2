"""A run that gives way in the middle of pure work is at work, and is found so after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.unit.engines.standing import SCOPE, document, standing

PURE = document(
    "pure",
    {
        "do": [
            {"start": {"set": {"n": 0}}},
            {"count": {"set": {"n": "${ .n + 1 }"}}},
            {
                "more": {
                    "switch": [{"go": {"when": ".n < 20000", "then": "count"}}, {"stop": {"then": "end"}}]
                }
            },
        ]
    },
)


async def test_a_run_that_gave_way_is_running_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with standing(tmp_path, {"pure": PURE}) as on:
        run_id = await on.start("pure")
        assert (await on.records.run(SCOPE, run_id)).status == "running"
    async with standing(tmp_path, {}) as on, asyncio.timeout(60):
        result = await on.engine.wait(SCOPE, run_id)
        assert (result.status, result.output) == ("completed", {"n": 20000})
