"""Use case: what a run did outside, effect by effect: done, not done, or unknown.

An effect is a call of something that changes the outside. All retries of a call share an idempotency key, so
they are one effect here too, across the attempts of a `try`.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from counterpoint.app.places import find_run, scope_of
from counterpoint.app.pointers import object_at
from counterpoint.app.timeline import StepLine, Timeline, read_timeline
from counterpoint.core.context import Invocation
from counterpoint.core.dsl.yaml_reader import read
from counterpoint.core.values import Instant, JsonValue, StepKey, idempotency_key
from counterpoint.errors import Fault
from counterpoint.ports.connectors import ActionInfo, Connectors, Idempotency
from counterpoint.ports.history import Histories
from counterpoint.ports.records import RecordStore, RunRecord


class EffectState(Enum):
    """What is known about an effect."""

    DONE = "done"
    NOT_DONE = "notDone"
    UNKNOWN = "unknown"
    UNDERWAY = "underway"


class Effect(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One external effect of a run.

    Attributes:
        step: Canonical key of its last step.
        task: Name of the task.
        pointer: Place in the document.
        target: What was called.
        state: `done`, `notDone`, `unknown` or `underway`.
        attempts: Attempts made.
        idempotency: `natural`, `key` or `none`.
        key: Idempotency key that all attempts carried, unless the document gives its own.
        settled: When its result was recorded.
        fault: Fault of the last attempt that failed.
        may_have_run_twice: Whether an attempt without outcome was followed by another, and nothing at the
            target recognises a repetition.
        next: What to do about it.
    """

    step: str
    task: str
    pointer: str
    target: str
    state: EffectState
    attempts: int
    idempotency: str
    key: str
    settled: Instant = 0
    fault: Fault | None = None
    may_have_run_twice: bool = False
    next: str = ""


class EffectReport(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Effects of a run.

    Attributes:
        label: `complete`: all done; `partial`: some done and some not or not known, or the run stopped before
            its end; `none`: nothing was done outside; `open`: the run goes on.
        done, not_done, unknown: How many.
        forgotten: Rows that compaction removed: effects in them were done and are not listed.
    """

    run: RunRecord
    label: str
    effects: list[Effect]
    done: int
    not_done: int
    unknown: int
    forgotten: int = 0


class Effects:
    """Tells what runs did outside.

    Args:
        records: Runs as rows.
        histories: Their histories.
        connectors: What each action declares.
    """

    def __init__(self, records: RecordStore, histories: Histories, connectors: Connectors) -> None:
        self._records = records
        self._histories = histories
        self._connectors = connectors

    async def report(self, environment: str, run_id: str) -> EffectReport:
        """Effects of a run, with the next action for each.

        Raises:
            NotFound: No such run; or the prefix fits several.
        """
        run = await find_run(self._records, environment, run_id)
        timeline = await read_timeline(self._histories, scope_of(run), run.id)
        document, _ = await self._records.document(run.revision_no)
        definition = read(document).value
        effects: list[Effect] = []
        for lines in _by_identity(timeline).values():
            info = self._describe(lines[-1], definition)
            if info.is_effect:
                effects.append(_effect(run, lines, info))
        counts = {state: sum(effect.state is state for effect in effects) for state in EffectState}
        return EffectReport(
            run=run,
            label=label_of(run.status, counts),
            effects=effects,
            done=counts[EffectState.DONE],
            not_done=counts[EffectState.NOT_DONE],
            unknown=counts[EffectState.UNKNOWN],
            forgotten=timeline.forgotten,
        )

    def _describe(self, line: StepLine, definition: JsonValue) -> ActionInfo:
        # The history keeps only a digest of the arguments; what decides, a method of HTTP, is literal in the
        # document.
        arguments = dict(object_at(definition, line.pointer).get("with") or {})
        if isinstance(method := arguments.get("method"), str):
            arguments["method"] = method.upper()
        invocation = Invocation(line.target, arguments, line.pointer, line.task)
        return self._connectors.describe(invocation) or ActionInfo()


def label_of(status: str, counts: dict[EffectState, int]) -> str:
    """Label of a run's effects as a whole."""
    if status not in ("completed", "faulted", "cancelled", "suspended"):
        return "open"
    done, unknown = counts[EffectState.DONE], counts[EffectState.UNKNOWN]
    missing = counts[EffectState.NOT_DONE] + counts[EffectState.UNDERWAY]
    if not done and not unknown:
        return "none"
    return "complete" if status == "completed" and not unknown and not missing else "partial"


def _by_identity(timeline: Timeline) -> dict[str, list[StepLine]]:
    found: dict[str, list[StepLine]] = {}
    for line in timeline.steps.values():
        if line.kind == "call":
            found.setdefault(line.identity, []).append(line)
    return found


def _effect(run: RunRecord, lines: list[StepLine], info: ActionInfo) -> Effect:
    attempts = [attempt for line in lines for attempt in line.attempts]
    state = _state(run, lines)
    doubtful = [attempt for attempt in attempts if attempt.is_uncertain]
    last = lines[-1]
    if last.is_keyed and info.idempotency is Idempotency.NONE:
        # The document knows more of this target than the connector does.
        info = msgspec.structs.replace(info, idempotency=Idempotency.KEY)
    is_blind = info.idempotency is Idempotency.NONE
    return Effect(
        step=last.step,
        task=last.task,
        pointer=last.pointer,
        target=last.target,
        state=state,
        attempts=len(attempts),
        idempotency=info.idempotency.value,
        key=last.key or idempotency_key(run.id, StepKey(last.step, last.identity)),
        settled=last.ended,
        fault=next((attempt.fault for attempt in reversed(attempts) if attempt.fault is not None), None),
        may_have_run_twice=is_blind and bool(doubtful) and len(attempts) > 1,
        next=_next(run, state, info, last.target),
    )


def _state(run: RunRecord, lines: list[StepLine]) -> EffectState:
    if any(line.state == "done" for line in lines):
        return EffectState.DONE
    is_open = run.status in ("pending", "running", "waiting")
    if is_open and lines[-1].state in ("running", "backoff", "retrying"):
        return EffectState.UNDERWAY
    # An attempt without a result may have reached the target: nobody waited for the answer.
    attempts = [attempt for line in lines for attempt in line.attempts]
    if any(attempt.is_uncertain or not attempt.ended for attempt in attempts):
        return EffectState.UNKNOWN
    return EffectState.NOT_DONE


def _next(run: RunRecord, state: EffectState, info: ActionInfo, target: str) -> str:
    retry = f"`counterpoint runs retry {run.id}`"
    match state:
        case EffectState.DONE:
            return "Nothing."
        case EffectState.UNDERWAY:
            return "Nothing: it is being tried."
        case EffectState.NOT_DONE if run.status == "completed":
            return "Nothing: the workflow went on without it."
        case EffectState.NOT_DONE if run.status == "cancelled":
            return "Nothing: it was not made, and the run was cancelled."
        case EffectState.NOT_DONE:
            return f"{retry} tries it again with the same key."
    if run.status in ("completed", "cancelled"):
        return f"Look at {target} whether it is there."
    if info.idempotency is Idempotency.KEY:
        return f"{retry} is safe: {target} recognises the key."
    if info.idempotency is Idempotency.NATURAL:
        return f"{retry} is safe: repeating it changes nothing."
    return f"Look at {target} whether it is there; only if it is not, {retry}."
