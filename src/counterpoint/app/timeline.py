"""A run's history put in order: one line per step, with its attempts, and the moments in between.

The rows say what reached the run and what was asked for because of it; people ask about steps. This walk over
the rows is the only place that turns the one into the other; `explain`, `effects` and `show` read its result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from counterpoint.core.context import Decision
from counterpoint.core.values import Instant, JsonValue, Scope
from counterpoint.errors import Fault
from counterpoint.ports.history import Command, Histories, HistoryEntry, InputKind, RunEnd

MAX_ROWS = 50_000
"""Rows of a history that one look reads."""

PAGE = 1_000
"""Rows of a history read at once."""

_TRY_ATTEMPT = re.compile(r"\.try#\d+")


class AttemptLine(msgspec.Struct, omit_defaults=True, rename="camel"):
    """One attempt of a call.

    Attributes:
        number: From 1.
        started: When it began; 0 when the history does not say.
        ended: When its result was recorded; 0 when there is none.
        verdict: `done`, `retryable`, `throttled`, `authentication`, `permanent`, `inDoubt`; empty before.
        fault: What went wrong.
        is_uncertain: Whether the effect may have happened although there is no good result.
        due: When the next attempt is to begin; 0 when there is none.
    """

    number: int
    started: Instant = 0
    ended: Instant = 0
    verdict: str = ""
    fault: Fault | None = None
    is_uncertain: bool = False
    due: Instant = 0


class StepLine(msgspec.Struct, omit_defaults=True, rename="camel"):
    """One step of a run.

    Attributes:
        step: Canonical step key.
        identity: Key without the attempts of `try`, which its idempotency key is made of.
        kind: `call`, `timer` or `child`.
        task: Name of the task.
        pointer: Place in the document.
        target: What is called, or the workflow of a child.
        purpose: Of a timer: `wait`, `timeout`, `backoff`.
        is_keyed: Whether the document says that the target honours our key.
        key: Key that the document gives, if it does.
        state: `running`, `backoff`, `waiting`, `done`, `failed`, `inDoubt`, `retrying`.
        child: Id of the child run.
        started: When it was asked for first.
        ended: When it settled; 0 while it has not.
        due: When its timer fires or its next attempt begins.
        attempts: Attempts of a call, in order.
    """

    step: str
    identity: str
    kind: str
    task: str
    pointer: str
    target: str
    state: str
    started: Instant
    purpose: str = ""
    is_keyed: bool = False
    key: str = ""
    child: str = ""
    ended: Instant = 0
    due: Instant = 0
    attempts: list[AttemptLine] = []


class Moment(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Something that somebody or the engine did to the run as a whole.

    Attributes:
        kind: `started`, `admitted`, `cancel`, `suspend`, `resume`, `retry`, or how the run ended or paused.
        detail: Reason of a command, or the fault in words.
    """

    at: Instant
    kind: str
    actor: str = ""
    detail: str = ""


class DatedDecision(msgspec.Struct, frozen=True, rename="camel"):
    """A choice of the pure work and when it was made."""

    at: Instant
    decision: Decision


class Timeline(msgspec.Struct):
    """A history by steps.

    Attributes:
        steps: In the order in which they were first asked for, by key.
        decisions: In order.
        moments: In order.
        trigger: What led to the start.
        input: Raw input of the run.
        failures: Step of each row that settled one as failed, by number; what a retry refers to.
        end: How it ended or paused last; None when it goes on.
        rows: Number of the last row read.
        forgotten: Rows that compaction removed: steps in them are not listed.
        is_complete: Whether all rows were read.
    """

    steps: dict[str, StepLine] = {}
    decisions: list[DatedDecision] = []
    moments: list[Moment] = []
    trigger: str = ""
    input: JsonValue = None
    failures: dict[int, str] = {}
    end: RunEnd | None = None
    rows: int = 0
    forgotten: int = 0
    is_complete: bool = True


async def read_timeline(histories: Histories, scope: Scope, run_id: str) -> Timeline:
    """Timeline of a run; at most `MAX_ROWS` rows are read.

    Raises:
        NotFound: No such run.
        HistoryCorruptError: A row cannot be decoded.
    """
    timeline = Timeline()
    while True:
        rows = await histories.entries(scope, run_id, after=timeline.rows, limit=PAGE)
        extend_timeline(timeline, rows)
        if len(rows) < PAGE:
            return timeline
        if timeline.rows >= MAX_ROWS:
            timeline.is_complete = False
            return timeline


def extend_timeline(timeline: Timeline, rows: Iterable[HistoryEntry]) -> None:
    """Add rows, in order, to a timeline."""
    for row in rows:
        # Rows of settled sequences are removed; what they said is part of the row that settled them.
        timeline.forgotten += row.seq - timeline.rows - 1
        if row.kind in _REOPENING:
            timeline.end = None
        handler = _INPUTS.get(row.kind)
        if handler is not None:
            handler(timeline, row, row.payload if isinstance(row.payload, dict) else {})
        for command in row.commands:
            _COMMANDS[command.kind](timeline, row, command)
        timeline.decisions.extend(DatedDecision(row.at, decision) for decision in row.decisions)
        if row.end is not None:
            timeline.end = row.end
            detail = row.end.fault.detail if row.end.fault is not None else ""
            timeline.moments.append(Moment(row.at, row.end.status, "", detail))
        timeline.rows = row.seq


def _apply_start(timeline: Timeline, row: HistoryEntry, payload: dict[str, Any]) -> None:
    timeline.trigger = str(payload.get("trigger", ""))
    timeline.input = payload.get("input")
    timeline.moments.append(Moment(row.at, "started", row.actor, timeline.trigger))


