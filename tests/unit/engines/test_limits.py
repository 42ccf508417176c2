"""Limits of a run, and bugs of actions: a clear fault each time, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from counterpoint.core.values import MAX_DEPTH, MAX_PARTS, MAX_VALUE_BYTES
from counterpoint.engines.embedded import context, records
from counterpoint.engines.embedded.pool import AttemptPool
from counterpoint.errors import FaultRaised, LimitExceeded
from counterpoint.ports.connectors import Attempt, AttemptResult, Verdict
from counterpoint.ports.engine import StartRun
from tests.unit.engines.standing import SCOPE, Steering, document, standing, until


def deep(levels: int) -> Any:
    """A value nested so many levels."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


ALL = {
    "echo": document("echo", {"do": [{"ask": {"call": "t.echo", "with": {"value": "${ . }"}}}]}),
    "bug": document("bug", {"do": [{"ask": {"call": "t.bug", "with": {"kind": "${ . }"}}}]}),
    "holding": document("holding", {"do": [{"ask": {"call": "t.wait_for", "with": {"name": "${ . }"}}}]}),
    "many": document(
        "many",
        {"do": [{"a": {"for": {"each": "i", "in": "${ [range(40)] }"}, "do": [{"b": {"call": "t.echo"}}]}}]},
    ),
    "wrapped": document(
        "wrapped",
        {"do": [{"w": {"set": {"v": "${ . }"}}}, {"ask": {"call": "t.echo", "with": {"value": "${ . }"}}}]},
    ),
    "unknown": document("unknown", {"do": [{"ask": {"call": "t.nothing", "with": {"value": 1}}}]}),
}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("x" * (MAX_VALUE_BYTES + 1), "larger than"),
        (["é" * 100] * (MAX_VALUE_BYTES // 202 + 10), "larger than"),
        ([1] * (MAX_PARTS + 1), "parts"),
        (deep(MAX_DEPTH + 1), "nested deeper"),
    ],
    ids=["long text", "many bytes", "many parts", "deep"],
)
async def test_an_input_beyond_a_limit_is_refused_before_anything_is_stored(
    tmp_path: Path, value: Any, why: str
) -> None:
    async with standing(tmp_path, ALL) as on:
        with pytest.raises(FaultRaised, match=why):
            await on.start("echo", value)
        rows = await on.database.readers().query("SELECT count(*) FROM runs")
        assert rows[0][0] == 0


async def test_a_value_that_grows_too_deep_inside_the_run_faults_at_the_call(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        assert (await on.run("wrapped", deep(MAX_DEPTH - 3))).status == "completed"
        result = await on.run("wrapped", deep(MAX_DEPTH - 1))
        assert result.status == "faulted"
        assert result.fault is not None
        assert (result.fault.status, result.fault.instance) == (500, "/do/1/ask")
        assert "nested deeper" in (result.fault.detail or "")


async def test_a_run_with_too_many_rows_faults_and_its_history_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MAX_ROWS", 30)
    async with standing(tmp_path, ALL) as on:
        run_id = await on.start("many")
        result = await on.engine.wait(SCOPE, run_id)
        assert result.status == "faulted"
        assert result.fault is not None
        assert "30 rows" in (result.fault.detail or "")
        assert (await on.engine.histories.verify(SCOPE, run_id)).is_intact


@pytest.mark.parametrize("kind", ["value", "exit", "object"])
async def test_a_bug_of_an_action_is_a_fault_of_its_run_alone(tmp_path: Path, kind: str) -> None:
    async with standing(tmp_path, ALL) as on:
        result = await on.run("bug", kind)
        assert result.status == "faulted"
        assert result.fault is not None
        assert result.fault.type.endswith("/runtime")
        assert result.fault.instance == "/do/0/ask"
        assert (await on.run("echo", 1)).output == 1


async def test_an_action_that_nobody_registered_is_a_configuration_fault(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        result = await on.run("unknown")
        assert result.fault is not None
        assert result.fault.type.endswith("/configuration")


async def test_a_bug_of_the_interpreter_faults_its_run_and_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async with standing(tmp_path, ALL) as on:

        def broken(*_: Any) -> Any:
            raise KeyError("something of ours")

        with monkeypatch.context() as patch:
            patch.setattr(context.EmbeddedContext, "call", broken)
            result = await on.run("echo", 1)
        assert result.status == "faulted"
        assert result.fault is not None
        assert "Internal error: KeyError" in (result.fault.detail or "")
        assert (await on.run("echo", 2)).output == 2
    assert "interpreter failed" in "".join(capfd.readouterr())


async def test_an_action_that_waits_holds_up_nobody(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        held = [await on.start("holding", f"h{number}") for number in range(20)]
        for number in range(20):
            await on.steering.arrival(f"h{number}").wait()
        assert (await on.run("echo", 1)).output == 1
        for number in range(20):
            on.steering.gate(f"h{number}").set()
        results = [await on.engine.wait(SCOPE, run_id) for run_id in held]
        assert [result.output for result in results] == [f"h{number}" for number in range(20)]


async def test_a_cancelled_run_interrupts_its_attempt(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        run_id = await on.start("holding", "h")
        await on.steering.arrival("h").wait()
        (execution,) = on.engine.kernel.executions.values()
        (call,) = execution.calls.values()
        task = call.handle.task
        await on.engine.cancel(SCOPE, run_id, "ana")
        assert (await on.engine.wait(SCOPE, run_id)).status == "cancelled"
        await until(lambda: call.handle is None and not task.cancelling())
        assert (await on.run("echo", 1)).output == 1


class Scripted:
    """Connectors whose attempts wait until they are let go."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gate = asyncio.Event()

    async def perform(self, attempt: Attempt) -> AttemptResult:
        self.begun.append(attempt.step)
        await self.gate.wait()
        return AttemptResult(Verdict.DONE, attempt.step)


def attempt(step: str) -> Attempt:
    """An attempt of a step."""
    invocation = context.Invocation("t.x", {}, "", "")
    return Attempt(SCOPE, "run", "w", step, 1, invocation, "key", "Idempotency-Key", "c", "t")


async def test_attempts_beyond_the_limit_wait_in_line_and_a_cancelled_one_never_begins() -> None:
    scripted = Scripted()
    pool = AttemptPool(scripted, max_tasks=2)  # type: ignore[arg-type]
    done: list[str] = []
    finish: Callable[[AttemptResult], None] = lambda result: done.append(result.value)  # noqa: E731
    jobs = [pool.submit(attempt(name), finish) for name in ("a", "b", "c", "d")]
    await until(lambda: len(scripted.begun) == 2)
    jobs[2].cancel()
    scripted.gate.set()
    await until(lambda: len(done) == 3)
    assert (scripted.begun, sorted(done)) == (["a", "b", "d"], ["a", "b", "d"])
    await pool.close()


async def test_too_many_open_runs_are_refused(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL, Steering()) as on:
        on.engine.kernel.admission.max_open = 1
        await on.start("holding", "h")
        with pytest.raises(LimitExceeded, match="open in memory"):
            await on.engine.start(SCOPE, StartRun("echo", 1, "tester"))
