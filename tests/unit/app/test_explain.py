"""Why a run is where it is."""

from __future__ import annotations

from typing import Any

import pytest

from counterpoint.app.explain import tell_decision
from counterpoint.app.words import lasting
from counterpoint.core.context import Decision
from counterpoint.ports.history import InputKind, RunEnd
from tests.unit.app.conftest import Desk, cause
from tests.unit.app.histories import COMPLETED, FAULTED, Script, at, attempt, child, chose, timer


async def test_a_completed_run_tells_trigger_choices_and_attempts_in_order(desk: Desk) -> None:
    taken = chose("/do/0/route", "case", "critical", '.priority == "P1"', value=True)
    skipped = chose("/do/1/tell", "if", False, ".quiet | not", value=False)
    script = Script().started(attempt("create", "desk.create"), decisions=(taken,))
    script.failed(0.25, "create", due=2).row(
        2, InputKind.TIMER, attempt("create", "desk.create", 2), step="create"
    )
    script.done(2.5, "create", number=2, decisions=(skipped,), end=COMPLETED)
    run_id = await desk.run(script.rows)
    answer = await desk.call("runs.explain", id=run_id)
    assert answer["trigger"] == {"kind": "cli", "actor": "os:ann", "at": answer["run"]["started"]}
    told = answer["sentences"]
    assert told[0] == "2026-01-01T00:00:00.000Z support/tickets 1.0.0 was started by os:ann through cli."
    assert 'critical was taken because `.priority == "P1"` gave true' in told[1]
    assert "attempt 1 ended retryable after 250 ms (503 the ticket desk answered 503)" in told[2]
    assert "next at 2026-01-01T00:00:02.000Z; attempt 2 was done after 500 ms" in told[2]
    assert "the task was skipped because `.quiet | not` gave false" in told[3]
    assert told[-1] == "Next: Nothing."
    assert [step["state"] for step in answer["steps"]] == ["done"]


async def test_a_faulted_run_says_where_why_and_what_next_from_its_cause(desk: Desk) -> None:
    script = Script().started(attempt("create", "desk.create")).failed(1, "create", end=FAULTED)
    answer = await desk.call("runs.explain", id=await desk.run(script.rows, "faulted", cause()))
    now = answer["now"]
    assert now["where"] == "Workflow tickets, task create (/do/0/create), calling desk.create."
    assert now["why"].startswith("It failed after 2 attempts: Communication Error (503)")
    assert "`counterpoint runs retry r`" in now["next"]


RUNNING = Script().started(attempt("create", "desk.create"))
BACKOFF = Script().started(attempt("create", "desk.create")).failed(1, "create", due=30)
SLEEPING = Script().started(timer("pause", 3600), timer("pause.timeout", 10, "timeout"))
PARENT = Script().started(child("sub", "billing", "run-child"))
DOUBT = Script().started(attempt("create", "desk.create")).row(1, InputKind.IN_DOUBT, step="create")
GATED = Script().started()


@pytest.mark.parametrize(
    ("script", "status", "why", "following"),
    [
        (
            RUNNING,
            "running",
            "Attempt 1 of desk.create has been under way since 2026-01-01T00:00:00",
            "Nothing",
        ),
        (
            BACKOFF,
            "waiting",
            "1 attempt failed (the ticket desk answered 503); attempt 2 is due at",
            "runs cancel",
        ),
        (SLEEPING, "waiting", "It waits until 2026-01-01T01:00:00", "Nothing"),
        (PARENT, "waiting", "It waits for its child run run-child", "runs explain run-child"),
        (DOUBT, "running", "has no outcome", "Look at desk.create"),
        (GATED, "pending", "concurrency", "begins when"),
        (GATED, "running", "No step is under way", "runs watch"),
        (GATED, "suspended", "No cause is stored", "runs show"),
    ],
)
async def test_an_open_run_says_what_it_waits_for(
    desk: Desk, script: Script, status: str, why: str, following: str
) -> None:
    now: dict[str, Any] = (await desk.call("runs.explain", id=await desk.run(script.rows, status)))["now"]
    assert why in now["why"]
    assert following in now["next"]


