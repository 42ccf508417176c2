"""Shape of a whole document (schema root, `document`, `use`, `schedule`, `evaluate`)."""

from __future__ import annotations

from counterpoint.core.dsl.grammar_extras import DOCUMENT_METADATA
from counterpoint.core.dsl.grammar_parts import (
    AUTHENTICATION,
    CATALOG,
    DURATION,
    ERROR,
    INPUT,
    OUTPUT,
    RETRY,
    STRATEGY,
    TIMEOUT,
    TIMEOUT_OR_NAME,
)
from counterpoint.core.dsl.grammar_tasks import EXTENSION, READ_FORMS, TASK, TASKS
from counterpoint.core.dsl.pointers import Path
from counterpoint.core.dsl.report import Report
from counterpoint.core.dsl.shapes import MAP, TEXT, Both, Fields, ListOf, MapOf, NamedList, Shape, Text
from counterpoint.core.values import JsonValue

_LABEL = Text(
    pattern=r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?",
    rule="a name has letters, digits and inner hyphens, at most 63",
)
_NUMBER = r"(?:0|[1-9]\d*)"
_PRE_RELEASE = rf"(?:{_NUMBER}|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_VERSION = Text(
    pattern=rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PRE_RELEASE}(?:\.{_PRE_RELEASE})*)?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    rule="a semantic version has three numbers, such as 1.0.0",
)

_DOCUMENT = Fields(
    "`document`",
    {
        "dsl": _VERSION,
        "namespace": _LABEL,
        "name": _LABEL,
        "version": _VERSION,
        "title": TEXT,
        "summary": TEXT,
        "tags": MAP,
        "metadata": DOCUMENT_METADATA,
    },
    ("dsl", "namespace", "name", "version"),
)

_USE = Fields(
    "`use`",
    {
        "authentications": MapOf(AUTHENTICATION),
        "errors": MapOf(ERROR),
        "extensions": NamedList(EXTENSION, "extension"),
        "functions": MapOf(TASK),
        "retries": MapOf(RETRY),
        "secrets": ListOf(TEXT),
        "timeouts": MapOf(TIMEOUT),
        "catalogs": MapOf(CATALOG),
    },
)


def _read_with_on(value: JsonValue, path: Path, report: Report) -> None:
    if "read" in value and "on" not in value:
        report.add(
            (*path, "read"),
            "missing",
            "`read` needs `on`.",
            "Remove `read`, or say which events start a run.",
        )


_SCHEDULE = Both(
    Fields(
        "`schedule`",
        {"every": DURATION, "cron": TEXT, "after": DURATION, "on": STRATEGY, "read": READ_FORMS},
    ),
    _read_with_on,
)

DOCUMENT: Shape = Fields(
    "a workflow",
    {
        "document": _DOCUMENT,
        "input": INPUT,
        "use": _USE,
        "do": TASKS,
        "timeout": TIMEOUT_OR_NAME,
        "output": OUTPUT,
        "schedule": _SCHEDULE,
        "evaluate": Fields("`evaluate`", {"language": TEXT, "mode": Text(("strict", "loose"))}),
    },
    ("document", "do"),
    is_open=True,
)
"""What a workflow document may look like; unknown keys at its root are accepted, as in the standard."""
