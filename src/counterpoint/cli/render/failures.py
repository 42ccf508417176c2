"""How a failure looks to people: what, where, why, what to do."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from counterpoint.cli.documents import Document
from counterpoint.cli.render.text import one_line, plural, safe
from counterpoint.errors import (
    CounterpointError,
    DefinitionError,
    FaultRaised,
    InvalidRequest,
    LockLostError,
    Problem,
    RequestError,
    StorageError,
)

MAX_PROBLEMS = 50
"""Problems of one document that are shown; the rest is counted."""

MAX_WIDTH = 160
"""Characters of a document's line that are shown."""


def failure(error: CounterpointError, document: Document | None = None) -> RenderableType:
    """A failure for people.

    Args:
        error: What went wrong.
        document: The document that it is about, to show the lines in question.
    """
    match error:
        case DefinitionError():
            return definition_problems(error.problems, document)
        case FaultRaised():
            return fault(error.fault.as_json())
        case InvalidRequest() if error.problems:
            lines = [_line(one_line(error, 400), "bold red"), *(_problem(p, None) for p in error.problems)]
            return Group(*lines, *_advice(error.hint))
        case RequestError():
            return Group(_line(safe(error), "bold red"), *_advice(error.hint))
        case LockLostError() | StorageError():
            return Group(
                _line(safe(error), "bold red"), *_advice("`counterpoint doctor` examines the data directory.")
            )
        case _:
            return _line(safe(error), "bold red")


def bug(reference: str, place: str) -> RenderableType:
    """An unexpected failure: one sentence and where its details are."""
    text = "Something unexpected failed inside Counterpoint"
    if not reference:
        return _line(f"{text}, and its details could not be written to {place}.", "bold red")
    what = _line(f"{text} (reference {reference}).", "bold red")
    return Group(what, *_advice(f"Report it with the details that {place} holds under this reference."))


def fault(problem: dict[str, Any]) -> RenderableType:
    """A workflow fault: title and status, detail, place."""
    head = f"{problem.get('title') or problem.get('type', 'Fault')} ({problem.get('status', 500)})"
    parts = [_line(one_line(head), "bold red")]
    if detail := problem.get("detail"):
        parts.append(_field("why", detail))
    if instance := problem.get("instance"):
        parts.append(_field("where", instance))
    parts.append(_field("type", problem.get("type", "")))
    return Group(*parts)


def definition_problems(problems: tuple[Problem, ...], document: Document | None) -> RenderableType:
    """The problems of a document, each with the line it is about."""
    errors = [p for p in problems if not p.is_warning]
    name = f" in {one_line(document.name)}" if document else ""
    counts = plural(len(errors), "problem") if errors else plural(len(problems), "warning")
    parts: list[RenderableType] = [_line(f"{counts}{name}", "bold red" if errors else "bold yellow")]
    lines = document.text.splitlines() if document else []
    for problem in problems[:MAX_PROBLEMS]:
        parts.append(_problem(problem, lines))
    if len(problems) > MAX_PROBLEMS:
        parts.append(_line(f"... and {len(problems) - MAX_PROBLEMS} more", "dim"))
    return Group(*parts)


def _problem(problem: Problem, lines: list[str] | None) -> Text:
    style = "yellow" if problem.is_warning else "red"
    text = Text()
    text.append("warning " if problem.is_warning else "error ", style=f"bold {style}")
    if problem.line:
        text.append(f"line {problem.line}" + (f":{problem.column}" if problem.column else ""), style="bold")
        text.append("  ")
    if problem.pointer:
        text.append(one_line(problem.pointer), style="cyan")
        text.append("  ")
    text.append(one_line(problem.message))
    if lines and 0 < problem.line <= len(lines):
        _append_excerpt(text, lines[problem.line - 1], problem, style)
    if problem.hint:
        text.append(f"\n  → {one_line(problem.hint)}", style="green")
    return text


def _append_excerpt(text: Text, line: str, problem: Problem, style: str) -> None:
    """The line and a caret below its column; a long line is shown around the column."""
    shown = safe(line.replace("\t", " "))
    column = max(problem.column - 1, 0)
    start = max(column - MAX_WIDTH // 2, 0) if len(shown) > MAX_WIDTH else 0
    gutter = f"{problem.line:>5} │ "
    text.append(f"\n{gutter}", style="dim")
    text.append(shown[start : start + MAX_WIDTH])
    if problem.column and column <= len(shown):
        text.append("\n" + " " * 5 + " │ ", style="dim")
        text.append(" " * (column - start) + "^", style=f"bold {style}")


def _line(text: str, style: str = "") -> Text:
    return Text(text, style=style)


def _field(label: str, value: object) -> Text:
    return Text.assemble((f"  {label}: ", "dim"), one_line(value))


def _advice(hint: str) -> list[RenderableType]:
    return [Text(f"→ {one_line(hint)}", style="green")] if hint else []
