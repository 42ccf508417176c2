"""In doubt: the process ended while an attempt was under way, so nobody knows whether it happened."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from counterpoint.engines.embedded.retry_plan import MAX_DOUBTS
from counterpoint.errors import RetryableError
from counterpoint.ports.history import InputKind
from tests.unit.engines.standing import SCOPE, Steering, document, standing


def calling(name: str, action: str, extras: dict[str, Any] | None = None) -> str:
    """A document that makes one call, and another one after it."""
    tasks = [
        {"first": {"call": f"t.{action}", "with": {"name": "x"}}},
        {"after": {"call": "t.echo", "with": {"value": "${ . }"}}},
    ]
    return document(name, {"do": tasks}, extras)


PAUSE = {"onUncertain": "pause"}
ALL = {
    "plain": calling("plain", "wait_for"),
    "careful": calling("careful", "wait_for", PAUSE),
    "risky": calling("risky", "wait_for", {"criticality": "high-risk"}),
    "keyed": calling("keyed", "keyed", PAUSE),
    "sure": calling("sure", "sure", PAUSE),
}


async def interrupted(folder: Path, name: str, steering: Steering) -> str:
    """A run whose first call was under way when the engine ended."""
    async with standing(folder, ALL, steering) as on:
        run_id = await on.start(name)
        await steering.arrival("x").wait()
    steering.arrival("x").clear()
    return run_id


def attempts(steering: Steering) -> list[tuple[str, int]]:
    """Steps and attempts that were called."""
    return [(step, number) for step, number, _ in steering.calls]


@pytest.mark.parametrize("name", ["plain", "keyed"])
async def test_a_call_in_doubt_is_repeated_with_the_same_key_unless_that_may_harm(
    tmp_path: Path, name: str
) -> None:
    steering = Steering()
    run_id = await interrupted(tmp_path, name, steering)
    async with standing(tmp_path, {}, steering) as on:
        await steering.arrival("x").wait()
        steering.gate("x").set()
        assert (await on.engine.wait(SCOPE, run_id)).output == "x"
        entries = await on.engine.histories.entries(SCOPE, run_id)
        doubts = [entry.payload for entry in entries if entry.kind is InputKind.IN_DOUBT]
        assert doubts == [{"number": 1, "resolution": "repeat"}]
        assert (await on.engine.histories.verify(SCOPE, run_id)).is_intact
    assert attempts(steering) == [("do.first", 1), ("do.first", 2), ("do.after", 1)]
    assert len({key for step, _, key in steering.calls if step == "do.first"}) == 1


@pytest.mark.parametrize("name", ["careful", "risky"])
@pytest.mark.parametrize("command", ["resume", "retry"])
async def test_a_call_that_must_not_be_repeated_pauses_the_run_until_somebody_decides(
    tmp_path: Path, name: str, command: str
) -> None:
    steering = Steering()
    run_id = await interrupted(tmp_path, name, steering)
    async with standing(tmp_path, {}, steering) as on:
        result = await on.engine.wait(SCOPE, run_id)
        assert (result.status, result.cause) == ("suspended", "inDoubt")
        assert attempts(steering) == [("do.first", 1)]
        cause = (await on.records.run(SCOPE, run_id)).cause
        assert cause is not None
        assert cause["code"] == "inDoubt"
        steering.gate("x").set()
        await getattr(on.engine, command)(SCOPE, run_id, "ana")
        assert (await on.engine.wait(SCOPE, run_id)).output == "x"
    assert attempts(steering) == [("do.first", 1), ("do.first", 2), ("do.after", 1)]


async def test_a_run_in_doubt_stays_paused_over_a_restart(tmp_path: Path) -> None:
    steering = Steering()
    run_id = await interrupted(tmp_path, "careful", steering)
    async with standing(tmp_path, {}, steering) as on:
        await on.engine.wait(SCOPE, run_id)
    async with standing(tmp_path, {}, steering) as on:
        assert (await on.engine.wait(SCOPE, run_id)).status == "suspended"
    assert attempts(steering) == [("do.first", 1)]


async def test_an_action_that_can_tell_is_asked_and_what_it_found_is_the_result(tmp_path: Path) -> None:
    steering = Steering()
    run_id = await interrupted(tmp_path, "sure", steering)
    steering.effects["x"] = "found"
    async with standing(tmp_path, {}, steering) as on:
        assert (await on.engine.wait(SCOPE, run_id)).output == "found"
    assert steering.asked == ["x"]
    assert attempts(steering) == [("do.first", 1), ("do.after", 1)]


async def test_an_effect_that_does_not_exist_is_made_again(tmp_path: Path) -> None:
    steering = Steering()
    run_id = await interrupted(tmp_path, "sure", steering)
    steering.gate("x").set()
    async with standing(tmp_path, {}, steering) as on:
        assert (await on.engine.wait(SCOPE, run_id)).output == "x"
    assert attempts(steering) == [("do.first", 1), ("do.first", 2), ("do.after", 1)]


async def test_when_the_target_cannot_tell_either_the_run_pauses(tmp_path: Path) -> None:
    steering = Steering()
    run_id = await interrupted(tmp_path, "sure", steering)
    steering.effects["x"] = RetryableError("the target is away", status=503)
    async with standing(tmp_path, {}, steering) as on:
        result = await on.engine.wait(SCOPE, run_id)
        assert (result.status, result.cause) == ("suspended", "inDoubt")
    assert attempts(steering) == [("do.first", 1)]


async def test_a_call_that_ends_the_process_each_time_pauses_its_run_in_the_end(tmp_path: Path) -> None:
    steering = Steering()
    run_id = await interrupted(tmp_path, "plain", steering)
    for _ in range(MAX_DOUBTS):
        async with standing(tmp_path, {}, steering):
            await steering.arrival("x").wait()
        steering.arrival("x").clear()
    async with standing(tmp_path, {}, steering) as on, asyncio.timeout(60):
        result = await on.engine.wait(SCOPE, run_id)
        assert (result.status, result.cause) == ("suspended", "inDoubt")
    assert attempts(steering) == [("do.first", number) for number in range(1, MAX_DOUBTS + 2)]
