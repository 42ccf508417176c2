"""Suspend, resume, cancel and retry through the engine's port, while calls and children are under way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest

from counterpoint.core.values import JsonValue, Scope
from counterpoint.errors import Conflict, NotFound
from counterpoint.ports.engine import RunEvent, RunResult, StartRun
from counterpoint.testing.conformance import NAMESPACE, Behaviour, Reply, Route
from counterpoint.testing.stand_ins import StandIns
from counterpoint.testing.stub_http import StubHttp
from counterpoint.testing.virtual_loop import VirtualLoop
from tests.conformance.embedded_runner import ACTOR, EmbeddedRunner
from tests.conformance.surroundings import http_target

SCOPE = Scope(NAMESPACE)


def document(name: str, *tasks: dict[str, JsonValue]) -> str:
    """Text of a document with these tasks."""
    header = {"dsl": "1.0.3", "namespace": NAMESPACE, "name": name, "version": "1.0.0"}
    return msgspec.json.encode({"document": header, "do": list(tasks)}).decode()


def call(name: str, action: str = "gate.pass", **arguments: JsonValue) -> dict[str, JsonValue]:
    """A task that calls a function."""
    return {name: {"call": action, "with": arguments}}


class Stage:
    """An engine, a function that waits behind a gate, and shortcuts to what the tests ask."""

    def __init__(self, loop: VirtualLoop, runner: EmbeddedRunner) -> None:
        self._loop = loop
        self.runner = runner
        self.engine = runner.engine
        self.gate = asyncio.Event()
        self.stand_ins = StandIns(
            {"gate.pass": [Behaviour(hang=True, echo=True)], "echo.args": [Behaviour(echo=True)]},
            forever=self.gate.wait,
        )
        runner.surround(self.stand_ins)

    def do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Result of a coroutine, once everything rests again."""

        async def settled() -> Any:
            result = await coroutine
            await self.runner.settle()
            return result

        return self._loop.run_until_complete(settled())

    def start(self, text: str, value: JsonValue = None) -> str:
        """Deploy a document and start it; the id of the run, which rests."""
        (scope, name, version), _ = self.do(self.runner.deploy(text))
        started = self.do(self.engine.start(scope, StartRun(name, value, ACTOR, version)))
        run_id: str = started.run_id
        return run_id

    def status(self, run: str) -> str:
        """Stored status of a run."""
        status: str = self.do(self.runner.records.run(SCOPE, run)).status
        return status

    def result(self, run: str) -> RunResult:
        """How the run ended."""
        result: RunResult = self.do(self.engine.wait(SCOPE, run))
        return result

    def children(self, run: str) -> list[str]:
        """Ids of the run's children."""
        return [child.id for child in self.do(self.runner.records.children(SCOPE, run))]

    def open_gate(self) -> None:
        """Let what waits there go on."""
        self.gate.set()
        self.do(self.runner.settle())


@pytest.fixture
def stage(loop: VirtualLoop, embedded: EmbeddedRunner) -> Stage:
    return Stage(loop, embedded)


def test_a_call_under_way_ends_while_its_run_is_suspended_and_nothing_follows(stage: Stage) -> None:
    run = stage.start(document("suspended-call", call("a", n=1), call("b", "echo.args", n=2)))
    assert stage.status(run) == "running"
    stage.do(stage.engine.suspend(SCOPE, run, ACTOR))
    stage.open_gate()
    assert stage.status(run) == "suspended"
    assert [made.arguments for made in stage.stand_ins.calls] == [{"n": 1}]
    stage.do(stage.engine.resume(SCOPE, run, ACTOR))
    assert stage.result(run).status == "completed"
    assert [made.arguments for made in stage.stand_ins.calls] == [{"n": 1}, {"n": 2}]


def test_cancel_interrupts_a_call_under_way(stage: Stage) -> None:
    run = stage.start(document("cancelled-call", call("a"), call("b", "echo.args")))
    stage.do(stage.engine.cancel(SCOPE, run, ACTOR, "no longer wanted"))
    assert stage.status(run) == "cancelled"
    assert stage.stand_ins.hanging == 0
    stage.open_gate()
    assert [made.action for made in stage.stand_ins.calls] == ["gate.pass"]


def test_a_cancelled_run_has_neither_output_nor_fault(stage: Stage) -> None:
    run = stage.start(document("cancelled-result", {"a": {"set": {"x": 1}}}, {"b": {"wait": "PT1H"}}))
    stage.do(stage.engine.cancel(SCOPE, run, ACTOR))
    result = stage.result(run)
    assert (result.status, result.output, result.fault) == ("cancelled", None, None)


def test_cancelling_a_run_cancels_the_child_it_awaits_and_no_other(stage: Stage) -> None:
    child = {"namespace": NAMESPACE, "name": "waiting-child", "version": "1.0.0"}
    stage.do(stage.runner.deploy(document("waiting-child", {"w": {"wait": "PT1H"}})))
    parent = document(
        "parent",
        {"detached": {"run": {"workflow": child, "await": False}}},
        {"awaited": {"run": {"workflow": child}}},
    )
    run = stage.start(parent)
    detached, awaited = stage.children(run)
    stage.do(stage.engine.cancel(SCOPE, run, ACTOR))
    assert [stage.status(each) for each in (run, detached, awaited)] == ["cancelled", "waiting", "cancelled"]
    stage.do(stage.engine.cancel(SCOPE, detached, ACTOR))


