"""JSON values with expressions inside: compiled once, filled many times."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

from counterpoint.core.expr.check import ExpressionInvalid, ExpressionProblem
from counterpoint.core.expr.compile import compile_expression, strip_expression
from counterpoint.core.expr.native.budget import METERED, SINGLE_BUDGET, Meter
from counterpoint.core.expr.native.shapes import array_of, object_of
from counterpoint.core.expr.program import ExpressionFailed, Native, NativeLimit, Program, Template, Variables
from counterpoint.core.values import JsonValue

MAX_FREE_HOLES = 8
"""Expressions that a template may hold before they share one budget."""

Mode: TypeAlias = Literal["strict", "loose"]
Path: TypeAlias = tuple[str | int, ...]
Evaluate: TypeAlias = Callable[[Program, JsonValue, Variables], Awaitable[JsonValue]]


def compile_template(
    value: JsonValue, mode: Mode = "strict", allowed: frozenset[str] | None = None
) -> Template:
    """Template of a JSON value as a document holds it.

    Args:
        value: The value; a string that `${ }` encloses as a whole is an expression, in mode `loose` every
            string is
            tried as one.
        mode: Evaluation mode of the document (DSL: Evaluate).
        allowed: Variables that exist at the place, without the dollar sign; None allows all.

    Raises:
        ExpressionInvalid: All problems of all expressions, each with its path inside the value.
    """
    compiler = _Compiler(mode == "loose", allowed)
    native = compiler.part(value, ())
    if compiler.problems:
        raise ExpressionInvalid(compiler.problems)
    holes = tuple(compiler.holes)
    if not holes:
        return Template(value, frozenset(), _shared(value), is_constant=True, is_loose=compiler.is_loose)
    variables = frozenset[str]().union(*(program.variables for _, program in holes))
    if native is not None and _is_costly(holes):
        native = _with_one_budget(native)
    return Template(value, variables, native, False, holes, compiler.is_loose)


class _Compiler:
    def __init__(self, is_loose: bool, allowed: frozenset[str] | None) -> None:
        self.is_loose = is_loose
        self.allowed = allowed
        self.holes: list[tuple[Path, Program]] = []
        self.problems: list[ExpressionProblem] = []

    def part(self, value: JsonValue, path: Path) -> Native | None:
        """Closure of a part; None when a program in it is foreign or wrong."""
        if isinstance(value, str):
            return self._text(value, path)
        known = len(self.holes) + len(self.problems)
        if isinstance(value, dict):
            parts = [self.part(item, (*path, key)) for key, item in value.items()]
        elif isinstance(value, list):
            parts = [self.part(item, (*path, index)) for index, item in enumerate(value)]
        else:
            return _shared(value)
        if len(self.holes) + len(self.problems) == known:
            return _shared(value)
        natives = [part for part in parts if part is not None]
        if len(natives) != len(parts):
            return None
        return (
            object_of(list(zip(value, natives, strict=True)))
            if isinstance(value, dict)
            else array_of(natives)
        )

    def _text(self, text: str, path: Path) -> Native | None:
        if not self.is_loose and strip_expression(text) is None:
            return _shared(text)
        try:
            program = compile_expression(text, self.allowed)
        except ExpressionInvalid as error:
            if self.is_loose:
                return _shared(text)
            self.problems.extend(ExpressionProblem(p.message, p.hint, p.offset, path) for p in error.problems)
            return None
        self.holes.append((path, program))
        return _forgiving(program.native, text) if self.is_loose and program.native else program.native


def _is_costly(holes: tuple[tuple[Path, Program], ...]) -> bool:
    metered = sum(hasattr(program.native, METERED) for _, program in holes)
    return metered > 1 or len(holes) > MAX_FREE_HOLES


def _with_one_budget(native: Native) -> Native:
    return lambda value, variables: native(value, Meter(variables))


def _shared(value: JsonValue) -> Native:
    return lambda _value, _variables: value


def _forgiving(native: Native, text: str) -> Native:
    def attempt(value: JsonValue, variables: Variables) -> JsonValue:
        try:
            return native(value, variables)
        except ExpressionFailed:
            return text

    return attempt


async def run_program(
    program: Program, value: JsonValue, variables: Variables, evaluate: Evaluate
) -> JsonValue:
    """Result of a program: by its closure, or by `evaluate` when it is foreign or too much work.

    Raises:
        ExpressionFailed: The program gave no single JSON value.
    """
    if program.native is not None:
        try:
            return program.native(value, variables)
        except NativeLimit:
            pass
    return await evaluate(program, value, variables)


async def fill(template: Template, value: JsonValue, variables: Variables, evaluate: Evaluate) -> JsonValue:
    """The value of a template with all expressions replaced by their results.

    Args:
        template: What to fill.
        value: Input of the expressions.
        variables: At least `template.variables`.
        evaluate: Runs a program that the native tier cannot.

    Raises:
        ExpressionFailed: An expression gave no single JSON value, in mode `strict`.
    """
    result = _copied(template.source)
    # What is cheap is still done here; all expressions together get one small budget.
    variables = Meter(variables, [SINGLE_BUDGET])
    for path, program in template.holes:
        try:
            item = await run_program(program, value, variables, evaluate)
        except ExpressionFailed:
            if not template.is_loose:
                raise
            continue
        if not path:
            return item
        _put(result, path, item)
    return result


def _copied(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value


def _put(target: JsonValue, path: Path, item: JsonValue) -> None:
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = item
