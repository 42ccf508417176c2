"""Observers: who waits for the end of a run, and who watches it live; free when nobody does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from counterpoint.core.values import Instant
from counterpoint.engines.embedded.execution import Execution
from counterpoint.engines.embedded.rows import RowBody
from counterpoint.ports.engine import RunEvent, RunResult
from counterpoint.ports.history import Command, HistoryEntry, InputKind, RunEnd

Waiter = Callable[[RunResult], None]
Watcher = Callable[["Told | None"], None]

_COMMAND_EVENTS = {"attempt": "attemptStarted", "timer": "timerSet", "child": "childStarted"}


class Told(msgspec.Struct, frozen=True):
    """A durable row, as observers see it; `end` is set when the run ended or paused with it."""

    seq: int
    at: Instant
    kind: InputKind
    step: str
    body: RowBody

    @property
    def end(self) -> RunEnd | None:
        """How the run ended or paused with this row."""
        return self.body.end


class Observers:
    """Waiters and watchers by run number; they are told after the commit, never before."""

    def __init__(self) -> None:
        self._waiters: dict[int, list[Waiter]] = {}
        self._watchers: dict[int, list[Watcher]] = {}

    def wait(self, run_no: int, waiter: Waiter) -> None:
        """Tell once the run ended or paused."""
        self._waiters.setdefault(run_no, []).append(waiter)

    def unwait(self, run_no: int, waiter: Waiter) -> None:
        """Forget a waiter."""
        waiters = self._waiters.get(run_no)
        if waiters and waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._waiters[run_no]

    def watch(self, run_no: int, watcher: Watcher) -> None:
        """Tell every durable row; None once the run ended or paused."""
        self._watchers.setdefault(run_no, []).append(watcher)

    def unwatch(self, run_no: int, watcher: Watcher) -> None:
        """Forget a watcher."""
        watchers = self._watchers.get(run_no)
        if watchers and watcher in watchers:
            watchers.remove(watcher)
            if not watchers:
                del self._watchers[run_no]

    def is_watched(self, run_no: int) -> bool:
        """Whether anybody watches."""
        return run_no in self._watchers

    def settle(self, execution: Execution, end: RunEnd) -> None:
        """The run ended or paused, durably."""
        waiters = self._waiters.pop(execution.facts.run_no, None)
        if waiters:
            result = result_of(execution.facts.id, end, execution.output)
            for waiter in waiters:
                waiter(result)

    def tell(self, execution: Execution, row: Told) -> None:
        """Tell watchers of a durable row."""
        watchers = list(self._watchers.get(execution.facts.run_no, ()))
        for watcher in watchers:
            watcher(row)
        if row.end is not None:
            for watcher in watchers:
                watcher(None)
            self._watchers.pop(execution.facts.run_no, None)


def result_of(run_id: str, end: RunEnd, output: Any) -> RunResult:
    """Result as the port gives it."""
    return RunResult(run_id, end.status, output, end.fault, end.cause, end.outcome)


def told_of(entry: HistoryEntry) -> Told:
    """A stored row as observers see it."""
    body = RowBody(entry.payload, entry.actor, list(entry.commands), list(entry.decisions), entry.end)
    return Told(entry.seq, entry.at, entry.kind, entry.step, body)


def events_of(run_id: str, row: Told) -> list[RunEvent]:
    """What a row means to people who watch."""
    at, body, end = row.at, row.body, row.end
    events = _input_events(run_id, row)
    for decision in body.decisions:
        detail = f"{decision.kind}: {msgspec.json.encode(decision.choice).decode()}"
        events.append(
            RunEvent(run_id, at, "decision", decision.step, pointer=decision.pointer, detail=detail)
        )
    events.extend(_command_event(run_id, at, command) for command in body.commands)
    if end is not None:
        name = "runSuspended" if end.status == "suspended" else "runEnded"
        detail = end.fault.detail or end.fault.title if end.fault is not None else end.cause
        events.append(RunEvent(run_id, at, name, end.step or "", status=end.status, detail=detail))
    return events


def _input_events(run_id: str, row: Told) -> list[RunEvent]:
    at, step = row.at, row.step
    payload = row.body.payload if isinstance(row.body.payload, dict) else {}
    match row.kind:
        case InputKind.STARTED:
            return [
                RunEvent(run_id, at, "runStarted", status="pending" if payload.get("gated") else "running")
            ]
        case InputKind.RESULT:
            return [_result_event(run_id, row, payload)]
        case InputKind.TIMER:
            return [RunEvent(run_id, at, "timerFired", step)]
        case InputKind.CHILD:
            return [RunEvent(run_id, at, "childEnded", step, status=str(payload.get("status", "")))]
        case InputKind.SUSPEND:
            return [
                RunEvent(
                    run_id, at, "runSuspended", status="suspended", detail=str(payload.get("reason", ""))
                )
            ]
        case InputKind.RESUME | InputKind.RETRY:
            return [RunEvent(run_id, at, "runResumed", status="running")]
        case _:
            return []


def _result_event(run_id: str, row: Told, payload: dict[str, Any]) -> RunEvent:
    fault = payload.get("fault")
    detail = ""
    if fault is not None:
        text = fault.get("detail") if isinstance(fault, dict) else fault.detail
        detail = text or ""
    return RunEvent(
        run_id,
        row.at,
        "attemptEnded",
        row.step,
        number=int(payload["number"]),
        status=str(payload["verdict"]),
        detail=detail,
        due=int(payload.get("due", 0)),
    )


def _command_event(run_id: str, at: Instant, command: Command) -> RunEvent:
    return RunEvent(
        run_id,
        at,
        _COMMAND_EVENTS[command.kind],
        command.step,
        command.task,
        command.pointer,
        command.number,
        detail=command.target or command.purpose,
        due=command.due,
    )