async def test_a_cancelled_run_says_who_cancelled_it_and_points_to_its_effects(desk: Desk) -> None:
    script = Script().started(attempt("create", "desk.create"))
    script.row(
        3, InputKind.CANCEL, payload={"reason": "wrong customer"}, actor="os:bob", end=RunEnd("cancelled")
    )
    answer = await desk.call("runs.explain", id=await desk.run(script.rows, "cancelled"))
    assert answer["now"]["where"] == "It was cancelled by os:bob: wrong customer."
    assert "runs effects" in answer["now"]["next"]
    assert any("has no result yet" in sentence for sentence in answer["sentences"])


async def test_compacted_rows_are_mentioned(desk: Desk) -> None:
    script = Script().started().row(1, InputKind.SETTLED, seq=100)
    answer = await desk.call("runs.explain", id=await desk.run(script.rows, "running"))
    assert answer["forgotten"] == 98
    assert "98 rows of settled parts were compacted" in answer["sentences"][1]


async def test_show_has_steps_children_input_and_output(desk: Desk) -> None:
    script = Script().started(attempt("create", "desk.create")).done(1, "create", end=COMPLETED)
    answer = await desk.call("runs.show", id=await desk.run(script.rows))
    assert (answer["input"], answer["output"]) == ({"ticket": 7}, {"done": True})
    assert answer["steps"][0]["attempts"][0] == {
        "number": 1,
        "started": at(0),
        "ended": at(1),
        "verdict": "done",
    }
    assert answer["run"]["status"] == "completed"


async def test_history_is_paged_by_row_number(desk: Desk) -> None:
    script = Script().started()
    for second in range(1, 6):
        script.row(second, InputKind.CONTINUED)
    run_id = await desk.run(script.rows)
    first = await desk.call("runs.history", id=run_id, limit=4)
    assert [row["seq"] for row in first["rows"]] == [1, 2, 3, 4]
    assert first["next"] == 4
    last = await desk.call("runs.history", id=run_id, limit=4, after=first["next"])
    assert [row["seq"] for row in last["rows"]] == [5, 6]
    assert last["next"] == 0


async def test_verify_gives_the_verdict_of_the_histories(desk: Desk) -> None:
    answer = await desk.call("runs.verify", id=await desk.run(Script().started().rows))
    assert (answer["isIntact"], answer["rows"]) == (True, 1)


FAULT = {"type": "https://open-workflow-specification.org/spec/1.0.0/errors/timeout", "status": 408}


@pytest.mark.parametrize(
    ("decision", "sentence"),
    [
        (chose("/do/0/a", "if", False, ".go"), "At /do/0/a the task was skipped because `.go` did not hold."),
        (chose("/do/0/a", "if", True, ".go", 1), "At /do/0/a the task was run because `.go` gave 1."),
        (chose("/do/0/a", "case", "hot", ".t > 9"), "At /do/0/a hot was taken because `.t > 9` held."),
        (chose("/do/0/a", "case", None), "At /do/0/a no case fitted."),
        (chose("", "while", False, ".n < 3"), "At / the loop ended because `.n < 3` did not hold."),
        (chose("/c", "catch", {"caught": True, **FAULT}), "At /c the fault timeout (408) was caught."),
        (
            chose("/c", "catch", {"caught": False, **FAULT}, ".x"),
            "At /c the fault timeout (408) was not caught because `.x` did not hold.",
        ),
        (chose("/c", "retry", 2), "At /c retry 2 was due."),
        (chose("/c", "skip", "audit"), "At /c extension audit ended the task before it ran."),
        (chose("/c", "timeout", True), "At /c the time-out passed."),
        (chose("/c", "later", [1]), "At /c later: [1]."),
    ],
)
def test_every_kind_of_decision_is_one_sentence(decision: Decision, sentence: str) -> None:
    assert tell_decision(decision) == sentence


@pytest.mark.parametrize(
    ("micros", "words"),
    [
        (0, "0 ms"),
        (999_400, "999 ms"),
        (1_500_000, "1.5 s"),
        (185_000_000, "3 min 5 s"),
        (187_200_000_000, "2 d 4 h"),
        (3_600_000_000, "1 h"),
        (-5, "0 ms"),
    ],
)
def test_lengths_of_time_have_two_units_at_most(micros: int, words: str) -> None:
    assert lasting(micros) == words
