"""Live progress: what the table shows while a run goes on."""

from __future__ import annotations

import io

from rich.console import Console

from counterpoint.cli.render.progress import MAX_LIVE, EventLines, Progress, event_line
from tests.unit.cli.samples import AT, EVIL, event, step, wire


def shown(progress: Progress, height: int = 40) -> str:
    console = Console(
        file=io.StringIO(), width=100, height=height, markup=False, emoji=False, highlight=False
    )
    console.print(progress)
    return console.file.getvalue()


def test_a_step_is_shown_from_its_start_through_its_retries_to_its_end() -> None:
    progress = Progress(lambda: AT + 2_000_000)
    progress.apply(event("attemptStarted", step="charge", task="charge", number=1))
    assert "▶ charge 2.0 s" in shown(progress)
    progress.apply(
        event(
            "attemptEnded",
            step="charge",
            task="charge",
            number=1,
            status="retryable",
            due=AT + 9,
            detail="503",
        )
    )
    assert "↻ charge" in shown(progress)
    assert "503" in shown(progress)
    progress.apply(event("attemptStarted", step="charge", task="charge", number=2))
    assert "attempt 2" in shown(progress)
    progress.apply(event("attemptEnded", step="charge", task="charge", number=2, status="done"))
    progress.apply(event("runEnded", status="completed"))
    text = shown(progress)
    assert "✓ charge" in text
    assert "✓ completed run-0001" in text


def test_timers_and_children_wait_and_wake() -> None:
    progress = Progress(lambda: AT)
    progress.apply(event("timerSet", step="pause", task="pause", due=AT + 60_000_000))
    progress.apply(event("childStarted", step="sub", task="sub"))
    assert shown(progress).count("◷") == 2
    progress.apply(event("timerFired", step="pause", task="pause"))
    progress.apply(event("childEnded", step="sub", task="sub", status="done"))
    assert shown(progress).count("✓") == 2


def test_steps_that_were_too_quick_to_be_seen_appear_at_the_end() -> None:
    progress = Progress(lambda: AT)
    progress.apply(event("attemptStarted", step="enrich", task="enrich", number=1))
    progress.apply(event("attemptEnded", step="enrich", task="enrich", number=1, status="done"))
    timeout = step(step="limit", task="limit", kind="timer", purpose="timeout", state="waiting")
    progress.complete([wire(step()), wire(step(step="early", task="early")), wire(timeout)], "completed")
    text = shown(progress)
    assert text.count("enrich") == 1
    assert "early" in text
    assert "limit" not in text


def test_a_run_with_very_many_steps_stays_within_the_screen_and_within_memory() -> None:
    progress = Progress(lambda: AT)
    for number in range(MAX_LIVE * 3):
        progress.apply(event("attemptStarted", step=f"s{number}", task=f"s{number}", number=1))
    text = shown(progress, height=12)
    assert len(text.splitlines()) <= 12
    assert "other steps" in text
    assert f"s{MAX_LIVE * 3 - 1}" in text


def test_hostile_names_are_shown_and_not_obeyed() -> None:
    progress = Progress(lambda: AT)
    bad = event("attemptStarted", step=EVIL, task=EVIL, number=1, detail=EVIL)
    progress.apply(bad)
    assert not set("\x1b\x07\u202e") & set(shown(progress) + event_line(bad).plain)


def test_an_unknown_kind_of_event_is_shown_as_it_is_and_breaks_nothing() -> None:
    progress = Progress(lambda: AT)
    progress.apply(event("fromTheFuture"))
    assert "running" in shown(progress)
    assert "fromTheFuture" in event_line(event("fromTheFuture")).plain


def test_lines_tell_the_same_where_no_table_can_be_shown() -> None:
    console = Console(file=io.StringIO(), width=200, markup=False, highlight=False)
    lines = EventLines(console)
    lines.apply(
        event("attemptEnded", step="charge", task="charge", number=2, status="retryable", due=AT + 3_000_000)
    )
    lines.complete([wire(step(step="charge")), wire(step(step="early", task="early"))], "completed")
    first, second = console.file.getvalue().splitlines()
    assert "charge attempt ended (attempt 2): retryable, due in 3.0 s" in first
    assert "early done in 20 ms, 2 attempts" in second


def test_an_attempt_that_could_be_retried_and_is_not_has_failed() -> None:
    last = event("attemptEnded", step="charge", task="charge", number=3, status="retryable", detail="503")
    assert "✗ charge attempt ended (attempt 3): retryable" in event_line(last).plain
    progress = Progress(lambda: AT)
    progress.apply(last)
    assert "✗ charge" in shown(progress)
