"""Runtime expressions: jq, checked when a document is loaded, run as closures or by a worker with libjq."""

from counterpoint.core.expr.check import ExpressionInvalid, ExpressionProblem, check_expression
from counterpoint.core.expr.compile import (
    compile_expression,
    has_embedded_expression,
    is_truthy,
    looks_like_expression,
    strip_expression,
)
from counterpoint.core.expr.program import (
    ExpressionFailed,
    Native,
    NativeLimit,
    Program,
    Template,
    Variables,
)
from counterpoint.core.expr.template import compile_template, fill, run_program

__all__ = [
    "ExpressionFailed",
    "ExpressionInvalid",
    "ExpressionProblem",
    "Native",
    "NativeLimit",
    "Program",
    "Template",
    "Variables",
    "check_expression",
    "compile_expression",
    "compile_template",
    "fill",
    "has_embedded_expression",
    "is_truthy",
    "looks_like_expression",
    "run_program",
    "strip_expression",
]
