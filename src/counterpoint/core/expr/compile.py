"""Compiles expressions of a document into programs, once per text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from counterpoint.core.expr.check import (
    ExpressionInvalid,
    ExpressionProblem,
    Findings,
    FreeVariable,
    not_available,
    syntax_problem,
)
from counterpoint.core.expr.lexer import JqSyntaxError
from counterpoint.core.expr.native import compile_native
from counterpoint.core.expr.parser import parse
from counterpoint.core.expr.program import Program
from counterpoint.core.values import JsonValue

CACHE_SIZE = 4_096
"""Programs that are kept."""

_BARE = re.compile(
    r"\.[A-Za-z_\"\[]|\.\s*[|]|"
    r"\$(?:context|input|output|secrets|authorization|task|workflow|runtime|error|item|index|event)\b"
)


class _Compiled(NamedTuple):
    program: Program | None
    problems: tuple[ExpressionProblem, ...]
    free: tuple[FreeVariable, ...]


@lru_cache(maxsize=CACHE_SIZE)
def _compiled(text: str) -> _Compiled:
    try:
        tree = parse(text)
    except JqSyntaxError as error:
        return _Compiled(None, (syntax_problem(error, text),), ())
    findings = Findings(tree)
    free = tuple(findings.free.values())
    if findings.problems:
        return _Compiled(None, tuple(findings.problems), free)
    variables = frozenset(variable.name for variable in free)
    return _Compiled(Program(text, variables, compile_native(tree)), (), free)


def compile_expression(text: str, allowed: frozenset[str] | None = None) -> Program:
    """Program of an expression, bare or in `${ }`.

    Args:
        text: The expression as it stands in the document.
        allowed: Variables that exist at the place, without the dollar sign; None allows all.

    Raises:
        ExpressionInvalid: Syntax, forbidden or unknown names; offsets count in `text`.
    """
    inner, shift = _inner(text)
    compiled = _compiled(inner)
    problems = list(compiled.problems)
    if allowed is not None:
        problems += [not_available(free, allowed) for free in compiled.free if free.name not in allowed]
    if problems or compiled.program is None:
        moved = [ExpressionProblem(p.message, p.hint, p.offset + shift) for p in problems]
        raise ExpressionInvalid(moved)
    return compiled.program


def _inner(text: str) -> tuple[str, int]:
    inner = strip_expression(text)
    if inner is None:
        bare = text.strip()
        return bare, len(text) - len(text.lstrip())
    start = text.index("${") + 2
    body = text[start : text.rindex("}")]
    return inner, start + len(body) - len(body.lstrip())


def strip_expression(text: str) -> str | None:
    """The jq text inside `${ }`, or None when the text is not enclosed as a whole (decision A11)."""
    trimmed = text.strip()
    if trimmed.startswith("${") and trimmed.endswith("}"):
        return trimmed[2:-1].strip()
    return None


def looks_like_expression(text: str) -> bool:
    """Whether a bare string was probably meant as an expression (decision A26): `.a.b`, `$context.x`."""
    trimmed = text.strip()
    if _BARE.match(trimmed) is None:
        return False
    compiled = _compiled(trimmed)
    return compiled.program is not None


def has_embedded_expression(text: str) -> bool:
    """Whether `${ }` stands inside other text, where it stays as it is (decision A11)."""
    start = text.find("${")
    return start >= 0 and "}" in text[start:] and strip_expression(text) is None


def is_truthy(value: JsonValue) -> bool:
    """Truth of jq: everything but null and false."""
    return value is not None and value is not False
