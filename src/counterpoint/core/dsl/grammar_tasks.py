"""Shapes of tasks: one table per kind (DSL: Task)."""

from __future__ import annotations

from counterpoint.core.dsl.grammar_calls import calls_of, iterator_of
from counterpoint.core.dsl.grammar_extras import task_metadata_of
from counterpoint.core.dsl.grammar_parts import (
    DURATION,
    EMITTED_EVENT,
    ERROR,
    ERROR_FILTER,
    EXPORT,
    INPUT,
    OUTPUT,
    RESOURCE,
    RETRY_OR_NAME,
    STRATEGY,
    TIMEOUT_OR_NAME,
)
from counterpoint.core.dsl.pointers import Path
from counterpoint.core.dsl.report import Report
from counterpoint.core.dsl.shapes import (
    FLAG,
    MAP,
    TEXT,
    Both,
    ByType,
    Fields,
    ListOf,
    MapOf,
    NamedList,
    Shape,
    Text,
    wrong_type,
)
from counterpoint.core.values import JsonValue

PROTOCOLS = ("openapi", "asyncapi", "grpc", "a2a", "mcp")
READ_FORMS = Text(("data", "envelope", "raw"))


class _TaskShape:
    """A task: the shape of its kind, which its kind key decides."""

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Report no kind, two kinds, or what the shape of the kind finds."""
        if not isinstance(value, dict):
            wrong_type(value, "a task (a map)", path, report)
            return
        kinds = kinds_of(value)
        if not kinds:
            self._report_no_kind(value, path, report)
            return
        if len(kinds) > 1:
            names = ", ".join(f"`{kind}`" for kind in kinds)
            hint = "Make a task of each, with a name of its own."
            report.add(path, "two-kinds", f"A task has one kind; this one has {names}.", hint)
            self._check_all(kinds, value, path, report)
            return
        KINDS[kinds[0]].check(value, path, report)

    def _report_no_kind(self, value: dict[str, JsonValue], path: Path, report: Report) -> None:
        unknown = [key for key in list(value)[:20] if key not in _COMMON]
        near = [(key, report.nearest(key, KINDS)) for key in unknown]
        hint = next((f"Is `{key}` meant to be `{kind}`?" for key, kind in near if kind), "")
        known = ", ".join(f"`{kind}`" for kind in KINDS)
        message = "The task has no kind." if value else "The task is empty."
        report.add(path, "no-kind", message, hint or f"Give it one of {known}.")

    def _check_all(self, kinds: list[str], value: dict[str, JsonValue], path: Path, report: Report) -> None:
        members = {name: shape for kind in kinds for name, shape in _MEMBERS[kind].items()}
        for name, item in value.items():
            shape = members.get(name) or _COMMON.get(name)
            if shape is not None:
                shape.check(item, (*path, name), report)


def kinds_of(task: JsonValue) -> list[str]:
    """Kind keys of a task; `do` belongs to `for` when both are there."""
    if not isinstance(task, dict):
        return []
    kinds = [kind for kind in KINDS if kind in task]
    if "for" in kinds and "do" in kinds:
        kinds.remove("do")
    return kinds


TASK: Shape = _TaskShape()
TASKS: Shape = NamedList(TASK, "task")
ITERATOR = iterator_of(TASKS)

_COMMON: dict[str, Shape] = {
    "if": TEXT,
    "input": INPUT,
    "output": OUTPUT,
    "export": EXPORT,
    "timeout": TIMEOUT_OR_NAME,
    "then": TEXT,
    "metadata": task_metadata_of(TASK),
}

_CATCH = Fields(
    "a `catch`",
    {
        "errors": Fields("`errors`", {"with": ERROR_FILTER}, is_open=True),
        "as": TEXT,
        "when": TEXT,
        "exceptWhen": TEXT,
        "retry": RETRY_OR_NAME,
        "do": TASKS,
        "then": TEXT,
    },
)

_CASE = Fields("a case", {"when": TEXT, "then": TEXT}, ("then",))

# The schema wants a list; the text's own examples use a map (A32).
_ARGUMENTS = ByType("a list or a map of arguments", items=ListOf(TEXT), mapping=MAP)
_LIFETIME = Fields(
    "a lifetime",
    {"cleanup": Text(("always", "never", "eventually")), "after": DURATION},
    ("cleanup",),
)


def _after_with_eventually(value: JsonValue, path: Path, report: Report) -> None:
    is_eventual = value.get("cleanup") == "eventually"
    if is_eventual and "after" not in value:
        report.add(path, "missing", "`after` is missing: `cleanup: eventually` needs it.")
    if not is_eventual and "after" in value:
        report.add((*path, "after"), "unknown-key", "`after` belongs to `cleanup: eventually` alone.")


_PROCESSES: dict[str, Shape] = {
    "container": Fields(
        "a container",
        {
            "image": TEXT,
            "name": TEXT,
            "command": TEXT,
            "ports": MAP,
            "volumes": MAP,
            "environment": MAP,
            "stdin": TEXT,
            "arguments": ListOf(TEXT),
            "lifetime": Both(_LIFETIME, _after_with_eventually),
            "pullPolicy": Text(("ifNotPresent", "always", "never")),
        },
        ("image",),
    ),
    "script": Fields(
        "a script",
        {
            "language": TEXT,
            "code": TEXT,
            "source": RESOURCE,
            "stdin": TEXT,
            "arguments": _ARGUMENTS,
            "environment": MAP,
        },
        ("language",),
        one_of=("code", "source"),
    ),
    "shell": Fields(
        "a shell command",
        {"command": TEXT, "stdin": TEXT, "arguments": _ARGUMENTS, "environment": MAP},
        ("command",),
    ),
    "workflow": Fields(
        "a workflow to run",
        {"namespace": TEXT, "name": TEXT, "version": TEXT, "input": MAP},
        ("namespace", "name", "version"),
    ),
}
RUNS = tuple(_PROCESSES)
_RUN = Fields(
    "a `run`",
    {
        **_PROCESSES,
        "await": FLAG,
        "return": Text(("stdout", "stderr", "code", "all", "none")),
    },
    one_of=RUNS,
)

_INLINE_ITEMS = ListOf(MAP)
_EVENT = Fields("an event", {"with": EMITTED_EVENT}, ("with",), is_open=True)

_MEMBERS: dict[str, dict[str, Shape]] = {
    "call": {"call": TEXT, "with": MAP},
    "do": {"do": TASKS},
    "emit": {"emit": Fields("an `emit`", {"event": _EVENT}, ("event",))},
    "for": {
        "for": Fields(
            "a `for`",
            {
                "each": TEXT,
                "in": ByType("an expression or a list of maps", text=TEXT, items=_INLINE_ITEMS),
                "at": TEXT,
            },
            ("in",),
        ),
        "while": TEXT,
        "do": TASKS,
    },
    "fork": {"fork": Fields("a `fork`", {"branches": TASKS, "compete": FLAG}, ("branches",))},
    "listen": {
        "listen": Fields("a `listen`", {"to": STRATEGY, "read": READ_FORMS}, ("to",)),
        "foreach": ITERATOR,
    },
    "raise": {
        "raise": Fields(
            "a `raise`",
            {"error": ByType("an error or the name of one in `use.errors`", text=TEXT, mapping=ERROR)},
            ("error",),
        )
    },
    "run": {"run": _RUN},
    "set": {"set": ByType("a map or an expression", text=TEXT, mapping=MapOf(least=1))},
    "switch": {"switch": NamedList(_CASE, "case", least=1)},
    "try": {"try": TASKS, "catch": _CATCH},
    "wait": {"wait": DURATION},
}
_REQUIRED = {"for": ("for", "do"), "try": ("try", "catch")}


class _CallShape:
    """A `call`: the shape of `with` depends on what is called."""

    def __init__(self) -> None:
        self.calls = calls_of(ITERATOR)
        function = Fields("a call", {**_COMMON, **_MEMBERS["call"]}, ("call",))
        self.shapes: dict[str, Fields] = {
            name: Fields(f"`call: {name}`", {**_COMMON, "call": TEXT, "with": shape}, ("call", "with"))
            for name, shape in self.calls.items()
        }
        self.function = function

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Check with the shape of the protocol that is called, else as a function."""
        called = value.get("call")
        shape = self.shapes.get(called) if isinstance(called, str) else None
        (shape or self.function).check(value, path, report)


KINDS: dict[str, Shape] = {
    "call": _CallShape(),
    **{
        kind: Fields(f"a `{kind}` task", {**_COMMON, **members}, _REQUIRED.get(kind, (kind,)))
        for kind, members in _MEMBERS.items()
        if kind != "call"
    },
}
"""Shape of each kind of task."""

TARGETS = (
    "call",
    "composite",
    "emit",
    "for",
    "listen",
    "raise",
    "run",
    "set",
    "switch",
    "try",
    "wait",
    "all",
)
EXTENSION = Fields(
    "an extension",
    {"extend": Text(TARGETS), "when": TEXT, "before": TASKS, "after": TASKS},
    ("extend",),
)