def test_a_cancelled_child_is_an_error_of_its_parent(stage: Stage) -> None:
    child = {"namespace": NAMESPACE, "name": "lonely-child", "version": "1.0.0"}
    stage.do(stage.runner.deploy(document("lonely-child", {"w": {"wait": "PT1H"}})))
    caught = {"catch": {"do": [{"c": {"set": {"caught": True}}}]}}
    run = stage.start(
        document("parent-of-one", {"t": {"try": [{"a": {"run": {"workflow": child}}}], **caught}})
    )
    stage.do(stage.engine.cancel(SCOPE, stage.children(run)[0], ACTOR))
    result = stage.result(run)
    assert (result.status, result.output) == ("completed", {"caught": True})


def test_control_of_a_run_that_has_ended_is_a_conflict(stage: Stage) -> None:
    run = stage.start(document("ended", {"a": {"set": {"x": 1}}}))
    assert stage.status(run) == "completed"
    for refused in (stage.engine.cancel, stage.engine.suspend, stage.engine.resume, stage.engine.retry):
        with pytest.raises(Conflict):
            stage.do(refused(SCOPE, run, ACTOR))


def test_control_that_changes_nothing_is_a_conflict(stage: Stage) -> None:
    run = stage.start(document("twice", {"a": {"wait": "PT1H"}}))
    with pytest.raises(Conflict):
        stage.do(stage.engine.resume(SCOPE, run, ACTOR))
    stage.do(stage.engine.suspend(SCOPE, run, ACTOR))
    with pytest.raises(Conflict):
        stage.do(stage.engine.suspend(SCOPE, run, ACTOR))
    stage.do(stage.engine.cancel(SCOPE, run, ACTOR))


def test_control_of_an_unknown_run_finds_nothing(stage: Stage) -> None:
    for refused in (stage.engine.cancel, stage.engine.suspend, stage.engine.resume, stage.engine.retry):
        with pytest.raises(NotFound):
            stage.do(refused(SCOPE, "0" * 26, ACTOR))


def test_control_of_a_run_of_another_namespace_finds_nothing(stage: Stage) -> None:
    run = stage.start(document("mine", {"a": {"wait": "PT1H"}}))
    with pytest.raises(NotFound):
        stage.do(stage.engine.cancel(Scope("another"), run, ACTOR))
    assert stage.status(run) == "waiting"
    stage.do(stage.engine.cancel(SCOPE, run, ACTOR))


def test_a_watcher_is_told_of_suspension_resumption_and_end(stage: Stage) -> None:
    run = stage.start(document("watched", {"a": {"wait": "PT1H"}}))
    told: list[RunEvent] = []

    async def watch() -> None:
        async for event in stage.engine.watch(SCOPE, run):
            told.append(event)

    async def control() -> None:
        watcher = asyncio.ensure_future(watch())
        await stage.runner.settle()
        await stage.engine.suspend(SCOPE, run, ACTOR)
        await stage.engine.resume(SCOPE, run, ACTOR)
        await stage.runner.pass_time(SCOPE, [run])
        await watcher

    stage.do(control())
    kinds = [event.kind for event in told]
    order = [kinds.index(kind) for kind in ("runSuspended", "runResumed", "timerFired", "runEnded")]
    assert order == sorted(order), kinds


def test_a_retry_continues_the_same_run_with_the_same_key(stage: Stage) -> None:
    post = {"call": "http", "with": {"method": "post", "endpoint": "https://api.example.com/orders"}}
    text = document("retried", call("a", "echo.args", n=1), {"b": post})
    replies = [Reply(status=422), Reply(status=201, body={"made": True})]

    async def with_http() -> tuple[str, str, list[str]]:
        routes = [Route(method="POST", host="api.example.com", path="/orders", replies=replies)]
        async with StubHttp(routes) as stub:
            http = http_target(stub)
            stand_ins = StandIns({"echo.args": [Behaviour(echo=True)]}, http)
            stage.runner.surround(stand_ins)
            (scope, name, version), _ = await stage.runner.deploy(text)
            run = (await stage.engine.start(scope, StartRun(name, None, ACTOR, version))).run_id
            first = await stage.engine.wait(scope, run)
            await stage.engine.retry(scope, run, ACTOR)
            second = await stage.engine.wait(scope, run)
            await http.close()
            assert len(stand_ins.calls) == 1, "a completed step never runs again"
            return first.status, second.status, [made.headers["idempotency-key"] for made in stub.calls]

    first, second, keys = stage.do(with_http())
    assert (first, second) == ("faulted", "completed")
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_fault_that_the_document_raised_cannot_be_retried(stage: Stage) -> None:
    error = {"type": "https://example.com/errors/e", "status": 400}
    run = stage.start(document("raised", {"a": {"raise": {"error": error}}}))
    assert stage.status(run) == "faulted"
    with pytest.raises(Conflict):
        stage.do(stage.engine.retry(SCOPE, run, ACTOR))
