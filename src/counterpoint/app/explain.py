"""Use case: why a run is where it is, in sentences and as data."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from counterpoint.app.places import find_run, scope_of
from counterpoint.app.timeline import (
    AttemptLine,
    DatedDecision,
    Moment,
    StepLine,
    Timeline,
    read_timeline,
)
from counterpoint.app.words import at_time, counted, lasting, shown
from counterpoint.core.context import Decision
from counterpoint.core.values import Instant
from counterpoint.ports.advice import error_name
from counterpoint.ports.history import Histories
from counterpoint.ports.records import RecordStore, RunRecord

MAX_SENTENCES = 1_000
"""Steps and decisions that are told in words; all of them are in the data."""


class Trigger(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What led to the run."""

    kind: str
    actor: str
    at: Instant
    parent_id: str | None = None


class Standing(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Where a run stands now, why, and what to do next."""

    status: str
    where: str
    why: str
    next: str


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Why a run is where it is.

    Attributes:
        run: The run as a row.
        trigger: What led to it.
        path: Choices with their expressions and values, in order.
        steps: Steps with their attempts.
        moments: What was done to the run as a whole.
        now: Where it stands.
        sentences: All of it in words, in order of time.
        forgotten: Rows that compaction removed.
        is_complete: Whether the whole history was read.
    """

    run: RunRecord
    trigger: Trigger
    path: list[DatedDecision]
    steps: list[StepLine]
    moments: list[Moment]
    now: Standing
    sentences: list[str]
    forgotten: int = 0
    is_complete: bool = True


class Explain:
    """Explains runs.

    Args:
        records: Runs as rows.
        histories: Their histories.
    """

    def __init__(self, records: RecordStore, histories: Histories) -> None:
        self._records = records
        self._histories = histories

    async def run(self, environment: str, run_id: str) -> Explanation:
        """Explanation of a run.

        Raises:
            NotFound: No such run; or the prefix fits several.
        """
        run = await find_run(self._records, environment, run_id)
        timeline = await read_timeline(self._histories, scope_of(run), run.id)
        now = standing_of(run, timeline)
        return Explanation(
            run=run,
            trigger=Trigger(timeline.trigger, run.actor, run.started, run.parent_id),
            path=timeline.decisions,
            steps=list(timeline.steps.values()),
            moments=timeline.moments,
            now=now,
            sentences=[*_tell(run, timeline), f"{now.where} {now.why}", f"Next: {now.next}"],
            forgotten=timeline.forgotten,
            is_complete=timeline.is_complete,
        )


def standing_of(run: RunRecord, timeline: Timeline) -> Standing:
    """Where a run stands, why, and what to do next."""
    if run.cause is not None and run.status in ("suspended", "faulted"):
        cause = run.cause
        return Standing(run.status, cause.get("where", ""), cause.get("why", ""), cause.get("next", ""))
    match run.status:
        case "completed":
            outcome = f" with outcome {run.outcome}" if run.outcome else ""
            return Standing(run.status, f"It completed{outcome}.", f"It took {_length(run)}.", "Nothing.")
        case "cancelled":
            return _stand_cancelled(run, timeline)
        case "pending":
            return Standing(
                run.status,
                "It has not begun.",
                "As many runs of the workflow as its concurrency allows are open.",
                "Nothing: it begins when one of them ends.",
            )
        case "suspended" | "faulted":
            return Standing(
                run.status, f"It is {run.status}.", "No cause is stored.", f"{_command('show', run)}."
            )
    return _stand_open(run, timeline)


def _stand_cancelled(run: RunRecord, timeline: Timeline) -> Standing:
    commands = [moment for moment in timeline.moments if moment.kind == "cancel"]
    by = f" by {commands[-1].actor}" if commands and commands[-1].actor else ""
    reason = f": {commands[-1].detail}" if commands and commands[-1].detail else ""
    return Standing(
        run.status,
        f"It was cancelled{by}{reason}.",
        "Effects made before stay.",
        f"{_command('effects', run)} shows which.",
    )


def _stand_open(run: RunRecord, timeline: Timeline) -> Standing:
    for state, stand in _OPEN_STATES.items():
        lines = [
            line for line in timeline.steps.values() if line.state == state and line.purpose != "timeout"
        ]
        if lines:
            first = min(lines, key=lambda line: line.due or line.started)
            more = f", and {counted(len(lines) - 1, 'other step')}" if len(lines) > 1 else ""
            why, following = stand(run, first)
            return Standing(run.status, f"It is at {_place(first)}{more}.", why, following)
    return Standing(
        run.status,
        f"It is {run.status}.",
        "No step is under way.",
        f"{_command('watch', run)} shows it go on.",
    )


def _stand_running(run: RunRecord, line: StepLine) -> tuple[str, str]:
    attempt = line.attempts[-1] if line.attempts else AttemptLine(1, line.started)
    return (
        f"Attempt {attempt.number} of {line.target or line.task} has been under way since "
        f"{at_time(attempt.started)}.",
        "Nothing: its time-out ends it if the target does not.",
    )


def _stand_backoff(run: RunRecord, line: StepLine) -> tuple[str, str]:
    last = line.attempts[-1] if line.attempts else None
    why = f" ({last.fault.detail or last.fault.title})" if last is not None and last.fault is not None else ""
    count = len(line.attempts)
    return (
        f"{counted(count, 'attempt')} failed{why}; attempt {count + 1} is due at {at_time(line.due)}.",
        f"Nothing, or {_command('cancel', run)}.",
    )


def _stand_waiting(run: RunRecord, line: StepLine) -> tuple[str, str]:
    if line.kind == "child":
        return f"It waits for its child run {line.child}.", f"`counterpoint runs explain {line.child}`."
    return f"It waits until {at_time(line.due)}.", "Nothing: it goes on by itself."


def _stand_doubt(run: RunRecord, line: StepLine) -> tuple[str, str]:
    return (
        f"A call of {line.target} has no outcome.",
        f"Look at {line.target} whether the effect is there; {_command('effects', run)} lists it.",
    )


_OPEN_STATES = {
    "running": _stand_running,
    "retrying": _stand_running,
    "backoff": _stand_backoff,
    "inDoubt": _stand_doubt,
    "waiting": _stand_waiting,
}


def _tell(run: RunRecord, timeline: Timeline) -> list[str]:
    # At the same instant: what came in, the choices that followed, the steps that they asked for, the end.
    told: list[tuple[Instant, int, str]] = []
    for moment in timeline.moments:
        told.append((moment.at, 3 if moment.kind in _ENDS else 0, _tell_moment(run, moment)))
    for dated in timeline.decisions[:MAX_SENTENCES]:
        told.append((dated.at, 1, f"{at_time(dated.at)} {tell_decision(dated.decision)}"))
    for line in list(timeline.steps.values())[:MAX_SENTENCES]:
        told.append((line.started, 2, f"{at_time(line.started)} {tell_step(line)}"))
    told.sort(key=lambda item: item[:2])
    sentences = [sentence for _, _, sentence in told]
    if timeline.forgotten:
        sentences.insert(
            1, f"{counted(timeline.forgotten, 'row')} of settled parts were compacted and are not told."
        )
    return sentences


def _tell_moment(run: RunRecord, moment: Moment) -> str:
    by = f" by {moment.actor}" if moment.actor else ""
    if moment.kind == "started":
        parent = f", as a child of {run.parent_id}" if run.parent_id else ""
        via = f" through {moment.detail}" if moment.detail else ""
        named = f"{run.namespace}/{run.workflow} {run.version}"
        return f"{at_time(moment.at)} {named} was started{by}{via}{parent}."
    detail = f": {moment.detail}" if moment.detail else ""
    return f"{at_time(moment.at)} {_MOMENTS.get(moment.kind, moment.kind)}{by}{detail}."


_ENDS = frozenset({"completed", "faulted", "cancelled", "suspended"})

_MOMENTS = {
    "admitted": "The concurrency limit let it begin",
    "cancel": "It was told to end",
    "suspend": "It was suspended",
    "resume": "It was resumed",
    "retry": "Its failed steps were to be tried again",
    "completed": "It completed",
    "faulted": "It faulted",
    "cancelled": "It ended as cancelled",
    "suspended": "It paused",
}


def tell_decision(decision: Decision) -> str:
    """One sentence for a choice: what was chosen, by which expression, with which value."""
    told = _DECISIONS.get(decision.kind, _tell_choice)
    return f"At {decision.pointer or '/'} {told(decision)}{_because(decision)}."


def _because(decision: Decision) -> str:
    if not decision.expression:
        return ""
    if decision.value is not None:
        return f" because `{decision.expression}` gave {shown(decision.value)}"
    is_held = decision.choice["caught"] if isinstance(decision.choice, dict) else bool(decision.choice)
    return f" because `{decision.expression}` {'held' if is_held else 'did not hold'}"


def _tell_if(decision: Decision) -> str:
    return f"the task was {'run' if decision.choice else 'skipped'}"


def _tell_case(decision: Decision) -> str:
    return "no case fitted" if decision.choice is None else f"{decision.choice} was taken"


def _tell_catch(decision: Decision) -> str:
    found = decision.choice if isinstance(decision.choice, dict) else {"caught": decision.choice}
    named = f" {error_name(str(found['type']))} ({found.get('status', 0)})" if "type" in found else ""
    return f"the fault{named} was {'caught' if found['caught'] else 'not caught'}"


def _tell_choice(decision: Decision) -> str:
    return f"{decision.kind}: {shown(decision.choice)}"


_DECISIONS: dict[str, Callable[[Decision], str]] = {
    "if": _tell_if,
    "case": _tell_case,
    "catch": _tell_catch,
    "retry": lambda decision: f"retry {decision.choice} was due",
    "skip": lambda decision: f"extension {decision.choice} ended the task before it ran",
    "timeout": lambda decision: "the time-out passed",
    "while": lambda decision: f"the loop {'went on' if decision.choice else 'ended'}",
}


def tell_step(line: StepLine) -> str:
    """One sentence for a step, with its attempts."""
    match line.kind:
        case "timer":
            state = "which passed" if line.state == "done" else "which was not reached yet"
            return (
                f"{_place(line)} set a timer ({line.purpose}) for {at_time(line.due or line.ended)}, {state}."
            )
        case "child":
            return f"{_place(line)} started child run {line.child} of {line.target}: {line.state}."
    attempts = "; ".join(_tell_attempt(attempt) for attempt in line.attempts)
    return f"{_place(line)} called {line.target}: {attempts or 'no attempt yet'}."


def _tell_attempt(attempt: AttemptLine) -> str:
    took = f" after {lasting(attempt.ended - attempt.started)}" if attempt.started and attempt.ended else ""
    if not attempt.ended:
        return f"attempt {attempt.number} has no result yet"
    if attempt.verdict == "done":
        return f"attempt {attempt.number} was done{took}"
    fault = attempt.fault
    what = f" ({fault.status} {fault.detail or fault.title})" if fault is not None else ""
    doubt = ", and may have had its effect" if attempt.is_uncertain else ""
    again = f", next at {at_time(attempt.due)}" if attempt.due else ""
    return f"attempt {attempt.number} ended {attempt.verdict}{took}{what}{doubt}{again}"


def _place(line: StepLine) -> str:
    return f"task {line.task} ({line.pointer})" if line.task else f"step {line.step}"


def _length(run: RunRecord) -> str:
    return lasting(run.ended - run.started) if run.ended is not None else "an unknown time"


def _command(verb: str, run: RunRecord) -> str:
    return f"`counterpoint runs {verb} {run.id}`"
