"""How workflows, actors, audit rows, settings and findings look to people."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from counterpoint.cli.render.text import compact_json, one_line, plural, safe, safe_document, utc


def table(*columns: str, numbers: frozenset[str] = frozenset()) -> Table:
    """An empty table without a frame, which stays readable in a narrow terminal."""
    result = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for name in columns:
        result.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    return result


def empty(sentence: str, command: str) -> Text:
    """An empty list, and the command that would fill it."""
    return Text.assemble(f"{sentence} ", (command, "bold"))


def workflows(revisions: list[dict[str, Any]]) -> RenderableType:
    """Active revision of each workflow."""
    if not revisions:
        return empty("No workflows yet. Deploy one:", "counterpoint deploy FILE")
    rows = table("NAMESPACE", "WORKFLOW", "VERSION", "OWNER", "CRITICALITY", "DEPLOYED")
    for item in revisions:
        rows.add_row(
            safe(item["namespace"]),
            Text(safe(item["name"]), style="bold"),
            _version(item),
            safe(item.get("owner") or "–"),
            safe(item.get("criticality") or "–"),
            utc(item["deployed"]),
        )
    return rows


def revisions(items: list[dict[str, Any]]) -> RenderableType:
    """All revisions of a workflow, newest first."""
    rows = table("", "VERSION", "DEPLOYED", "BY", "DIGEST")
    for item in items:
        mark = Text("active", style="green") if item.get("isActive") else Text("")
        digest = safe(item["digest"])[:12]
        rows.add_row(
            mark, _version(item), utc(item["deployed"]), safe(item["actor"]), Text(digest, style="dim")
        )
    return rows


def _version(item: dict[str, Any]) -> Text:
    return Text.assemble(safe(item["version"]), (" dev", "yellow") if item.get("isDev") else "")


def actors(items: list[dict[str, Any]]) -> RenderableType:
    """All local actors."""
    if not items:
        return empty("No local actors yet. Add one:", "counterpoint actors add NAME")
    rows = table("ACTOR", "ADDED", "BY", "")
    for item in items:
        state = Text("disabled", style="red") if item.get("isDisabled") else Text("")
        rows.add_row(safe(item["name"]), utc(item["created"]), safe(item["createdBy"]), state)
    return rows


def audit(entries: list[dict[str, Any]]) -> RenderableType:
    """Audit rows, newest first."""
    if not entries:
        return Text("Nothing was changed yet.")
    rows = table("NO", "TIME", "ACTOR", "ACTION", "TARGET", "DETAIL", numbers=frozenset({"NO"}))
    for entry in entries:
        detail = entry.get("detail") or {}
        rows.add_row(
            str(entry["auditNo"]),
            utc(entry["at"]),
            safe(entry["actor"]),
            safe(entry["action"]),
            safe(entry["target"]),
            Text(compact_json(detail, 80) if detail else "", style="dim"),
        )
    return rows


def settings(values: list[dict[str, Any]]) -> RenderableType:
    """Each setting, its value and its source."""
    rows = table("SETTING", "VALUE", "SOURCE")
    for item in values:
        source = item["source"] if not item["name"] else f"{item['source']} {item['name']}"
        style = "dim" if item["source"] == "default" else "green"
        rows.add_row(item["key"], compact_json(item["value"], 80), Text(safe(source), style=style))
    return rows


def findings(items: list[dict[str, Any]]) -> RenderableType:
    """What the examination found, and what to do about what is not well."""
    parts: list[RenderableType] = []
    rows = table("", "CHECK", "FOUND")
    for item in items:
        mark = Text("ok", style="green") if item["isOk"] else Text("bad", style="bold red")
        rows.add_row(mark, safe(item["name"]), safe(item["value"]))
    parts.append(rows)
    bad = [item for item in items if not item["isOk"]]
    for item in bad:
        advice = one_line(item.get("advice") or "no advice")
        parts.append(Text.assemble(("→ ", "green"), (f"{safe(item['name'])}: ", "bold"), advice))
    if not bad:
        parts.append(Text(f"All {plural(len(items), 'check')} passed.", style="green"))
    return Group(*parts)


def deployment(result: dict[str, Any]) -> RenderableType:
    """What a deploy did, or would do."""
    revision = result.get("revision")
    named = f"{safe(result['namespace'])}/{safe(result['name'])} {safe(result['version'])}"
    if revision is None:
        verb = "would be deployed"
    else:
        verb = "was deployed" if revision.get("isNew", True) else "is deployed already, with the same content"
    parts: list[RenderableType] = [Text.assemble((named, "bold"), f" {verb}.")]
    if revision is not None and not revision.get("isActive", True):
        parts.append(Text("A higher version stays active.", style="yellow"))
    if result.get("warnings"):
        parts.append(warning_lines(result["warnings"]))
    return Group(*parts)


def warning_lines(warnings: list[dict[str, Any]]) -> RenderableType:
    """Warnings about a document, a line each."""
    lines: list[RenderableType] = []
    for warning in warnings:
        line = f"line {warning['line']}: " if warning.get("line") else ""
        text = f"{line}{one_line(warning['pointer'])} {one_line(warning['message'])}"
        lines.append(Text.assemble(("warning ", "bold yellow"), text))
    return Group(*lines)


def workflow_detail(detail: dict[str, Any]) -> RenderableType:
    """A workflow: its revision, its versions and its document."""
    from rich.syntax import Syntax

    item = detail["revision"]
    head = Text.assemble((f"{safe(item['namespace'])}/{safe(item['name'])} ", "bold"), _version(item))
    if owner := item.get("owner"):
        head.append(f", owned by {safe(owner)}")
    document = Syntax(safe_document(detail["document"]), "yaml", background_color="default", word_wrap=True)
    return Group(head, revisions(detail["revisions"]), Text(), document)


def backup_progress(item: dict[str, Any]) -> RenderableType:
    """How far a backup is."""
    total = item.get("total", 0)
    share = f" {100 * item.get('done', 0) // total} %" if total else ""
    return Text(f"{safe(item['phase'])}{share}", style="dim")
