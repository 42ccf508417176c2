"""How runs look to people: lists, one run with its steps, why it is where it is, what it did outside."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from counterpoint.cli.render.failures import fault
from counterpoint.cli.render.records import empty, table
from counterpoint.cli.render.text import (
    STATUS_MARKS,
    STATUS_STYLES,
    compact_json,
    duration,
    one_line,
    plural,
    safe,
    utc,
)

STEP_MARKS = {
    "done": ("✓", "green"),
    "failed": ("✗", "red"),
    "inDoubt": ("?", "yellow"),
    "running": ("▶", "cyan"),
    "retrying": ("↻", "cyan"),
    "backoff": ("↻", "yellow"),
    "waiting": ("◷", "blue"),
}

EFFECT_MARKS = {
    "done": ("✓ done", "green"),
    "notDone": ("✗ not done", "red"),
    "unknown": ("? unknown", "yellow"),
    "underway": ("▶ under way", "cyan"),
}

LABELS = {
    "complete": ("All effects are done.", "green"),
    "partial": ("The run ended mixed: partial.", "bold yellow"),
    "none": ("Nothing was done outside.", "dim"),
    "open": ("The run goes on.", "cyan"),
}


def status_text(status: str) -> Text:
    """A status with its mark and colour."""
    return Text(f"{STATUS_MARKS.get(status, '·')} {safe(status)}", style=STATUS_STYLES.get(status, ""))


def run_list(page: dict[str, Any]) -> RenderableType:
    """A page of runs, newest first."""
    runs = page["items"]
    if not runs:
        return empty("No runs yet. Start one:", "counterpoint run FILE")
    rows = table("RUN", "WORKFLOW", "STATUS", "STARTED", "TOOK", "NOTE")
    for run in runs:
        rows.add_row(
            safe(run["id"]),
            f"{safe(run['workflow'])} {safe(run['version'])}",
            status_text(run["status"]),
            utc(run["started"]),
            _took(run),
            Text(_note(run), style="dim"),
        )
    if not page.get("next"):
        return rows
    more = Text.assemble("More: ", (f"counterpoint runs list --before {safe(page['next'])}", "bold"))
    return Group(rows, more)


def _took(run: dict[str, Any]) -> str:
    return duration(run["ended"] - run["started"]) if run.get("ended") else "–"


def _note(run: dict[str, Any]) -> str:
    cause = run.get("cause") or {}
    return one_line(cause.get("why") or run.get("outcome") or "", 120)


def run_detail(detail: dict[str, Any]) -> RenderableType:
    """A run, its steps, and how it ended."""
    run = detail["run"]
    parts: list[RenderableType] = [_head(run), _facts(detail)]
    if detail.get("steps"):
        parts.append(_steps(detail["steps"]))
    if detail.get("forgotten"):
        parts.append(
            Text(f"{plural(detail['forgotten'], 'row')} of settled parts were compacted.", style="dim")
        )
    if detail.get("children"):
        parts.append(Text("children", style="bold"))
        parts.append(_children(detail["children"]))
    if "output" in detail:
        parts.append(Text.assemble(("output ", "bold"), compact_json(detail["output"], 500)))
    if detail.get("fault") and not run.get("cause"):
        parts.append(fault(detail["fault"]))
    parts.extend(cause_lines(run.get("cause")))
    return Group(*parts)


def _head(run: dict[str, Any]) -> Text:
    named = f" {safe(run['namespace'])}/{safe(run['workflow'])} {safe(run['version'])} "
    return Text.assemble(status_text(run["status"]), named, (safe(run["id"]), "bold"))


def _facts(detail: dict[str, Any]) -> Table:
    run = detail["run"]
    facts = {
        "environment": run["environment"],
        "started": f"{utc(run['started'])} by {run['actor']}" + _via(detail.get("trigger")),
        "ended": f"{utc(run['ended'])} after {_took(run)}" if run.get("ended") else "",
        "outcome": run.get("outcome"),
        "start key": run.get("startKey"),
        "parent": run.get("parentId"),
        "correlation": run["correlationId"],
        "trace": run["traceId"],
        "input": compact_json(detail["input"], 200) if "input" in detail else "",
    }
    grid = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if value:
            grid.add_row(Text(f"  {name}", style="dim"), one_line(value, 400))
    return grid


def _via(trigger: str | None) -> str:
    return f" through {trigger}" if trigger else ""


def _steps(steps: list[dict[str, Any]]) -> Table:
    rows = table("", "STEP", "CALLS", "ATTEMPTS", "TOOK", "NOTE", numbers=frozenset({"ATTEMPTS"}))
    for step in steps:
        mark, style = STEP_MARKS.get(step["state"], ("·", ""))
        took = duration(step["ended"] - step["started"]) if step.get("ended") else safe(step["state"])
        rows.add_row(
            Text(mark, style=style),
            one_line(step["step"]),
            one_line(step.get("target") or step.get("purpose") or step["kind"]),
            str(len(step.get("attempts", ()))) if step["kind"] == "call" else "",
            took,
            Text(_step_note(step), style="dim"),
        )
    return rows


def _step_note(step: dict[str, Any]) -> str:
    if step.get("due") and not step.get("ended"):
        return f"due {utc(step['due'])}"
    if step.get("child"):
        return f"child {safe(step['child'])}"
    attempts = step.get("attempts") or [{}]
    problem = attempts[-1].get("fault") or {}
    return one_line(problem.get("detail") or problem.get("title") or "", 160)


def _children(children: list[dict[str, Any]]) -> Table:
    rows = table("RUN", "WORKFLOW", "STATUS")
    for run in children:
        rows.add_row(safe(run["id"]), safe(run["workflow"]), status_text(run["status"]))
    return rows


def cause_lines(cause: dict[str, Any] | None) -> list[RenderableType]:
    """Where, why and what to do next, for a run that faulted or paused."""
    if not cause:
        return []
    lines: list[RenderableType] = []
    for label, key in (("where", "where"), ("why", "why")):
        if cause.get(key):
            lines.append(Text.assemble((f"{label}: ", "bold"), one_line(cause[key])))
    if cause.get("next"):
        lines.append(Text(f"→ {one_line(cause['next'])}", style="green"))
    return lines


def explanation(data: dict[str, Any]) -> RenderableType:
    """Why a run is where it is, as a tree in order of time."""
    tree = Tree(_head(data["run"]), guide_style="dim")
    now = data["now"]
    sentences = data["sentences"]
    # The last two say where the run stands now, which has its own place below.
    for sentence in sentences[:-2] if len(sentences) >= 2 else sentences:
        tree.add(Text(one_line(sentence)))
    parts: list[RenderableType] = [tree, *cause_lines(now)]
    if not data.get("isComplete", True):
        parts.append(
            Text("The history is longer than one look reads; this is its beginning.", style="yellow")
        )
    return Group(*parts)


def effect_report(data: dict[str, Any]) -> RenderableType:
    """What a run did outside, effect by effect."""
    label, style = LABELS.get(data["label"], (data["label"], ""))
    parts: list[RenderableType] = [_head(data["run"]), Text(label, style=style)]
    if data["effects"]:
        rows = table(
            "EFFECT", "TASK", "TARGET", "ATTEMPTS", "REPEATABLE", "NEXT", numbers=frozenset({"ATTEMPTS"})
        )
        for effect in data["effects"]:
            rows.add_row(*_effect_cells(effect))
        counts = f"{data['done']} done, {data['notDone']} not done, {data['unknown']} unknown"
        parts += [rows, Text(counts, style="bold")]
    if data.get("forgotten"):
        gone = plural(data["forgotten"], "row")
        parts.append(Text(f"{gone} of settled parts were compacted; their effects are done.", style="dim"))
    return Group(*parts)


def _effect_cells(effect: dict[str, Any]) -> tuple[Text, str, str, str, str, str]:
    word, style = EFFECT_MARKS.get(effect["state"], (effect["state"], ""))
    mark = Text(safe(word), style=style)
    if effect.get("mayHaveRunTwice"):
        mark.append(" (may have run twice)", style="yellow")
    kind = {"natural": "yes", "key": "by its key", "none": "no"}.get(
        effect["idempotency"], effect["idempotency"]
    )
    task = one_line(effect.get("task") or effect["step"])
    return (
        mark,
        task,
        one_line(effect["target"]),
        str(effect["attempts"]),
        safe(kind),
        one_line(effect.get("next", "")),
    )


def history(page: dict[str, Any]) -> RenderableType:
    """Decoded rows of a history."""
    rows = table("ROW", "TIME", "INPUT", "STEP", "ASKED FOR", numbers=frozenset({"ROW"}))
    for row in page["rows"]:
        commands = [
            f"{c['kind']} {c.get('target') or c.get('purpose') or ''}".strip()
            for c in row.get("commands", ())
        ]
        if end := row.get("end"):
            commands.append(f"end {end['status']}")
        rows.add_row(
            str(row["seq"]),
            utc(row["at"]),
            _input_kind(row["kind"]),
            one_line(row.get("step") or "–"),
            one_line(", ".join(commands), 120),
        )
    if not page.get("next"):
        return rows
    where = f"counterpoint runs history {safe(page['runId'])} --after {page['next']}"
    return Group(rows, Text.assemble("More: ", (where, "bold")))


def _input_kind(number: int) -> str:
    from counterpoint.ports.history import InputKind

    try:
        return InputKind(number).name.lower().replace("_", " ")
    except ValueError:
        return f"kind {number}"


def verification(data: dict[str, Any]) -> RenderableType:
    """Result of recomputing a digest chain."""
    if data["isIntact"]:
        text = f"The chain of {plural(data['rows'], 'row')} is intact; its head is {safe(data['head'])}."
        return Text(text, style="green")
    return Text(
        f"The chain is broken after {plural(data['rows'], 'row')}: {safe(data['problem'])}", style="bold red"
    )


def stuck_groups(report: dict[str, Any]) -> RenderableType:
    """Stuck runs grouped by cause, the largest group first, each with what to do."""
    if not report["groups"]:
        return Text("No run is stuck.", style="green")
    parts: list[RenderableType] = []
    for group in report["groups"]:
        place = group.get("task") or group.get("pointer")
        at = f" at {one_line(place)}" if place else ""
        head = Text.assemble(
            (plural(group["count"], "run"), "bold red"),
            f" of {safe(group['namespace'])}/{safe(group['workflow'])}{at}: ",
            (safe(group["code"]), "yellow"),
            f" {group['status']}" if group.get("status") else "",
        )
        tree = Tree(head, guide_style="dim")
        tree.add(f"oldest {safe(group['example'])} of {utc(group['oldest'])}")
        if group.get("why"):
            tree.add(one_line(group["why"]))
        if group.get("next"):
            tree.add(Text(f"→ {one_line(group['next'])}", style="green"))
        tree.add(
            Text(f"retry all, one first: counterpoint runs retry --stuck --cause {safe(group['group'])}")
        )
        parts.append(tree)
    if not report.get("isComplete", True):
        parts.append(Text("There are more stuck runs than one look reads.", style="yellow"))
    return Group(*parts)


def bulk_progress(item: dict[str, Any]) -> RenderableType:
    """One piece of progress of a bulk retry."""
    style = {"canaryFailed": "red", "canaryUndecided": "yellow", "refused": "yellow", "finished": "green"}
    text = item.get("detail") or f"{item['kind']} {item.get('runId', '')}"
    return Text(one_line(text), style=style.get(item["kind"], ""))


def result_lines(result: dict[str, Any]) -> RenderableType:
    """How a run stands that did not complete: its fault, and what to do."""
    status, run_id = result["status"], safe(result["runId"])
    parts: list[RenderableType] = [Text.assemble(status_text(status), f" {run_id}")]
    if result.get("fault"):
        parts.append(fault(result["fault"]))
    elif result.get("cause"):
        parts.append(Text.assemble(("  cause: ", "dim"), one_line(result["cause"])))
    parts.append(
        Text(f"→ `counterpoint runs explain {run_id}` says why, and what to do next.", style="green")
    )
    return Group(*parts)


def steered(record: dict[str, Any]) -> RenderableType:
    """A run after a command to it."""
    return _head(record)
