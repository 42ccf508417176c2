"""The screen: a live view while tickets go through, and the balance at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stage.progress import Progress
from stage.result import Result

WIDTH = 100
NAMES = {
    "slow": "slow answers",
    "unavailable": "503 unavailable",
    "throttled": "429 with Retry-After",
    "unauthorized": "401 credential expired",
    "lostReply": "reply lost after the effect",
}
STYLES = {"completed": "green", "running": "cyan", "suspended": "yellow", "faulted": "red"}
KINDS = {
    "issue": "issues in ticketing",
    "note": "notes in the CRM",
    "message": "messages in the chat",
    "incident": "incidents",
}


class Screen:
    """Live view on a terminal; a line for each event elsewhere.

    Args:
        console: Where it is shown.
        progress: What is shown.
        is_chaos: Whether failures are wanted.
    """

    def __init__(self, console: Console, progress: Progress, is_chaos: bool) -> None:
        self._console = console
        self._progress = progress
        self._is_chaos = is_chaos
        self._live = Live(console=console, get_renderable=self._view, refresh_per_second=8, transient=True)

    def __enter__(self) -> Screen:
        if self._console.is_terminal:
            self._live.start()
        else:
            self._progress.listeners.append(self._print)
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def _print(self, event: tuple[float, str]) -> None:
        self._console.print(_event_line(event), soft_wrap=True)

    def _view(self) -> RenderableType:
        progress = self._progress
        columns = Table.grid(padding=(0, 4), expand=False)
        columns.add_row(_runs(progress), _apps(progress), _engine(progress))
        parts: list[RenderableType] = [_bar(progress), Text(), columns]
        if self._is_chaos:
            parts += [Text(), *map(_event_line, progress.events)]
        title = f"Support desk · {progress.total} tickets" + (" · chaos" if self._is_chaos else "")
        return Panel(Group(*parts), title=title, width=min(WIDTH, self._console.width), padding=(1, 2))


def _event_line(event: tuple[float, str]) -> Text:
    at, text = event
    return Text.assemble((f"{at:6.1f} s  ", "dim"), text)


def _bar(progress: Progress) -> RenderableType:
    done = progress.counts["completed"]
    row = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=progress.total, completed=done, width=50)
    rate = done / progress.elapsed_s
    row.add_row(bar, f"{done} of {progress.total}", f"{rate:,.0f} runs/s", f"{progress.elapsed_s:.1f} s")
    return row


def _figures(title: str, rows: list[tuple[str, object, str]]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", min_width=5)
    table.add_column()
    table.add_row("", Text(title, style="bold"))
    for name, value, style in rows:
        table.add_row(Text(f"{value:,}" if isinstance(value, int) else str(value), style=style), name)
    return table


def _runs(progress: Progress) -> Table:
    counts = progress.counts
    shown = ("completed", "running", "suspended", "faulted")
    words = {"suspended": "paused"}
    return _figures("Runs", [(words.get(s, s), counts[s], STYLES[s] if counts[s] else "dim") for s in shown])


def _apps(progress: Progress) -> Table:
    figures = progress.figures
    rows: list[tuple[str, object, str]] = [
        ("requests", figures["requests"], ""),
        ("effects", figures["effects"], "green"),
        ("asked again", figures["repeated"], "yellow"),
        ("answered from memory", figures["replayed"], "yellow"),
    ]
    rows += [(NAMES[kind], count, "red") for kind, count in figures["failures"].items()]
    return _figures("Apps", rows)


def _engine(progress: Progress) -> Table:
    rows: list[tuple[str, object, str]] = [("kill -9", progress.kills, "red" if progress.kills else "dim")]
    if progress.recoveries:
        rows.append(("ms to come back", progress.recoveries[-1], "cyan"))
    rows.append(("calls asked again", progress.restarted_calls, "dim"))
    return _figures("Engine", rows)


def show_result(console: Console, result: Result) -> None:
    """Show the balance."""
    table = Table(title="The balance", title_style="bold", title_justify="left")
    table.add_column("What tickets led to")
    for name in ("expected", "found", "lost", "doubled"):
        table.add_column(name, justify="right")
    for kind, line in result.balance["kinds"].items():
        counts = [len(line["lost"]), len(line["doubled"]) + len(line["unexpected"])]
        marks = [Text(str(count), style="bold red" if count else "green") for count in counts]
        table.add_row(KINDS[kind], str(line["expected"]), str(line["found"]), *marks)
    console.print(table)
    console.print(_story(result), soft_wrap=True)
    for kind, line in result.balance["kinds"].items():
        for name in ("lost", "doubled", "unexpected"):
            if line[name]:
                shown = ", ".join(line[name][:8]) + (" …" if len(line[name]) > 8 else "")
                console.print(f"[red]{KINDS[kind]}: {name}: {escape(shown)}[/]", soft_wrap=True)
    verdict = "Nothing lost, nothing doubled." if result.is_good else "The balance is not even."
    console.print(Text(verdict, style="bold green" if result.is_good else "bold red"))


def _story(result: Result) -> str:
    figures = result.figures
    runs = ", ".join(f"{count} {status}" for status, count in sorted(result.statuses.items()))
    ends = ", ".join(f"{count} {outcome}" for outcome, count in sorted(result.outcomes.items()))
    lines = [
        f"Runs: {runs} in {result.elapsed_s:.1f} s ({ends})",
        f"Requests: {figures['requests']}; asked again: {figures['repeated']}; effects: {figures['effects']}",
    ]
    if figures["failures"]:
        failed = ", ".join(f"{count} {NAMES[kind]}" for kind, count in figures["failures"].items())
        lines.append(f"Failures of the apps: {failed}; answered from memory: {figures['replayed']}")
    if result.kills:
        times = ", ".join(f"{took} ms" for took in result.recoveries)
        lines.append(f"The engine was killed {result.kills} times; it was back after {times}")
    return "\n".join(lines)


def show_hints(console: Console, command: str, data: Path, example: str) -> None:
    """Say how to look closer."""
    call = f"{command} --data {data}"
    rows: list[tuple[str, Any]] = [
        (f"{call} runs list", "every run"),
        (f"{call} runs explain {example}", "one that had a hard time"),
        (f"{call} runs effects {example}", "what it did outside, and how often it asked"),
        (f"{call} runs list --stuck", "what is stuck, by cause"),
    ]
    console.print("\nLook closer:")
    for line, what in rows:
        console.print(f"  {escape(line)}  [dim]# {what}[/]", soft_wrap=True, highlight=False)
