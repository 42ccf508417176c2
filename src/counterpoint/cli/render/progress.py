"""A run as it goes on: a live table on a terminal, a line for each event elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from counterpoint.cli.render.text import (
    STATUS_MARKS,
    STATUS_STYLES,
    clock_time,
    duration,
    one_line,
    plural,
    safe,
)

MAX_LIVE = 200
"""Steps under way that are kept; a run with more shows the latest."""

MAX_DONE = 12
"""Steps that are over and still shown."""

_VERDICTS = {
    "done": ("✓", "green"),
    "retryable": ("↻", "yellow"),
    "throttled": ("↻", "yellow"),
    "authentication": ("✗", "red"),
    "permanent": ("✗", "red"),
    "inDoubt": ("?", "yellow"),
    "failed": ("✗", "red"),
    "started": ("▶", "cyan"),
    "retrying": ("↻", "cyan"),
    "backoff": ("↻", "yellow"),
    "waiting": ("◷", "blue"),
}


class StepRow(msgspec.Struct):
    """A step as the table shows it."""

    task: str
    state: str = "started"
    number: int = 0
    started: int = 0
    ended: int = 0
    detail: str = ""


class Progress:
    """Live table of a run.

    Args:
        now: Gives the present instant, for the time that steps under way have taken.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._live: dict[str, StepRow] = {}
        self._done: deque[StepRow] = deque(maxlen=MAX_DONE)
        self._count_done = 0
        self._run = ""
        self._status = ""
        self._seen: set[str] = set()

    def apply(self, event: dict[str, Any]) -> None:
        """Take one event of the run into account."""
        self._run = event.get("runId", self._run)
        handler = _HANDLERS.get(event["kind"])
        if handler is not None:
            handler(self, event)

    def _begin(self, event: dict[str, Any]) -> None:
        row = self._row(event)
        row.state, row.number = "started", event.get("number", 0) or row.number
        row.detail = one_line(event.get("detail", ""), 80)

    def _wait(self, event: dict[str, Any]) -> None:
        row = self._row(event)
        row.state, row.detail = "waiting", one_line(event.get("detail", ""), 80)

    def _end(self, event: dict[str, Any]) -> None:
        row = self._row(event)
        row.state = _state_after(event)
        row.ended, row.detail = event["at"], one_line(event.get("detail", ""), 80)
        if event.get("due") and row.state != "done":
            return  # another attempt follows
        self._live.pop(event.get("step", ""), None)
        self._done.append(row)
        self._count_done += 1

    def complete(self, steps: list[dict[str, Any]], status: str) -> None:
        """Take the run's end into account, and steps that had no event because they were too quick."""
        self._status = status
        self._live.clear()
        for step in steps:
            if step["step"] not in self._seen and is_shown(step):
                self._done.append(row_of(step))
                self._count_done += 1

    def _set_status(self, event: dict[str, Any]) -> None:
        self._status = event.get("status") or _RUN_STATUS.get(event["kind"], "")

    def _row(self, event: dict[str, Any]) -> StepRow:
        step = event.get("step", "")
        row = self._live.get(step)
        if row is None:
            self._seen.add(step)
            row = StepRow(task=one_line(event.get("task") or step or "–", 60), started=event["at"])
            if len(self._live) >= MAX_LIVE:
                self._live.pop(next(iter(self._live)))
            self._live[step] = row
        return row

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, cut to the height of the terminal."""
        room = max((options.max_height or 24) - 4, 3)
        yield self._head()
        rows = [*self._done, *self._live.values()][-room:]
        hidden = self._count_done + len(self._live) - len(rows)
        if hidden > 0:
            yield Text(f"  {plural(hidden, 'other step')}", style="dim")
        grid = Table.grid(padding=(0, 1))
        for row in rows:
            grid.add_row(*self._cells(row))
        yield grid

    def _head(self) -> Text:
        status = self._status or "running"
        mark = STATUS_MARKS.get(status, "·")
        return Text.assemble(
            (f"{mark} {safe(status)} ", STATUS_STYLES.get(status, "")), (safe(self._run), "dim")
        )

    def _cells(self, row: StepRow) -> tuple[Text, Text, Text, Text]:
        mark, style = _VERDICTS.get(row.state, ("·", ""))
        taken = (row.ended or self._now()) - row.started
        attempt = f" attempt {row.number}" if row.number > 1 else ""
        detail = Text(f"{row.detail}{attempt}".strip(), style="dim", no_wrap=True, overflow="ellipsis")
        name = Text(row.task, no_wrap=True, overflow="ellipsis")
        return Text(f"  {mark}", style=style), name, Text(duration(taken), style="dim"), detail


def is_shown(step: dict[str, Any]) -> bool:
    """Whether a step of a timeline interests people: time-outs that did not pass do not."""
    return step["kind"] != "timer" or step.get("purpose") != "timeout"


def row_of(step: dict[str, Any]) -> StepRow:
    """Row of a step of a timeline."""
    attempts = step.get("attempts") or [{}]
    problem = attempts[-1].get("fault") or {}
    return StepRow(
        task=one_line(step.get("task") or step["step"], 60),
        state={"failed": "permanent", "running": "started"}.get(step["state"], step["state"]),
        number=len(attempts),
        started=step["started"],
        ended=step.get("ended", 0),
        detail=one_line(problem.get("detail") or step.get("target", ""), 80),
    )


class EventLines:
    """A line for each event of a run, where no table can be shown.

    Args:
        console: Where lines go.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: set[str] = set()

    def apply(self, event: dict[str, Any]) -> None:
        """Print one event."""
        self._seen.add(event.get("step", ""))
        self._console.print(event_line(event), soft_wrap=True)

    def complete(self, steps: list[dict[str, Any]], status: str) -> None:
        """Print steps that had no event because they were too quick, and how the run ended."""
        for step in steps:
            if step["step"] not in self._seen and is_shown(step):
                self._console.print(_step_line(row_of(step)), soft_wrap=True)


