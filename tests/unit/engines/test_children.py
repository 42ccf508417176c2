"""Child runs: awaited or not, missing, nested too deep, failing; their ids and traces are their parent's."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from counterpoint.ports.engine import StartRun
from counterpoint.ports.history import InputKind
from counterpoint.testing.conformance import Reply, Route
from counterpoint.testing.stub_http import StubHttp
from tests.unit.engines.standing import SCOPE, Steering, document, standing


def child(name: str, **more: Any) -> dict[str, Any]:
    """A task that runs a workflow of this namespace."""
    return {"run": {"workflow": {"namespace": "test", "name": name, "version": "1.0.0", **more}}}


ALL = {
    "leaf": document("leaf", {"do": [{"work": {"call": "t.echo", "with": {"value": "${ . }"}}}]}),
    "failing": document("failing", {"do": [{"only": {"call": "t.fail", "with": {"name": "x", "times": 1}}}]}),
    "waiting": document("waiting", {"do": [{"only": {"call": "t.keyed", "with": {"name": "x"}}}]}),
    "awaiting": document("awaiting", {"do": [{"ask": child("leaf", input={"a": "${ .n }"})}]}),
    "sending": document(
        "sending",
        {"do": [{"send": {"run": {"await": False, **child("waiting")["run"]}}}, {"end": {"set": {"x": 1}}}]},
    ),
    "lost": document("lost", {"do": [{"ask": child("nobody")}]}),
    "itself": document("itself", {"do": [{"ask": child("itself")}]}),
    "above": document(
        "above", {"do": [{"ask": child("failing")}, {"after": {"call": "t.echo", "with": {"value": 7}}}]}
    ),
    "guarded": document(
        "guarded",
        {
            "do": [
                {
                    "try": {
                        "try": [{"ask": child("failing")}],
                        "catch": {"as": "e", "do": [{"tell": {"set": {"status": "${ $e.status }"}}}]},
                    }
                }
            ]
        },
    ),
}  # fmt: skip


async def test_a_parent_gets_what_its_child_gave(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        run_id = await on.start("awaiting", {"n": 5})
        assert (await on.engine.wait(SCOPE, run_id)).output == {"a": 5}
        (record,) = await on.records.children(SCOPE, run_id)
        parent = await on.records.run(SCOPE, run_id)
        assert (record.parent_id, record.status, record.actor) == (run_id, "completed", "tester")
        assert record.correlation_id == parent.correlation_id
        assert record.trace_id == parent.trace_id


async def test_a_child_that_is_not_awaited_goes_on_without_its_parent(tmp_path: Path) -> None:
    steering = Steering()
    async with standing(tmp_path, ALL, steering) as on:
        run_id = await on.start("sending", {"in": 1})
        assert (await on.engine.wait(SCOPE, run_id)).output == {"x": 1}
        await steering.arrival("x").wait()
        (record,) = await on.records.children(SCOPE, run_id)
        assert record.status == "running"
        steering.gate("x").set()
        assert (await on.engine.wait(SCOPE, record.id)).status == "completed"


async def test_a_child_that_does_not_exist_is_a_fault_of_the_task_that_runs_it(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        result = await on.run("lost")
        assert result.status == "faulted"
        assert result.fault is not None
        assert result.fault.type.endswith("/configuration")
        assert result.fault.instance == "/do/0/ask"
        assert "nobody" in (result.fault.detail or "")


async def test_a_workflow_that_runs_itself_ends_at_the_limit(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        result = await on.run("itself")
        assert result.status == "faulted"
        assert result.fault is not None
        assert "nested deeper than 32" in (result.fault.detail or "")


async def test_the_fault_of_a_child_is_the_parents_and_can_be_caught_there(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        assert (await on.run("guarded")).output == {"status": 503}
        on.steering.failures.clear()
        result = await on.run("above")
        assert (result.status, result.fault is not None and result.fault.status) == ("faulted", 503)


async def test_a_retry_of_the_parent_retries_the_child_that_failed(tmp_path: Path) -> None:
    async with standing(tmp_path, ALL) as on:
        run_id = await on.start("above")
        assert (await on.engine.wait(SCOPE, run_id)).status == "faulted"
        await on.engine.retry(SCOPE, run_id, "ana")
        assert (await on.engine.wait(SCOPE, run_id)).output == 7
        (record,) = await on.records.children(SCOPE, run_id)
        assert record.status == "completed"
        kinds = [entry.kind for entry in await on.engine.histories.entries(SCOPE, run_id)]
        assert kinds.count(InputKind.RETRY) == 1
    attempts = [(step, number) for step, number, _ in on.steering.calls]
    assert attempts == [("do.only", 1), ("do.only", 2), ("do.after", 1)]


async def test_ids_given_at_the_start_reach_children_and_every_call(tmp_path: Path) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    async with StubHttp(
        [Route(method="GET", host="127.0.0.1", path="/ping", replies=[Reply(status=204)])]
    ) as stub:
        get = {"call": "http", "with": {"method": "get", "endpoint": f"http://127.0.0.1:{stub._port}/ping"}}
        documents = {
            "calling": document("calling", {"do": [{"get": get}, {"again": deepcopy(get)}]}),
            "outer": document("outer", {"do": [{"ask": child("calling")}]}),
        }
        async with standing(tmp_path, documents) as on:
            request = StartRun(
                "outer",
                None,
                "tester",
                correlation_id="order-7",
                traceparent=f"00-{trace}-b7ad6b7169203331-01",
            )
            started = await on.engine.start(SCOPE, request)
            result = await on.engine.wait(SCOPE, started.run_id)
            assert (result.status, result.fault) == ("completed", None)
            (record,) = await on.records.children(SCOPE, started.run_id)
            assert (record.correlation_id, record.trace_id) == ("order-7", trace)
    headers = [call.headers for call in stub.calls]
    assert [one["x-correlation-id"] for one in headers] == ["order-7", "order-7"]
    parents = [one["traceparent"] for one in headers]
    assert all(parent.startswith(f"00-{trace}-") for parent in parents)
    # Each attempt is a span of its own.
    assert len(set(parents)) == 2
