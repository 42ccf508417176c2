"""From rows to steps."""

from __future__ import annotations

from counterpoint.app.timeline import Timeline, extend_timeline
from counterpoint.ports.history import InputKind
from tests.unit.app.histories import COMPLETED, FAULTED, Script, at, attempt, child, timer


def timeline_of(script: Script) -> Timeline:
    timeline = Timeline()
    extend_timeline(timeline, script.rows)
    return timeline


def test_a_call_that_succeeds_is_one_line_with_one_attempt() -> None:
    script = Script().started(attempt("create", "desk.create")).done(0.5, "create", end=COMPLETED)
    timeline = timeline_of(script)
    line = timeline.steps["create"]
    assert (line.state, line.target, line.ended) == ("done", "desk.create", at(0.5))
    assert [(a.number, a.started, a.ended, a.verdict) for a in line.attempts] == [(1, at(0), at(0.5), "done")]
    assert (timeline.trigger, timeline.input) == ("cli", {"ticket": 7})
    assert timeline.end is COMPLETED


def test_a_call_in_backoff_names_its_next_attempt_which_begins_when_the_timer_fires() -> None:
    script = Script().started(attempt("create", "desk.create")).failed(1, "create", due=3)
    line = timeline_of(script).steps["create"]
    assert (line.state, line.due) == ("backoff", at(3))
    script.row(3, InputKind.TIMER, attempt("create", "desk.create", 2), step="create")
    line = timeline_of(script).steps["create"]
    assert (line.state, line.due, [a.number for a in line.attempts]) == ("running", 0, [1, 2])
    script.done(3.5, "create", number=2)
    line = timeline_of(script).steps["create"]
    assert [a.verdict for a in line.attempts] == ["retryable", "done"]
    assert line.attempts[0].fault is not None
    assert line.attempts[0].fault.status == 503


def test_a_timer_that_fires_without_a_command_begins_the_next_attempt_too() -> None:
    script = Script().started(attempt("create", "desk.create")).failed(1, "create", due=3)
    script.row(3, InputKind.TIMER, step="create")
    assert timeline_of(script).steps["create"].attempts[1].started == at(3)


def test_a_backoff_timer_on_a_call_is_no_line_of_its_own() -> None:
    script = Script().started(attempt("create", "desk.create"))
    script.failed(1, "create", timer("create", 4, "backoff"))
    timeline = timeline_of(script)
    assert list(timeline.steps) == ["create"]
    assert (timeline.steps["create"].state, timeline.steps["create"].due) == ("backoff", at(4))


def test_a_wait_and_a_child_are_lines() -> None:
    script = Script().started(timer("pause", 60), child("sub", "billing", "run-child"))
    script.row(60, InputKind.TIMER, step="pause").row(61, InputKind.CHILD, step="sub", payload={"output": 1})
    steps = timeline_of(script).steps
    assert (steps["pause"].kind, steps["pause"].state, steps["pause"].ended) == ("timer", "done", at(60))
    assert (steps["sub"].kind, steps["sub"].state, steps["sub"].child) == ("child", "done", "run-child")


def test_a_child_that_faulted_is_a_failed_line() -> None:
    script = Script().started(child("sub", "billing", "run-child"))
    script.row(1, InputKind.CHILD, step="sub", payload={"fault": {"type": "x", "status": 500}})
    assert timeline_of(script).steps["sub"].state == "failed"


def test_an_attempt_in_doubt_is_uncertain() -> None:
    script = Script().started(attempt("pay", "bank.pay"))
    script.row(9, InputKind.IN_DOUBT, step="pay", payload={"number": 1})
    line = timeline_of(script).steps["pay"]
    assert (line.state, line.attempts[0].verdict, line.attempts[0].is_uncertain) == (
        "inDoubt",
        "inDoubt",
        True,
    )


def test_a_retry_makes_its_steps_try_again_and_takes_the_end_away() -> None:
    script = Script().started(attempt("create", "desk.create")).failed(1, "create", end=FAULTED)
    assert timeline_of(script).end is FAULTED
    script.row(
        5, InputKind.RETRY, attempt("create", "desk.create", 2), payload={"voids": [2]}, actor="os:bob"
    )
    timeline = timeline_of(script)
    assert timeline.end is None
    assert timeline.steps["create"].state == "running"
    assert [(m.kind, m.actor) for m in timeline.moments] == [
        ("started", "os:ann"),
        ("faulted", ""),
        ("retry", "os:bob"),
    ]


def test_a_result_that_comes_in_after_a_suspension_does_not_make_the_run_go_on() -> None:
    script = Script().started(attempt("create", "desk.create")).failed(1, "create", end=FAULTED)
    script.done(2, "create", number=2)
    assert timeline_of(script).end is FAULTED


def test_rows_that_compaction_removed_are_counted() -> None:
    script = Script().started()
    script.row(1, InputKind.SETTLED, seq=40).row(2, InputKind.CONTINUED)
    timeline = timeline_of(script)
    assert (timeline.forgotten, timeline.rows) == (38, 41)


def test_attempts_of_a_try_share_an_identity() -> None:
    script = Script().started(
        attempt("t.try#1.create", "desk.create"), attempt("t.try#2.create", "desk.create")
    )
    assert {line.identity for line in timeline_of(script).steps.values()} == {"t.try.create"}


def test_a_retry_that_asks_again_only_later_leaves_its_step_as_retrying() -> None:
    script = Script().started(child("sub", "billing", "run-child"))
    script.row(1, InputKind.CHILD, step="sub", payload={"fault": {"type": "x", "status": 500}}, end=FAULTED)
    script.row(2, InputKind.RETRY, payload={"voids": [2]}, actor="os:bob")
    assert timeline_of(script).steps["sub"].state == "retrying"