def _step_line(row: StepRow) -> Text:
    mark, style = _VERDICTS.get(row.state, ("·", ""))
    line = Text.assemble(
        (f"{clock_time(row.started)} ", "dim"), (f"{mark} ", style), (f"{row.task} ", "bold")
    )
    line.append(row.state, style=style)
    if row.ended:
        line.append(f" in {duration(row.ended - row.started)}")
    if row.number > 1:
        line.append(f", {row.number} attempts")
    if row.detail:
        line.append(f" – {row.detail}", style="dim")
    return line


_RUN_STATUS = {"runStarted": "running", "runSuspended": "suspended", "runResumed": "running"}

_HANDLERS: dict[str, Callable[[Progress, dict[str, Any]], None]] = {
    "runStarted": Progress._set_status,
    "runEnded": Progress._set_status,
    "runSuspended": Progress._set_status,
    "runResumed": Progress._set_status,
    "attemptStarted": Progress._begin,
    "attemptEnded": Progress._end,
    "timerSet": Progress._wait,
    "timerFired": Progress._end,
    "childStarted": Progress._wait,
    "childEnded": Progress._end,
}


def _state_after(event: dict[str, Any]) -> str:
    """State of a step after an event that ended something; what could be retried and is not has failed."""
    status: str = event.get("status") or "done"
    return "failed" if status in {"retryable", "throttled"} and not event.get("due") else status


_VERBS = {
    "runStarted": "run started",
    "attemptStarted": "started",
    "attemptEnded": "attempt ended",
    "timerSet": "waits",
    "timerFired": "woke up",
    "childStarted": "child started",
    "childEnded": "child ended",
    "decision": "decided",
    "runEnded": "run ended",
    "runSuspended": "run paused",
    "runResumed": "run resumed",
}


def event_line(event: dict[str, Any]) -> Text:
    """One event in one line."""
    kind, status = event["kind"], event.get("status", "")
    mark, style = _VERDICTS.get(_state_after(event) if status else "") or (
        STATUS_MARKS.get(status, "·"),
        STATUS_STYLES.get(status, ""),
    )
    attempt = f" (attempt {event['number']})" if event.get("number", 0) > 1 else ""
    line = Text.assemble(
        (f"{clock_time(event['at'])} ", "dim"),
        (f"{mark} ", style),
        (f"{one_line(event.get('task', ''), 60)} " if event.get("task") else "", "bold"),
        _VERBS.get(kind, safe(kind)),
        attempt,
    )
    if status:
        line.append(f": {safe(status)}", style=style)
    if event.get("due"):
        line.append(f", due in {duration(event['due'] - event['at'])}", style="dim")
    if event.get("detail"):
        line.append(f" – {one_line(event['detail'], 200)}", style="dim")
    return line
