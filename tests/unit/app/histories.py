"""Histories written by hand, as the engine writes them."""

from __future__ import annotations

from typing import Any

from counterpoint.core.context import Decision
from counterpoint.core.values import MICROS_PER_S, Instant
from counterpoint.errors import Fault, standard_fault
from counterpoint.ports.history import Command, HistoryEntry, InputKind, RunEnd

START: Instant = 1_767_225_600 * MICROS_PER_S
"""2026-01-01T00:00:00Z."""


def at(seconds: float) -> Instant:
    """Instant that many seconds after the start."""
    return START + round(seconds * MICROS_PER_S)


class Script:
    """Builds the rows of one run."""

    def __init__(self) -> None:
        self.rows: list[HistoryEntry] = []

    def row(self, seconds: float, kind: InputKind, *commands: Command, **more: Any) -> Script:
        """Add a row; `step`, `payload`, `actor`, `decisions`, `end` may be given."""
        seq = more.pop("seq", self.rows[-1].seq + 1 if self.rows else 1)
        self.rows.append(HistoryEntry(seq, at(seconds), seq, kind, commands=commands, **more))
        return self

    def started(self, *commands: Command, **more: Any) -> Script:
        """The first row."""
        payload = {"input": {"ticket": 7}, "trigger": "cli"}
        return self.row(0, InputKind.STARTED, *commands, payload=payload, actor="os:ann", **more)

    def done(self, seconds: float, step: str, *commands: Command, **more: Any) -> Script:
        """An attempt ended well."""
        payload = {"number": more.pop("number", 1), "verdict": "done", "value": {"ok": True}}
        return self.row(seconds, InputKind.RESULT, *commands, step=step, payload=payload, **more)

    def failed(self, seconds: float, step: str, *commands: Command, **more: Any) -> Script:
        """An attempt failed; `number`, `verdict`, `due` (seconds), `uncertain`, `fault` may be given."""
        payload: dict[str, Any] = {
            "number": more.pop("number", 1),
            "verdict": more.pop("verdict", "retryable"),
        }
        fault: Fault = more.pop("fault", UNAVAILABLE)
        payload["fault"] = fault.as_json()
        if "due" in more:
            payload["due"] = at(more.pop("due"))
        if more.pop("uncertain", False):
            payload["isUncertain"] = True
        return self.row(seconds, InputKind.RESULT, *commands, step=step, payload=payload, **more)


UNAVAILABLE = standard_fault("communication", "the ticket desk answered 503", "/do/0/create", status=503)


def attempt(step: str, target: str, number: int = 1, pointer: str = "") -> Command:
    """The engine is asked for an attempt."""
    task = step.rpartition(".")[2]
    return Command("attempt", step, "ab" * 16, number, 0, pointer or f"/do/0/{task}", task, target)


def timer(step: str, seconds: float, purpose: str = "wait") -> Command:
    """The engine is asked for a timer."""
    task = step.partition(".")[0]
    return Command("timer", step, due=at(seconds), pointer=f"/do/0/{task}", task=task, purpose=purpose)


def child(step: str, workflow: str, run_id: str) -> Command:
    """The engine is asked for a child run."""
    return Command("child", step, pointer=f"/do/0/{step}", task=step, target=workflow, child=run_id)


def chose(pointer: str, kind: str, choice: Any, expression: str = "", value: Any = None) -> Decision:
    """A decision."""
    return Decision(pointer, kind, choice, expression, value)


COMPLETED = RunEnd("completed", output={"done": True})
FAULTED = RunEnd("faulted", fault=UNAVAILABLE, step="create")