def _apply_result(timeline: Timeline, row: HistoryEntry, payload: dict[str, Any]) -> None:
    line = timeline.steps.get(row.step)
    if line is None:
        return
    attempt = _attempt(line, int(payload.get("number", 0)) or max(1, len(line.attempts)))
    attempt.ended = row.at
    attempt.verdict = str(payload.get("verdict", "done"))
    attempt.fault = _fault(payload)
    attempt.is_uncertain = bool(payload.get("isUncertain", False))
    attempt.due = int(payload.get("due", 0))
    if attempt.verdict == "done":
        _settle(line, row.at, "done")
    elif attempt.due:
        line.state, line.due = "backoff", attempt.due
    else:
        _fail(timeline, row, line)


def _apply_timer(timeline: Timeline, row: HistoryEntry, payload: dict[str, Any]) -> None:
    line = timeline.steps.get(row.step)
    if line is None:
        return
    if line.kind != "call":
        _settle(line, row.at, "done")
    elif line.state == "backoff":
        _begin(line, len(line.attempts) + 1, row.at)


def _apply_child(timeline: Timeline, row: HistoryEntry, payload: dict[str, Any]) -> None:
    line = timeline.steps.get(row.step)
    if line is None:
        return
    if _fault(payload) is None:
        _settle(line, row.at, "done")
    else:
        _fail(timeline, row, line)


def _apply_doubt(timeline: Timeline, row: HistoryEntry, payload: dict[str, Any]) -> None:
    line = timeline.steps.get(row.step)
    if line is None:
        return
    attempt = _attempt(line, int(payload.get("number", 0)) or max(1, len(line.attempts)))
    attempt.ended, attempt.verdict, attempt.is_uncertain = row.at, "inDoubt", True
    line.state = "inDoubt"


def _apply_retry(timeline: Timeline, row: HistoryEntry, payload: dict[str, Any]) -> None:
    for number in payload.get("voids", ()):
        line = timeline.steps.get(timeline.failures.get(number, ""))
        if line is not None:
            line.state, line.ended = "retrying", 0
    timeline.moments.append(Moment(row.at, "retry", row.actor))


def _apply_command(timeline: Timeline, row: HistoryEntry, payload: dict[str, Any]) -> None:
    timeline.moments.append(Moment(row.at, row.kind.name.lower(), row.actor, str(payload.get("reason", ""))))


def _ask_attempt(timeline: Timeline, row: HistoryEntry, command: Command) -> None:
    line = _line(timeline, row, command, "call")
    number = command.number or len(line.attempts) + 1
    if command.due > row.at:
        line.state, line.due = "backoff", command.due
    else:
        _begin(line, number, row.at)


def _ask_timer(timeline: Timeline, row: HistoryEntry, command: Command) -> None:
    known = timeline.steps.get(command.step)
    if known is not None and known.kind == "call":
        known.state, known.due = "backoff", command.due
        return
    line = _line(timeline, row, command, "timer")
    line.state, line.due = "waiting", command.due


def _ask_child(timeline: Timeline, row: HistoryEntry, command: Command) -> None:
    line = _line(timeline, row, command, "child")
    line.state, line.child = "waiting", command.child


def _line(timeline: Timeline, row: HistoryEntry, command: Command, kind: str) -> StepLine:
    line = timeline.steps.get(command.step)
    if line is None:
        line = StepLine(
            step=command.step,
            identity=_TRY_ATTEMPT.sub(".try", command.step),
            kind=kind,
            task=command.task,
            pointer=command.pointer,
            target=command.target,
            state="running",
            started=row.at,
            purpose=command.purpose,
            is_keyed=command.is_keyed,
            key=command.key,
        )
        timeline.steps[command.step] = line
    return line


def _begin(line: StepLine, number: int, at: Instant) -> None:
    attempt = _attempt(line, number)
    if not attempt.started:
        attempt.started = at
    line.state, line.due, line.ended = "running", 0, 0


def _attempt(line: StepLine, number: int) -> AttemptLine:
    for attempt in line.attempts:
        if attempt.number == number:
            return attempt
    attempt = AttemptLine(number)
    line.attempts.append(attempt)
    return attempt


def _fail(timeline: Timeline, row: HistoryEntry, line: StepLine) -> None:
    timeline.failures[row.seq] = line.step
    _settle(line, row.at, "failed")


def _settle(line: StepLine, at: Instant, state: str) -> None:
    line.state, line.ended, line.due = state, at, 0


def _fault(payload: dict[str, Any]) -> Fault | None:
    fault = payload.get("fault")
    return msgspec.convert(fault, Fault) if isinstance(fault, dict) else fault


_INPUTS: dict[InputKind, Callable[[Timeline, HistoryEntry, dict[str, Any]], None]] = {
    InputKind.STARTED: _apply_start,
    InputKind.RESULT: _apply_result,
    InputKind.TIMER: _apply_timer,
    InputKind.CHILD: _apply_child,
    InputKind.IN_DOUBT: _apply_doubt,
    InputKind.RETRY: _apply_retry,
    InputKind.CANCEL: _apply_command,
    InputKind.SUSPEND: _apply_command,
    InputKind.RESUME: _apply_command,
    InputKind.ADMITTED: _apply_command,
}

_REOPENING = frozenset({InputKind.RESUME, InputKind.RETRY})
"""What makes a run go on that ended or paused; a result that comes in late does not."""

_COMMANDS: dict[str, Callable[[Timeline, HistoryEntry, Command], None]] = {
    "attempt": _ask_attempt,
    "timer": _ask_timer,
    "child": _ask_child,
}
