"""What is wrong with an expression, found without running it: syntax, names, reach.

libjq is no sandbox, so the names that lead out of the value are refused here, before any program runs; the
worker's limits are the second wall, not the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, NamedTuple

import msgspec

from counterpoint.core.expr.lexer import JqSyntaxError
from counterpoint.core.expr.parser import parse
from counterpoint.core.expr.syntax import (
    Array,
    ArrayPattern,
    Bind,
    Break,
    Call,
    Define,
    Foreach,
    Format,
    Label,
    Literal,
    Node,
    Object,
    ObjectPattern,
    Pattern,
    Reduce,
    Text,
    Variable,
    VariablePattern,
    children,
)
from counterpoint.core.expr.vocabulary import FORBIDDEN, FORBIDDEN_VARIABLES, FORMATS, FUNCTIONS


class ExpressionProblem(msgspec.Struct, frozen=True):
    """One thing that is wrong with an expression.

    Attributes:
        message: What is wrong.
        hint: What to do; may be empty.
        offset: Where, as an offset in the text that was given.
        path: Keys and indices of the text inside a template; empty for a single expression.
    """

    message: str
    hint: str = ""
    offset: int = 0
    path: tuple[str | int, ...] = ()


class ExpressionInvalid(Exception):
    """The text is no expression that may run; carries all problems at once."""

    def __init__(self, problems: Iterable[ExpressionProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in self.problems))


class FreeVariable(NamedTuple):
    """A variable that the program does not bind itself, and where it is first read."""

    name: str
    offset: int


class Names(NamedTuple):
    """Names that are visible at a place in a program."""

    functions: frozenset[tuple[str, int]] = frozenset()
    variables: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()


class Findings:
    """Problems and free variables of a tree."""

    def __init__(self, tree: Node) -> None:
        self.problems: list[ExpressionProblem] = []
        self.free: dict[str, FreeVariable] = {}
        self._visit(tree, Names())

    def _visit(self, node: Node, names: Names) -> None:
        handler = _VISITORS.get(type(node))
        if handler is not None:
            handler(self, node, names)
        else:
            self._visit_children(node, names)

    def _visit_children(self, node: Node, names: Names) -> None:
        for child in children(node):
            self._visit(child, names)

    def _problem(self, message: str, hint: str, at: int) -> None:
        self.problems.append(ExpressionProblem(message, hint, at))

    def _call(self, node: Call, names: Names) -> None:
        for argument in node.arguments:
            self._visit(argument, names)
        count = len(node.arguments)
        if (node.name, count) in names.functions or count in FUNCTIONS.get(node.name, ()):
            return
        if node.name in FORBIDDEN:
            self._problem(f"`{node.name}` is not allowed: {FORBIDDEN[node.name]}", "", node.at)
        elif node.name in FUNCTIONS:
            wanted = " or ".join(str(arity) for arity in FUNCTIONS[node.name])
            self._problem(f"`{node.name}` takes {wanted} arguments, not {count}", "", node.at)
        else:
            known = [*FUNCTIONS, *(name for name, _ in names.functions)]
            self._problem(f"`{node.name}` is no function of jq", _nearest(node.name, known), node.at)

    def _variable(self, node: Variable, names: Names) -> None:
        if node.name in names.variables:
            return
        if node.name in FORBIDDEN_VARIABLES:
            self._problem(f"`${node.name}` is not allowed: {FORBIDDEN_VARIABLES[node.name]}", "", node.at)
        else:
            self.free.setdefault(node.name, FreeVariable(node.name, node.at))

    def _format(self, node: Format | Text, names: Names) -> None:
        name = node.name if isinstance(node, Format) else node.format
        if name and name not in FORMATS:
            self._problem(f"`@{name}` is no format of jq", _nearest(name, FORMATS, "@"), node.at)
        self._visit_children(node, names)

    def _literal(self, node: Literal, names: Names) -> None:
        value = node.value
        if type(value) is int and not -(2**63) <= value < 2**64:
            self._problem("the whole number does not fit 64 bits", "write it as a string", node.at)
        elif type(value) is float and value in (float("inf"), float("-inf")):
            self._problem("the number is not finite", "", node.at)

    def _object(self, node: Object, names: Names) -> None:
        for key, _ in node.entries:
            if isinstance(key, Literal | Array | Object):
                self._problem("the key of an object must be a string", "put it in double quotes", key.at)
        self._visit_children(node, names)

    def _define(self, node: Define, names: Names) -> None:
        own = (node.name, len(node.parameters))
        closures = {(name.lstrip("$"), 0) for name in node.parameters}
        values = {name[1:] for name in node.parameters if name.startswith("$")}
        inner = names._replace(
            functions=names.functions | {own} | closures, variables=names.variables | values
        )
        self._visit(node.body, inner)
        self._visit(node.rest, names._replace(functions=names.functions | {own}))

    def _bind(self, node: Bind, names: Names) -> None:
        self._visit(node.source, names)
        self._visit(node.body, self._bound(node.patterns, names))

    def _reduce(self, node: Reduce, names: Names) -> None:
        self._visit(node.source, names)
        self._visit(node.start, names)
        self._visit(node.update, self._bound(node.patterns, names))

    def _foreach(self, node: Foreach, names: Names) -> None:
        self._visit(node.source, names)
        self._visit(node.start, names)
        inner = self._bound(node.patterns, names)
        self._visit(node.update, inner)
        if node.extract is not None:
            self._visit(node.extract, inner)

    def _label(self, node: Label, names: Names) -> None:
        self._visit(node.body, names._replace(labels=names.labels | {node.name}))

    def _break(self, node: Break, names: Names) -> None:
        if node.name not in names.labels:
            self._problem(
                f"`break ${node.name}` has no label", f"write `label ${node.name} |` before", node.at
            )

    def _bound(self, patterns: tuple[Pattern, ...], names: Names) -> Names:
        found: set[str] = set()
        for pattern in patterns:
            self._walk(pattern, names, found)
        return names._replace(variables=names.variables | found)

    def _walk(self, pattern: Pattern, names: Names, found: set[str]) -> None:
        match pattern:
            case VariablePattern(name=name):
                found.add(name)
            case ArrayPattern(items=items):
                for item in items:
                    self._walk(item, names, found)
            case ObjectPattern(entries=entries):
                for key, bound, below in entries:
                    self._visit(key, names)
                    found |= {bound} if bound is not None else set()
                    if below is not None:
                        self._walk(below, names, found)


def _nearest(name: str, known: Iterable[str], sign: str = "") -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean `{sign}{close[0]}`?" if close else ""


_VISITORS: dict[type[Node], Callable[[Findings, Any, Names], None]] = {
    Call: Findings._call,
    Variable: Findings._variable,
    Format: Findings._format,
    Text: Findings._format,
    Literal: Findings._literal,
    Object: Findings._object,
    Define: Findings._define,
    Bind: Findings._bind,
    Reduce: Findings._reduce,
    Foreach: Findings._foreach,
    Label: Findings._label,
    Break: Findings._break,
}


def syntax_problem(error: JqSyntaxError, text: str) -> ExpressionProblem:
    """Problem of a syntax error, with the hint that fits the place."""
    hint = error.hint
    if not hint and "${" in text:
        hint = 'one ${ } must enclose the whole text; join texts with "...\\(.x)..." inside it'
    return ExpressionProblem(error.message, hint, error.at)


def not_available(free: FreeVariable, allowed: frozenset[str]) -> ExpressionProblem:
    """Problem of a variable that does not exist at this place of a document."""
    hint = _nearest(free.name, sorted(allowed), "$")
    if not hint:
        listed = ", ".join(f"${name}" for name in sorted(allowed))
        hint = f"here are: {listed}" if listed else "no variable exists here"
    return ExpressionProblem(f"`${free.name}` does not exist here", hint, free.offset)


def check_expression(text: str, allowed: frozenset[str] | None = None) -> list[ExpressionProblem]:
    """All problems of a jq text; empty when it may run.

    Args:
        text: The program, without `${ }`.
        allowed: Variables that exist at the place, without the dollar sign; None allows all.
    """
    try:
        tree = parse(text)
    except JqSyntaxError as error:
        return [syntax_problem(error, text)]
    findings = Findings(tree)
    problems = list(findings.problems)
    if allowed is not None:
        problems += [
            not_available(free, allowed) for free in findings.free.values() if free.name not in allowed
        ]
    return problems
