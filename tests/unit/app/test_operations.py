"""The one door: who may pass, with what, and what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from counterpoint.app import Operations
from counterpoint.app.operations import Operation
from counterpoint.app.params import Nothing
from counterpoint.errors import InvalidRequest, NotAuthenticated, NotFound
from counterpoint.ports.engine import RunEvent
from tests.unit.app.conftest import Desk
from tests.unit.app.histories import Script, at

EXPECTED = {
    "workflows.deploy", "workflows.validate", "workflows.list", "workflows.show", "runs.start", "runs.wait",
    "runs.list", "runs.show", "runs.watch", "runs.explain", "runs.effects", "runs.history", "runs.verify",
    "runs.cancel", "runs.suspend", "runs.resume", "runs.retry", "runs.stuck", "runs.retryBulk", "actors.add",
    "actors.disable", "actors.list", "audit.list", "backup.create", "doctor.run", "system.info",
}  # fmt: skip

STREAMS = {"runs.watch", "runs.retryBulk", "backup.create"}


def test_the_table_holds_every_operation_and_says_which_are_streams(desk: Desk) -> None:
    assert set(desk.operations.names) == EXPECTED
    assert {name for name in desk.operations.names if desk.operations.is_stream(name)} == STREAMS


@pytest.mark.parametrize("name", sorted(EXPECTED))
async def test_nobody_passes_without_an_actor(desk: Desk, name: str) -> None:
    ask = desk.stream if name in STREAMS else desk.call
    for actor in ("", "x" * 201):
        with pytest.raises(NotAuthenticated):
            await ask(name, actor)


async def test_an_unknown_operation_is_answered_with_the_nearest(desk: Desk) -> None:
    with pytest.raises(NotFound) as unknown:
        await desk.call("runs.lst")
    assert "runs.list" in unknown.value.hint


async def test_all_problems_of_the_parameters_are_told_at_once_in_words(desk: Desk) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await desk.call("runs.history", limit="ten", aftr=3)
    problems = {problem.pointer: problem for problem in refused.value.problems}
    assert set(problems) == {"/limit", "/aftr", "/id"}
    assert problems["/limit"].message == "`limit` must be a whole number, not text"
    assert problems["/aftr"].hint == "Did you mean `after`?"
    assert problems["/id"].message == "`id` is missing"


async def test_a_stream_is_no_call_and_a_call_is_no_stream(desk: Desk) -> None:
    run_id = await desk.run([])
    with pytest.raises(InvalidRequest):
        await desk.call("runs.watch", id=run_id)
    with pytest.raises(InvalidRequest):
        await desk.stream("runs.show", id=run_id)


async def test_watching_gives_events_until_the_engine_ends_them(desk: Desk) -> None:
    run_id = await desk.run(Script().started().rows, "running")
    desk.engine.script_event(RunEvent(run_id, at(1), "attemptStarted", "create", number=1))
    desk.engine.script_end(run_id)
    assert await desk.stream("runs.watch", id=run_id) == [
        {"runId": run_id, "at": at(1), "kind": "attemptStarted", "step": "create", "number": 1}
    ]


async def test_a_listener_that_leaves_in_the_middle_releases_what_the_handler_holds() -> None:
    released: list[str] = []

    async def numbers(params: Nothing, actor: str) -> AsyncIterator[int]:
        try:
            for number in range(10):
                yield number
        finally:
            released.append(actor)

    items = Operations({"n": Operation(Nothing, stream=numbers)}).stream("n", {}, "os:ann")
    assert await anext(items) == 0
    await items.aclose()
    assert released == ["os:ann"]


async def test_a_token_is_shown_once_stored_as_a_digest_and_recognised(desk: Desk) -> None:
    from counterpoint.app.actors import Actors

    added = await desk.call("actors.add", "os:ann", name="ci-deployer")
    token = added["token"]
    assert token.startswith("cpt_")
    assert len(token) == 47
    actors = Actors(desk.ports.records)
    assert await actors.authenticate(token) == "ci-deployer"
    stored = await desk.house.reader.query("SELECT * FROM actors")
    assert token not in str(stored)
    assert token not in str(await desk.call("actors.list")) + str(await desk.call("audit.list"))
    await desk.call("actors.disable", name="ci-deployer")
    for bad in (token, "", token[:-1]):
        with pytest.raises(NotAuthenticated):
            await actors.authenticate(bad)


@pytest.mark.parametrize("name", ["os:root", "", "A", "a b", "-a", "a" * 64, "a\n"])
async def test_the_name_of_an_actor_can_imitate_nobody(desk: Desk, name: str) -> None:
    with pytest.raises(InvalidRequest):
        await desk.call("actors.add", name=name)


async def test_backup_doctor_and_info_come_from_the_house(desk: Desk) -> None:
    assert (await desk.stream("backup.create", target="/backups/one"))[-1] == {
        "phase": "done",
        "target": "/backups/one",
    }
    with pytest.raises(InvalidRequest, match="absolute"):
        await desk.stream("backup.create", target="one")
    assert (await desk.call("doctor.run"))[0]["isOk"]
    assert (await desk.call("system.info", "os:bob"))["actor"] == "os:bob"


async def test_environments_are_apart(desk: Desk) -> None:
    run_id = await desk.run([])
    assert (await desk.call("runs.list", environment="production"))["items"] == []
    with pytest.raises(NotFound):
        await desk.call("runs.show", environment="production", id=run_id)
