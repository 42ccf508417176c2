"""Chaos: the apps fail in every way that they know, and the engine is killed in the middle, several times."""

from __future__ import annotations

from typing import Any

import aiohttp

from stage.processes import Engine
from stage.progress import Progress

WEATHER: list[dict[str, Any]] = [
    {"kind": "lostReply", "rate": 0.08},
    {"kind": "unavailable", "rate": 0.10},
    {"kind": "throttled", "rate": 0.04, "retry_after_s": 1},
    {"kind": "slow", "rate": 0.10, "delay_ms": 300},
    # Longer than the engine waits for an answer: the effect is there, the attempt has failed.
    {"kind": "slow", "rate": 0.01, "delay_ms": 4000},
]
"""How the apps fail all the time; a rate is a share of the requests that the switches before it let pass."""

OUTAGE: dict[str, Any] = {"kind": "unauthorized", "route": "/crm/", "method": "POST"}
"""The CRM's credential has expired: no attempt helps, runs pause until a person lets them go on."""

OUTAGE_SHARES = (0.45, 0.60)
"""When it begins and when it ends, as shares of the tickets that are settled."""

KILL_SHARES = (0.1, 0.3, 0.5, 0.8)
"""When the engine is killed."""


async def set_failures(session: aiohttp.ClientSession, base: str, switches: list[dict[str, Any]]) -> None:
    """Put these switches in the place of all others."""
    async with session.put(f"{base}/admin/failures", json=switches) as response:
        response.raise_for_status()


async def kill_and_restart(engine: Engine, progress: Progress, kills: int) -> None:
    """Kill the engine several times while tickets go through, and start it again each time."""
    for share in KILL_SHARES[:kills]:
        await progress.reached(share)
        pid = engine.pid
        await engine.kill()
        progress.kills += 1
        took = await engine.start()
        progress.recoveries.append(took)
        progress.tell(f"kill -9 {pid} with {progress.counts['running']} runs open; back after {took} ms")


async def make_weather(session: aiohttp.ClientSession, base: str, progress: Progress) -> None:
    """Let the apps fail from the beginning, and the CRM's credential expire for a while."""
    await set_failures(session, base, WEATHER)
    begin, end = OUTAGE_SHARES
    await progress.reached(begin)
    await set_failures(session, base, [OUTAGE, *WEATHER])
    progress.tell("the CRM's credential has expired: 401 for every note")
    await progress.reached(end)
    await set_failures(session, base, WEATHER)
    progress.tell("the credential was renewed")
