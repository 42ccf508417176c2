"""What compiling one document shares: problems, reusable components, and expressions in their places."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from counterpoint.core.dsl.durations import duration_of_units, parse_duration
from counterpoint.core.dsl.grammar_parts import is_expression
from counterpoint.core.dsl.model import DurationSpec, Extension, Task, TaskList
from counterpoint.core.dsl.node import Node
from counterpoint.core.dsl.pointers import Path
from counterpoint.core.dsl.report import Report
from counterpoint.core.dsl.scope import EXPORT, Enclosure
from counterpoint.core.expr.check import ExpressionInvalid
from counterpoint.core.expr.compile import (
    compile_expression,
    has_embedded_expression,
    looks_like_expression,
)
from counterpoint.core.expr.program import Program, Template
from counterpoint.core.expr.template import Mode, compile_template
from counterpoint.core.values import JsonValue

Allowed: TypeAlias = frozenset[str] | None
"""Variables that may be used; None for any."""

Common: TypeAlias = Mapping[str, Any]
"""Attributes that every task has."""

TaskBuilder: TypeAlias = "Callable[[Build, Node, str, Enclosure], Task]"
ListBuilder: TypeAlias = "Callable[[Build, Node, Enclosure], TaskList]"

NOTHING = Template(None, frozenset(), None, is_constant=True)
"""Stands for a template that is wrong, in a model that is thrown away."""

_SECRET_NAME = re.compile(r"""\$secrets?\b\s*(?:\.\s*([A-Za-z_]\w*)|\.?\s*\[\s*"([^"\\]*)"\s*\])""", re.ASCII)
_VARIABLE_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SINGULAR = {
    "authentications": "authentication",
    "catalogs": "catalog",
    "errors": "error",
    "functions": "function",
    "retries": "retry policy",
    "secrets": "secret",
    "timeouts": "timeout",
}


class OpenFunction:
    """A function that is being built: how deep its call lies and how deep it nests so far."""

    def __init__(self, key: tuple[str, bool], depth: int) -> None:
        self.key = key
        self.depth = depth
        self.height = 1


