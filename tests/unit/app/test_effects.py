"""What a run did outside."""

from __future__ import annotations

from typing import Any

import pytest

from counterpoint.core.values import StepKey, idempotency_key
from counterpoint.ports.history import InputKind
from tests.unit.app.conftest import Desk, cause
from tests.unit.app.histories import COMPLETED, FAULTED, Script, attempt


def two(*, second: str = "chat.tell") -> Script:
    return Script().started(attempt("create", "desk.create"), attempt("tell", second))


async def report(desk: Desk, script: Script, status: str) -> dict[str, Any]:
    stored = cause() if status in ("faulted", "suspended") else ""
    answer: dict[str, Any] = await desk.call("runs.effects", id=await desk.run(script.rows, status, stored))
    return answer


def states(answer: dict[str, Any]) -> list[str]:
    return [effect["state"] for effect in answer["effects"]]


async def test_a_run_whose_effects_are_all_done_is_complete(desk: Desk) -> None:
    answer = await report(desk, two().done(1, "create").done(2, "tell", end=COMPLETED), "completed")
    assert answer["label"] == "complete"
    assert states(answer) == ["done", "done"]
    assert (answer["done"], answer["notDone"], answer["unknown"]) == (2, 0, 0)
    effect = answer["effects"][0]
    key = idempotency_key(answer["run"]["id"], StepKey("create"))
    assert (effect["target"], effect["idempotency"], effect["key"]) == ("desk.create", "key", key)
    assert effect["next"] == "Nothing."


async def test_a_faulted_run_with_one_effect_done_and_one_not_is_partial(desk: Desk) -> None:
    script = two().done(1, "create").failed(2, "tell", verdict="permanent", end=FAULTED)
    answer = await report(desk, script, "faulted")
    assert answer["label"] == "partial"
    assert states(answer) == ["done", "notDone"]
    assert "runs retry" in answer["effects"][1]["next"]
    assert answer["effects"][1]["fault"]["status"] == 503


async def test_a_run_that_faulted_after_its_effects_is_partial_too(desk: Desk) -> None:
    script = two().done(1, "create").done(2, "tell", end=FAULTED)
    assert (await report(desk, script, "faulted"))["label"] == "partial"


async def test_a_run_that_did_nothing_outside_is_labelled_none(desk: Desk) -> None:
    script = Script().started(attempt("create", "desk.create")).failed(1, "create", end=FAULTED)
    assert (await report(desk, script, "faulted"))["label"] == "none"


@pytest.mark.parametrize(
    ("target", "following"),
    [
        ("desk.create", "is safe: desk.create recognises the key"),
        ("crm.put", "is safe: repeating it changes nothing"),
        ("chat.tell", "only if it is not"),
        ("gone.action", "only if it is not"),
    ],
)
async def test_an_effect_without_outcome_is_unknown_and_its_next_action_depends_on_the_target(
    desk: Desk, target: str, following: str
) -> None:
    script = two(second=target).done(1, "create")
    script.row(2, InputKind.IN_DOUBT, step="tell", payload={"number": 1})
    answer = await report(desk, script, "suspended")
    assert (answer["label"], states(answer)) == ("partial", ["done", "unknown"])
    assert following in answer["effects"][1]["next"]


async def test_an_attempt_that_a_cancellation_cut_off_is_unknown(desk: Desk) -> None:
    answer = await report(desk, two().done(1, "create"), "cancelled")
    assert states(answer) == ["done", "unknown"]
    assert answer["effects"][1]["next"] == "Look at chat.tell whether it is there."


async def test_a_lost_reply_that_was_followed_by_a_good_one_may_have_run_twice(desk: Desk) -> None:
    script = two().done(1, "create").failed(1, "tell", uncertain=True, due=2)
    script.row(2, InputKind.TIMER, attempt("tell", "chat.tell", 2), step="tell")
    script.done(3, "tell", number=2, end=COMPLETED)
    effects = (await report(desk, script, "completed"))["effects"]
    assert [(e["state"], e["attempts"], e.get("mayHaveRunTwice", False)) for e in effects] == [
        ("done", 1, False),
        ("done", 2, True),
    ]


async def test_retries_of_a_try_are_one_effect(desk: Desk) -> None:
    script = Script().started(attempt("t.try#1.create", "desk.create"))
    script.failed(1, "t.try#1.create", attempt("t.try#2.create", "desk.create"))
    script.done(2, "t.try#2.create", end=COMPLETED)
    answer = await report(desk, script, "completed")
    assert (answer["label"], states(answer), answer["effects"][0]["attempts"]) == ("complete", ["done"], 2)


async def test_reads_are_no_effects_and_the_method_of_http_is_taken_from_the_document(desk: Desk) -> None:
    script = Script().started(attempt("read", "crm.read"), attempt("look", "http", pointer="/do/1/look"))
    script.done(1, "read").done(2, "look", end=COMPLETED)
    assert (await report(desk, script, "completed"))["effects"] == []


async def test_an_effect_that_is_being_tried_is_under_way_and_the_run_open(desk: Desk) -> None:
    answer = await report(desk, two().done(1, "create").failed(2, "tell", due=60), "waiting")
    assert (answer["label"], states(answer)) == ("open", ["done", "underway"])


async def test_a_completed_run_that_caught_a_failed_effect_is_partial_and_needs_nothing(desk: Desk) -> None:
    script = two().done(1, "create").failed(2, "tell", verdict="permanent", end=COMPLETED)
    answer = await report(desk, script, "completed")
    assert answer["label"] == "partial"
    assert answer["effects"][1]["next"] == "Nothing: the workflow went on without it."
