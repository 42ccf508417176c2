"""Control of runs on the real engine: cancel, suspend, resume, retry, admission."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from counterpoint.core.values import Status
from counterpoint.errors import Conflict, NotFound
from counterpoint.ports.engine import StartRun
from counterpoint.ports.history import InputKind
from tests.unit.engines.standing import SCOPE, Standing, Steering, document, standing

WAITING = document(
    "waiting",
    {
        "do": [
            {"first": {"call": "t.wait_for", "with": {"name": "${ .name }"}}},
            {"second": {"call": "t.echo", "with": {"value": "after"}}},
        ]
    },
)
FAILING = document("failing", {"do": [{"only": {"call": "t.fail", "with": {"name": "x", "times": 1}}}]})
RAISING = document(
    "raising", {"do": [{"only": {"raise": {"error": {"type": "https://example.com/e", "status": 400}}}}]}
)
PAUSING = document(
    "pausing",
    {"do": [{"only": {"call": "t.fail", "with": {"name": "p", "times": 1}}}]},
    {"onFault": "pause"},
)
SLEEPING = document("sleeping", {"do": [{"nap": {"wait": {"hours": 1}}}]})
PARENT = document(
    "parent",
    {"do": [{"child": {"run": {"workflow": {"namespace": "test", "name": "waiting", "version": "1.0.0"}}}}]},
)
ONCE = document(
    "once", {"do": [{"only": {"call": "t.echo", "with": {"value": 1}}}]}, {"startKey": "${ .key }"}
)
GATED = document(
    "gated",
    {"do": [{"only": {"call": "t.wait_for", "with": {"name": "${ .name }"}}}]},
    {"concurrency": {"limit": 1, "key": "${ .tenant }"}},
)
ALL = {
    "waiting": WAITING, "failing": FAILING, "raising": RAISING, "pausing": PAUSING, "sleeping": SLEEPING,
    "parent": PARENT, "once": ONCE, "gated": GATED,
}  # fmt: skip


async def status_of(on: Standing, run_id: str) -> str:
    record = await on.records.run(SCOPE, run_id)
    return record.status


async def result_of(on: Standing, run_id: str) -> None:
    """Wait until the result of an attempt is on disk."""
    while InputKind.RESULT not in await kinds_of(on, run_id):  # noqa: ASYNC110 - the disk gives no signal
        await asyncio.sleep(0)


async def kinds_of(on: Standing, run_id: str) -> list[InputKind]:
    return [entry.kind for entry in await on.engine.histories.entries(SCOPE, run_id)]


async def test_a_cancelled_run_calls_nothing_more_and_says_who_cancelled_it(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        run_id = await on.start("waiting", {"name": "a"})
        await on.steering.arrival("a").wait()
        await on.engine.cancel(SCOPE, run_id, "ana", "no longer needed")
        result = await on.engine.wait(SCOPE, run_id)
        on.steering.gate("a").set()
        assert result.status == "cancelled"
        assert [step for step, *_ in on.steering.calls] == ["do.first"]
        last = (await on.engine.histories.entries(SCOPE, run_id))[-1]
        assert (last.kind, last.actor, last.payload["reason"]) == (
            InputKind.CANCEL,
            "ana",
            "no longer needed",
        )
        audit = await on.records.audit(SCOPE)
        assert (audit[0].action, audit[0].actor, audit[0].target) == ("runs.cancel", "ana", f"run/{run_id}")


async def test_a_run_that_ended_cannot_be_cancelled_suspended_or_resumed(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        run_id = await on.start("raising")
        await on.engine.wait(SCOPE, run_id)
        with pytest.raises(Conflict):
            await on.engine.cancel(SCOPE, run_id, "ana")
        with pytest.raises(Conflict):
            await on.engine.suspend(SCOPE, run_id, "ana")
        with pytest.raises(Conflict):
            await on.engine.resume(SCOPE, run_id, "ana")
        with pytest.raises(NotFound):
            await on.engine.cancel(SCOPE, "no-such-run", "ana")


async def test_nothing_follows_a_suspension_until_the_run_is_resumed(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        run_id = await on.start("waiting", {"name": "a"})
        await on.steering.arrival("a").wait()
        await on.engine.suspend(SCOPE, run_id, "ana", "checking")
        assert (await on.engine.wait(SCOPE, run_id)).status == "suspended"
        on.steering.gate("a").set()
        await result_of(on, run_id)
        assert [step for step, *_ in on.steering.calls] == ["do.first"]
        assert await status_of(on, run_id) == "suspended"
        await on.engine.resume(SCOPE, run_id, "ana")
        assert (await on.engine.wait(SCOPE, run_id)).output == "after"
        assert (await on.engine.histories.verify(SCOPE, run_id)).is_intact


async def test_a_suspended_run_stays_suspended_over_a_restart(tmp_path: Path) -> None:
    steering = Steering()
    async with standing(tmp_path, ALL, steering) as on:
        run_id = await on.start("sleeping")
        await on.engine.suspend(SCOPE, run_id, "ana")
    async with standing(tmp_path, ALL, steering) as on:
        assert await status_of(on, run_id) == "suspended"
        await on.engine.resume(SCOPE, run_id, "ana")
        assert await status_of(on, run_id) == Status.WAITING.word


async def test_a_retry_goes_on_with_the_same_run_and_the_same_key(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        run_id = await on.start("failing")
        assert (await on.engine.wait(SCOPE, run_id)).status == "faulted"
        await on.engine.retry(SCOPE, run_id, "ana")
        assert (await on.engine.wait(SCOPE, run_id)).output == "done"
        attempts = [(step, number) for step, number, _ in on.steering.calls]
        assert attempts == [("do.only", 1), ("do.only", 2)]
        assert len({key for *_, key in on.steering.calls}) == 1


async def test_a_fault_of_the_document_itself_cannot_be_retried(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        run_id = await on.start("raising")
        await on.engine.wait(SCOPE, run_id)
        with pytest.raises(Conflict, match="would end the same way"):
            await on.engine.retry(SCOPE, run_id, "ana")


async def test_a_run_that_pauses_on_a_fault_goes_on_when_resumed(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        run_id = await on.start("pausing")
        result = await on.engine.wait(SCOPE, run_id)
        assert (result.status, result.cause) == ("suspended", "fault")
        record = await on.records.run(SCOPE, run_id)
        assert record.cause is not None
        assert {"where", "why", "next"} <= record.cause.keys()
        await on.engine.resume(SCOPE, run_id, "ana")
        assert (await on.engine.wait(SCOPE, run_id)).status == "completed"


async def test_cancelling_a_parent_cancels_the_child_that_it_awaits(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        run_id = await on.start("parent", {"name": "c"})
        await on.steering.arrival("c").wait()
        child = (await on.records.children(SCOPE, run_id))[0]
        await on.engine.cancel(SCOPE, run_id, "ana")
        assert (await on.engine.wait(SCOPE, child.id)).status == "cancelled"


async def test_a_start_key_names_one_run_also_after_a_restart_and_for_two_at_once(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        request = StartRun("once", {"key": "k"}, "tester")
        both = await asyncio.gather(*(on.engine.start(SCOPE, request) for _ in range(2)))
        assert [started.is_new for started in both].count(True) == 1
        assert both[0].run_id == both[1].run_id
        assert (await on.engine.wait(SCOPE, both[0].run_id)).status == "completed"
    async with standing(tmp_path, ALL) as on:
        again = await on.engine.start(SCOPE, request)
        assert (again.run_id, again.is_new) == (both[0].run_id, False)


async def test_a_concurrency_limit_holds_per_key_and_lets_the_next_one_in(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        first = await on.start("gated", {"tenant": "a", "name": "1"})
        second = await on.start("gated", {"tenant": "a", "name": "2"})
        other = await on.start("gated", {"tenant": "b", "name": "3"})
        await on.steering.arrival("1").wait()
        await on.steering.arrival("3").wait()
        assert await status_of(on, second) == "pending"
        assert not on.steering.arrival("2").is_set()
        on.steering.gate("1").set()
        await on.steering.arrival("2").wait()
        for name in ("2", "3"):
            on.steering.gate(name).set()
        results: list[Any] = [await on.engine.wait(SCOPE, run) for run in (first, second, other)]
        assert [result.status for result in results] == ["completed"] * 3


async def test_a_pending_run_is_let_in_after_a_restart_and_can_be_cancelled_before(tmp_path: Path) -> None:
    steering = Steering()
    async with standing(tmp_path, ALL, steering) as on:
        await on.start("gated", {"tenant": "a", "name": "1"})
        second = await on.start("gated", {"tenant": "a", "name": "2"})
        third = await on.start("gated", {"tenant": "a", "name": "3"})
        await on.engine.cancel(SCOPE, second, "ana")
    steering.gate("1").set()
    steering.gate("3").set()
    async with standing(tmp_path, ALL, steering) as on:
        assert (await on.engine.wait(SCOPE, third)).status == "completed"
        assert (await on.engine.wait(SCOPE, second)).status == "cancelled"


async def test_a_watcher_sees_the_past_and_the_rest_in_order(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        run_id = await on.start("waiting", {"name": "a"})
        await on.steering.arrival("a").wait()
        seen: list[str] = []
        async for event in on.engine.watch(SCOPE, run_id):
            seen.append(f"{event.kind} {event.task}".strip())
            on.steering.gate("a").set()
        middle = ["attemptStarted first", "attemptEnded", "attemptStarted second", "attemptEnded"]
        assert seen == ["runStarted", *middle, "runEnded"]
