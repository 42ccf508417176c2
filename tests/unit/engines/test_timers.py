"""Timers: a run that waits leaves memory, comes back when it is time, and never early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from counterpoint.engines.embedded import kernel as kernel_module
from counterpoint.ports.history import InputKind
from tests.unit.engines.standing import SCOPE, Standing, Steering, document, standing, until


def waiting(name: str, **duration: int) -> str:
    """A document that waits between two calls."""
    tasks: list[dict[str, Any]] = [
        {"before": {"call": "t.echo", "with": {"value": 1}}},
        {"rest": {"wait": duration}},
        {"after": {"call": "t.echo", "with": {"value": 2}}},
    ]
    return document(name, {"do": tasks})


ALL = {"long": waiting("long", hours=5), "soon": waiting("soon", milliseconds=30)}
SLOW = {"delay": {"hours": 1}, "limit": {"attempt": {"count": 2}}}
ASK = {
    "call": "t.fail",
    "with": {"name": "x", "times": 1},
    "metadata": {"counterpoint": {"retry": "slow"}},
}
FAILING = document("failing", {"use": {"retries": {"slow": SLOW}}, "do": [{"ask": ASK}]})


async def at_rest(on: Standing, run_id: str) -> None:
    """Until the run waits and has left memory."""
    await until(lambda: not on.engine.kernel.executions)
    assert (await on.records.run(SCOPE, run_id)).status == "waiting"


async def make_due(on: Standing) -> None:
    """Let the hours pass: every timer is due now."""
    kernel = on.engine.kernel
    now = kernel.host.now
    hours = 6 * 3_600 * 1_000_000
    kernel.host.now = lambda: now() + hours
    kernel.timers._load()


async def test_a_run_that_waits_long_leaves_memory_and_goes_on_when_it_is_time(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        run_id = await on.start("long")
        await at_rest(on, run_id)
        assert [step for step, *_ in on.steering.calls] == ["do.before"]
        await make_due(on)
        assert (await on.engine.wait(SCOPE, run_id)).output == 2
        assert (await on.engine.histories.verify(SCOPE, run_id)).is_intact
        rows = await on.database.readers().query("SELECT count(*) FROM timers")
        assert rows[0][0] == 0


async def test_a_run_that_waits_goes_on_after_a_restart(tmp_path: Path) -> None:
    steering = Steering()
    async with standing(tmp_path, ALL, steering) as on:
        run_id = await on.start("long")
        await at_rest(on, run_id)
    async with standing(tmp_path, {}, steering) as on:
        assert on.engine.kernel.executions == {}
        await make_due(on)
        assert (await on.engine.wait(SCOPE, run_id)).output == 2
    assert [step for step, *_ in steering.calls] == ["do.before", "do.after"]


async def test_a_short_wait_is_over_no_earlier_than_it_says(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        run_id = await on.start("soon")
        assert (await on.engine.wait(SCOPE, run_id)).output == 2
        entries = await on.engine.histories.entries(SCOPE, run_id)
        (due,) = [command.due for entry in entries for command in entry.commands if command.kind == "timer"]
        (fired,) = [entry.at for entry in entries if entry.kind is InputKind.TIMER]
        assert fired >= due


async def test_a_suspended_run_lets_its_timer_pass_and_catches_up_when_resumed(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        run_id = await on.start("long")
        await at_rest(on, run_id)
        await on.engine.suspend(SCOPE, run_id, "ana")
        await make_due(on)
        assert (await on.run("soon")).output == 2
        assert [step for step, *_ in on.steering.calls].count("do.after") == 1
        await on.engine.resume(SCOPE, run_id, "ana")
        assert (await on.engine.wait(SCOPE, run_id)).output == 2


async def test_a_call_in_backoff_leaves_memory_and_tries_again_with_the_same_key(tmp_path: Path) -> None:
    async with standing(tmp_path, {"failing": FAILING}) as on:
        run_id = await on.start("failing")
        await at_rest(on, run_id)
        await make_due(on)
        assert (await on.engine.wait(SCOPE, run_id)).output == "done"
    assert [number for _, number, _ in on.steering.calls] == [1, 2]
    assert len({key for *_, key in on.steering.calls}) == 1


def test_a_run_stays_in_memory_only_for_a_short_wait() -> None:
    assert kernel_module.PASSIVATE_AFTER == 2_000_000
