"""Letting stuck runs go on together: one first, then the rest at a rate."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from counterpoint.app.bulk import BulkProgress, BulkRetry, StuckControl
from counterpoint.core.values import Status
from counterpoint.errors import Conflict, InvalidRequest, NotFound
from counterpoint.ports.engine import RunEvent, RunResult
from tests.unit.app.conftest import Desk, cause
from tests.unit.app.histories import FAULTED, Script, at, attempt

STUCK = Script().started(attempt("create", "desk.create")).failed(1, "create", end=FAULTED)


class Crowd:
    """Some runs that are stuck for one cause, and a bulk retry whose pauses are written down."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.pauses: list[float] = []
        self.ids: list[str] = []

    async def gather(self, count: int, code: str = "fault") -> None:
        for _ in range(count):
            self.ids.append(await self.desk.run(STUCK.rows, "faulted", cause(code)))

    async def retry(self, **more: Any) -> list[BulkProgress]:
        ports = self.desk.ports

        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)

        control = StuckControl(ports.stuck, ports.records, ports.engine, ports.histories, pause)
        report = await control.groups("default")
        request = {"environment": "default", "group": report.groups[0].group, "actor": "os:bob", **more}
        return [progress async for progress in control.retry(BulkRetry(**request))]

    async def set_status(self, run_id: str, status: Status) -> None:
        await self.desk.house.write("UPDATE runs SET status = ? WHERE id = ?", [(int(status), run_id)])

    @property
    def retried(self) -> list[str]:
        return [run_id for _, run_id, _, _ in self.desk.engine.commands]


@pytest.fixture
def crowd(desk: Desk) -> Crowd:
    return Crowd(desk)


async def test_one_goes_first_and_the_rest_follows_at_the_rate_once_it_completed(crowd: Crowd) -> None:
    await crowd.gather(4)

    async def complete(verb: str, run_id: str, actor: str) -> None:
        await crowd.set_status(run_id, Status.COMPLETED)
        crowd.desk.engine.script_result(RunResult(run_id, "completed"))

    crowd.desk.engine.on_command = complete
    progress = await crowd.retry(rate=20)
    assert [item.kind for item in progress] == ["canary", "canaryPassed", *["retried"] * 3, "finished"]
    assert crowd.retried == crowd.ids
    assert crowd.pauses == [0.05] * 3
    assert (progress[-1].retried, progress[-1].refused) == (4, 0)


async def test_the_rest_is_left_alone_when_the_first_fails_the_same_way(crowd: Crowd) -> None:
    await crowd.gather(3)
    crowd.desk.engine.script_result(RunResult(crowd.ids[0], "faulted"))
    progress = await crowd.retry()
    assert [item.kind for item in progress] == ["canary", "canaryFailed"]
    assert crowd.retried == crowd.ids[:1]
    assert "failed the same way" in progress[-1].detail


async def test_the_first_passes_when_it_is_stuck_for_another_cause(crowd: Crowd) -> None:
    await crowd.gather(2)

    async def differ(verb: str, run_id: str, actor: str) -> None:
        sql = "UPDATE runs SET cause = ? WHERE id = ?"
        await crowd.desk.house.write(sql, [(cause("inDoubt"), run_id)])
        crowd.desk.engine.script_result(RunResult(run_id, "suspended"))

    crowd.desk.engine.on_command = differ
    assert [item.kind for item in await crowd.retry()][1] == "canaryPassed"
    assert crowd.retried == crowd.ids


async def test_the_first_passes_as_soon_as_its_step_is_done_although_the_run_goes_on(crowd: Crowd) -> None:
    await crowd.gather(2)
    crowd.desk.engine.script_event(RunEvent(crowd.ids[0], at(1), "attemptStarted", "create"))
    crowd.desk.engine.script_event(RunEvent(crowd.ids[0], at(2), "attemptEnded", "create", status="done"))
    progress = await crowd.retry()
    assert [item.kind for item in progress] == ["canary", "canaryPassed", "retried", "finished"]


async def test_a_step_that_was_done_before_watching_began_counts_too(crowd: Crowd) -> None:
    await crowd.gather(2)
    passed = Script().started(attempt("create", "desk.create")).done(1, "create")
    crowd.desk.histories.give(crowd.ids[0], passed.rows)
    assert [item.kind for item in await crowd.retry()][1] == "canaryPassed"


async def test_the_rest_is_left_alone_when_the_first_does_not_decide_in_time(crowd: Crowd) -> None:
    await crowd.gather(2)
    progress = await crowd.retry(canary_timeout_s=0)
    assert [item.kind for item in progress] == ["canary", "canaryUndecided"]
    assert crowd.retried == crowd.ids[:1]
    assert len(asyncio.all_tasks()) == 1


async def test_runs_that_somebody_else_let_go_on_meanwhile_are_counted_as_refused(crowd: Crowd) -> None:
    await crowd.gather(3)

    async def refuse(verb: str, run_id: str, actor: str) -> None:
        if run_id == crowd.ids[1]:
            raise Conflict("the run did not fault")

    crowd.desk.engine.on_command = refuse
    crowd.desk.engine.script_event(RunEvent(crowd.ids[0], at(2), "attemptEnded", "create", status="done"))
    progress = await crowd.retry()
    assert [item.kind for item in progress[2:]] == ["refused", "retried", "finished"]
    assert (progress[-1].retried, progress[-1].refused) == (2, 1)


async def test_a_limit_bounds_all_of_it(crowd: Crowd) -> None:
    await crowd.gather(5)
    crowd.desk.engine.script_event(RunEvent(crowd.ids[0], at(2), "attemptEnded", "create", status="done"))
    progress = await crowd.retry(limit=3)
    assert (progress[-1].kind, progress[-1].retried) == ("finished", 3)
    assert crowd.retried == crowd.ids[:3]


async def test_only_runs_of_the_named_cause_go_on(crowd: Crowd) -> None:
    await crowd.gather(2)
    other = await crowd.desk.run(STUCK.rows, "suspended", cause("inDoubt"))
    crowd.desk.engine.script_event(RunEvent(crowd.ids[0], at(2), "attemptEnded", "create", status="done"))
    await crowd.retry()
    assert other not in crowd.retried


@pytest.mark.parametrize("rate", [0, -1, 1001, float("nan")])
async def test_a_rate_outside_its_bounds_is_refused_before_anything_goes_on(
    crowd: Crowd, rate: float
) -> None:
    await crowd.gather(1)
    with pytest.raises(InvalidRequest):
        await crowd.retry(rate=rate)
    assert crowd.retried == []


async def test_an_unknown_cause_is_not_found(crowd: Crowd) -> None:
    await crowd.gather(1)
    with pytest.raises(NotFound):
        await crowd.retry(group="000000000000")


async def test_the_report_has_where_why_and_next_of_each_group(desk: Desk) -> None:
    await desk.run([], "faulted", cause())
    report = await desk.call("runs.stuck")
    assert report["isComplete"]
    group = report["groups"][0]
    assert (group["count"], group["task"], group["status"]) == (1, "create", 503)
    assert group["why"].startswith("It failed")
