"""Starting and steering runs."""

from __future__ import annotations

from typing import Any

import pytest

from counterpoint.app.inputs import MAX_INPUT_BYTES
from counterpoint.core.values import MAX_DEPTH
from counterpoint.errors import Conflict, InvalidRequest, LimitExceeded, NotFound
from counterpoint.ports.engine import RunResult
from tests.unit.app.conftest import TICKETS, Desk, cause
from tests.unit.app.histories import Script


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


async def test_a_run_is_started_by_bare_or_full_name_with_its_actor(desk: Desk) -> None:
    await desk.call("workflows.deploy", text=TICKETS)
    answer = await desk.call("runs.start", "ci", workflow="tickets", input={"a": 1})
    assert answer == {"runId": "run-000001", "isNew": True}
    await desk.call("runs.start", workflow="support/tickets", version="1.0.0", correlationId="c-1")
    (scope, first), (_, second) = desk.engine.starts
    assert (scope.namespace, first.workflow, first.actor, first.input) == (
        "support",
        "tickets",
        "ci",
        {"a": 1},
    )
    assert (second.workflow, second.version, second.correlation_id) == ("tickets", "1.0.0", "c-1")


async def test_a_name_that_several_namespaces_have_must_be_said_in_full(desk: Desk) -> None:
    await desk.call("workflows.deploy", text=TICKETS)
    await desk.call("workflows.deploy", text=TICKETS.replace("namespace: support", "namespace: sales"))
    with pytest.raises(InvalidRequest) as unclear:
        await desk.call("runs.start", workflow="tickets")
    assert "sales/tickets, support/tickets" in unclear.value.hint


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (float("nan"), "/"),
        ({"a": [1, float("inf")]}, "/a/1"),
        ({"a": {1: 2}}, "/a"),
        ({"x/y": {1, 2}}, "/x~1y"),
        ([2**64], "/0"),
        ([-(2**63) - 1], "/0"),
    ],
)
async def test_an_input_that_is_not_json_is_refused_with_its_place(
    desk: Desk, value: Any, place: str
) -> None:
    await desk.call("workflows.deploy", text=TICKETS)
    with pytest.raises(InvalidRequest, match=f"not JSON: {place}:"):
        await desk.call("runs.start", workflow="tickets", input=value)
    assert desk.engine.starts == []


async def test_an_input_at_the_limits_is_taken_and_one_beyond_is_refused(desk: Desk) -> None:
    await desk.call("workflows.deploy", text=TICKETS)
    for value in (nested(MAX_DEPTH), "x" * (MAX_INPUT_BYTES - 2), [2**64 - 1, -(2**63), None, True, 0.5]):
        await desk.call("runs.start", workflow="tickets", input=value)
    for value in (nested(MAX_DEPTH + 1), nested(50_000), "x" * (MAX_INPUT_BYTES - 1)):
        with pytest.raises(LimitExceeded):
            await desk.call("runs.start", workflow="tickets", input=value)
    assert len(desk.engine.starts) == 3


async def test_commands_reach_the_engine_with_actor_and_reason_by_prefix(desk: Desk) -> None:
    run_id = await desk.run(Script().started().rows, "running")
    await desk.call("runs.cancel", "os:bob", id=run_id[:12], reason="no longer needed")
    await desk.call("runs.suspend", "os:bob", id=run_id)
    assert desk.engine.commands == [
        ("cancel", run_id, "os:bob", "no longer needed"),
        ("suspend", run_id, "os:bob", ""),
    ]


async def test_resume_is_for_suspended_runs_only(desk: Desk) -> None:
    paused = await desk.run([], "suspended", cause("operator"))
    assert (await desk.call("runs.resume", id=paused))["id"] == paused
    faulted = await desk.run([], "faulted", cause())
    with pytest.raises(Conflict) as refused:
        await desk.call("runs.resume", id=faulted)
    assert "runs retry" in refused.value.hint


async def test_retry_resumes_what_an_operator_suspended_and_retries_what_failed(desk: Desk) -> None:
    paused = await desk.run([], "suspended", cause("operator"))
    faulted = await desk.run([], "faulted", cause())
    await desk.call("runs.retry", id=paused)
    await desk.call("runs.retry", id=faulted)
    assert [(verb, run) for verb, run, _, _ in desk.engine.commands] == [
        ("resume", paused),
        ("retry", faulted),
    ]


async def test_wait_gives_the_result_in_camel_case(desk: Desk) -> None:
    run_id = await desk.run([])
    desk.engine.script_result(RunResult(run_id, "completed", {"some_key": 1}))
    assert await desk.call("runs.wait", id=run_id) == {
        "runId": run_id,
        "status": "completed",
        "output": {"some_key": 1},
    }


async def test_a_list_of_an_unknown_workflow_is_not_an_empty_list(desk: Desk) -> None:
    run_id = await desk.run([])
    page = await desk.call("runs.list", workflow="tickets")
    assert [run["id"] for run in page["items"]] == [run_id]
    assert page["next"] == ""
    with pytest.raises(NotFound):
        await desk.call("runs.list", workflow="tikets")