class Build:
    """State of compiling one document.

    Attributes:
        root: The document.
        make_task: Compiles a task, so that parts which hold tasks need not know all kinds.
        make_list: Compiles a task list.
        report: Where problems go.
        mode: Evaluation mode, `strict` or `loose`.
        resources: Fetched external resources by address.
        needed: Addresses of external resources that the document names, in order.
        extensions: Extensions by the kind of task that they extend, once built.
        functions: Tasks of `use.functions` that are built, by name and whether extensions apply in them.
        heights: How deep task lists nest in each of them.
    """

    def __init__(
        self,
        root: Node,
        report: Report,
        resources: Mapping[str, JsonValue],
        make_task: TaskBuilder,
        make_list: ListBuilder,
    ) -> None:
        self.root = root
        self.make_task = make_task
        self.make_list = make_list
        self.report = report
        self.mode: Mode = "loose" if root.at("evaluate", "mode").text == "loose" else "strict"
        self.resources = resources
        self.needed: dict[str, None] = {}
        self.extensions: dict[str, tuple[Extension, ...]] = {}
        self.functions: dict[tuple[str, bool], Task | None] = {}
        self.heights: dict[tuple[str, bool], int] = {}
        self._known: dict[str, dict[str, None]] = {}
        self.open_functions: list[OpenFunction] = []

    # --- reusable components ---

    def known(self, kind: str) -> dict[str, None]:
        """Names under `use.KIND`, in order."""
        if kind not in self._known:
            node = self.root.at("use", kind)
            names = (
                [item.text for item in node.items()] if kind == "secrets" else [n for n, _ in node.members()]
            )
            self._known[kind] = dict.fromkeys(name for name in names if name is not None)
        return self._known[kind]

    def component(self, kind: str, reference: Node) -> Node | None:
        """The entry of `use.KIND` that a reference names; a dangling one is reported and gives None."""
        name = reference.text
        if name is None:
            return None
        known = self.known(kind)
        if name in known:
            return self.root.at("use", kind, name)
        what = _SINGULAR[kind]
        hint = self.report.did_you_mean(name, known) or f"Add it under `use.{kind}`."
        self.report.add(
            reference.path, "dangling", f"There is no {what} `{name[:60]}` in `use.{kind}`.", hint
        )
        return None

    def note_depth(self, depth: int) -> None:
        """Remember how deep the function that is being built nests."""
        if self.open_functions:
            function = self.open_functions[-1]
            function.height = max(function.height, depth - function.depth)

    # --- expressions ---

    def program(self, node: Node, allowed: Allowed) -> Program | None:
        """Program of a member that is an expression by definition, bare or not; None when absent or wrong."""
        if node.text is None:
            return None
        try:
            program = compile_expression(node.text)
        except ExpressionInvalid as invalid:
            self._report_invalid(invalid, node.path, node.text)
            return None
        self._check_variables(program, node.path, allowed)
        return program

    def native_program(self, node: Node, allowed: Allowed, what: str) -> Program | None:
        """The same for a place where only the native subset of jq will do; `what` names it."""
        program = self.program(node, allowed)
        if program is not None:
            self.require_native(program, node.path, what)
        return program

    def require_native(self, program: Program, path: Path, what: str) -> None:
        """Report a program that only the worker could evaluate."""
        if program.native is None:
            hint = "Use paths, comparison, `and`, `or`, `not`, `startswith`, `test` and the like."
            message = f"{what} is tested for each event, so it must be in the native subset of jq."
            self.report.add(path, "not-native", message, hint)

    def template(self, node: Node, allowed: Allowed, quiet: frozenset[str] = frozenset()) -> Template:
        """Template of a value; `quiet` names members whose texts are not looked at for likely mistakes."""
        try:
            # In mode `loose` an expression that cannot be used is a text, so that nothing is left to report.
            template = compile_template(node.value, self.mode, allowed if self.mode == "loose" else None)
        except ExpressionInvalid as invalid:
            self._report_invalid(invalid, node.path, "")
            return NOTHING
        for path, program in template.holes:
            self._check_variables(program, node.path + path, allowed)
        if self.mode == "strict":
            self._warn_texts(node, {path for path, _ in template.holes}, quiet)
        return template

    def template_or_none(self, node: Node, allowed: Allowed) -> Template | None:
        """Template of a member, None when it is absent."""
        return self.template(node, allowed) if node.is_present else None

    def duration(self, node: Node, allowed: Allowed) -> DurationSpec | None:
        """Duration of a member, or the expression that gives it; None when absent or wrong."""
        if node.text is not None and is_expression(node.text):
            return self.program(node, allowed)
        try:
            if node.text is not None:
                return parse_duration(node.text)
            return duration_of_units(node.value) if node.is_map else None
        except ValueError:
            return None

    def variable(self, node: Node, default: str) -> str:
        """Name that a member gives to a variable."""
        name = node.text
        if name is None:
            return default
        if not _VARIABLE_NAME.fullmatch(name):
            bare = name.lstrip("$")
            hint = f"Write `{bare}`." if _VARIABLE_NAME.fullmatch(bare) else "Use letters, digits and `_`."
            self.report.add(node.path, "variable-name", f"`{name[:60]}` is no name of a variable.", hint)
            return default
        if name in EXPORT:
            message = f"`${name}` hides the runtime's argument of that name."
            self.report.warn(node.path, "hidden-argument", message, "Choose another name.")
        return name

    def _report_invalid(self, invalid: ExpressionInvalid, path: Path, text: str) -> None:
        for problem in invalid.problems:
            hint = problem.hint
            if not hint and "'" in text:
                hint = 'jq has no single quotes: write "text" in double quotes.'
            self.report.add(path + tuple(problem.path), "expression", problem.message, hint)

    def _check_variables(self, program: Program, path: Path, allowed: Allowed) -> None:
        if allowed is not None:
            for name in sorted(program.variables - allowed):
                if name in EXPORT:
                    message, hint = f"`${name}` is not available in this place.", _hint_for(allowed)
                else:
                    message = f"`${name}` is not a variable in this place."
                    hint = self.report.did_you_mean(name, allowed) or _hint_for(allowed)
                self.report.add(path, "variable", message, hint)
        if not program.variables.isdisjoint({"secrets", "secret"}):
            self._check_secrets(program.text, path)

    def _check_secrets(self, text: str, path: Path) -> None:
        known = self.known("secrets")
        for match in _SECRET_NAME.finditer(text):
            name = match.group(1) or match.group(2) or ""
            if name not in known:
                hint = self.report.did_you_mean(name, known) or "Add it under `use.secrets`."
                message = f"There is no secret `{name[:60]}` in `use.secrets`."
                self.report.add(path, "dangling", message, hint)

    def _warn_texts(self, node: Node, holes: set[Path], quiet: frozenset[str]) -> None:
        for path, text in _texts(node.value, ()):
            if path in holes or (path and path[0] in quiet):
                continue
            if looks_like_expression(text):
                message = f"`{text[:60]}` looks like an expression, but is plain text here."
                self.report.warn(node.path + path, "bare-expression", message, f"Write `${{ {text[:60]} }}`.")
            elif has_embedded_expression(text):
                message = "`${ }` inside a text is not evaluated."
                hint = 'Make the whole text an expression: `${ "...\\( .name )" }`.'
                self.report.warn(node.path + path, "embedded-expression", message, hint)


def _hint_for(allowed: frozenset[str]) -> str:
    return "Available: " + ", ".join(f"`${name}`" for name in sorted(allowed - {"secret"})) + "."


def _texts(value: JsonValue, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _texts(member, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))
