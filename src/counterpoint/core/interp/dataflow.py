"""Data flow: evaluating expressions and checking schemas at the places that the DSL names (DSL: Data Flow).

The native tier is a plain function call. Only a foreign program, or one that met its limit, costs an `await`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from counterpoint.core.dsl.durations import duration_of_units, parse_duration
from counterpoint.core.dsl.model import DurationSpec, Schema
from counterpoint.core.expr import fill, is_truthy
from counterpoint.core.expr.program import ExpressionFailed, NativeLimit, Program, Template
from counterpoint.core.interp.scope import NO_VARIABLES, TaskScope
from counterpoint.core.values import Duration, JsonValue, excess_of
from counterpoint.errors import FaultRaised, standard_fault

NOT_NOW: Final = object()
"""Stands for a value that only an `await` can give."""

_SHOWN = 5
_SHOWN_TEXT = 80


def expression_fault(text: str, why: str, pointer: str) -> FaultRaised:
    """Fault for an expression that failed (DSL: expression/400)."""
    short = text if len(text) <= 120 else text[:117] + "..."
    return FaultRaised(standard_fault("expression", f"The expression `{short}` failed: {why}", pointer))


def _source(node: Program | Template) -> str:
    return node.text if isinstance(node, Program) else str(node.source)


def native_value(scope: TaskScope, node: Program | Template, value: JsonValue) -> Any:
    """The value if it can be had at once, else `NOT_NOW`: the caller then awaits `foreign_value`.

    For the places that every step passes, where a coroutine costs more than most expressions; the caller
    gives way if that is due.
    """
    native = node.native
    if native is None:
        return NOT_NOW
    try:
        return native(value, scope.variables(node.variables) if node.variables else NO_VARIABLES)
    except NativeLimit:
        return NOT_NOW
    except ExpressionFailed as failed:
        raise expression_fault(_source(node), str(failed), scope.task.pointer) from None


async def foreign_value(scope: TaskScope, node: Program | Template, value: JsonValue) -> JsonValue:
    """The value from the expression worker."""
    variables: Mapping[str, JsonValue] = scope.variables(node.variables)
    try:
        if isinstance(node, Program):
            return await scope.context.evaluate(node, value, variables)
        return await fill(node, value, variables, scope.context.evaluate)
    except ExpressionFailed as failed:
        raise expression_fault(_source(node), str(failed), scope.task.pointer) from None


async def evaluate(scope: TaskScope, node: Program | Template, value: JsonValue) -> JsonValue:
    """Value of an expression or template on a value, with the variables of the scope.

    Raises:
        FaultRaised: expression/400 at the task.
    """
    result = native_value(scope, node, value)
    if result is NOT_NOW:
        return await foreign_value(scope, node, value)
    context = scope.walk.context
    if context.is_due():
        await context.give_way()
    return result


async def holds(scope: TaskScope, condition: Program, value: JsonValue) -> bool:
    """Whether a condition is true in the sense of jq: neither false nor null."""
    return is_truthy(await evaluate(scope, condition, value))


def shown(value: JsonValue) -> JsonValue:
    """A value as a decision keeps it: whole if it is small, else its kind and size."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= _SHOWN_TEXT else f"{value[:_SHOWN_TEXT]}... ({len(value)} characters)"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    return f"an object of {len(value)}"


def check(schema: Schema, value: JsonValue, what: str, pointer: str) -> None:
    """Validate a value.

    Raises:
        FaultRaised: validation/400 that lists what is wrong, or says that the value is too large to look at.
    """
    excess = excess_of(value)
    if excess:
        detail = f"The {what} cannot be checked against its schema: it {excess}"
        raise FaultRaised(standard_fault("validation", detail, pointer))
    messages = schema.check(value)
    if not messages:
        return
    first = "; ".join(messages[:_SHOWN])
    more = f" (and {len(messages) - _SHOWN} more)" if len(messages) > _SHOWN else ""
    raise FaultRaised(
        standard_fault("validation", f"The {what} does not match its schema: {first}{more}", pointer)
    )


async def duration_of(scope: TaskScope, spec: DurationSpec) -> Duration:
    """A duration, evaluated if it is an expression (DSL: Duration).

    Raises:
        FaultRaised: expression/400 when the expression gives no ISO 8601 duration.
    """
    if isinstance(spec, Duration):
        return spec
    value = await evaluate(scope, spec, scope.input)
    try:
        return to_duration(value)
    except ValueError as bad:
        raise expression_fault(spec.text, str(bad), scope.task.pointer) from None


def to_duration(value: JsonValue) -> Duration:
    """Duration of an evaluated value: an ISO 8601 text, or an object of units.

    Raises:
        ValueError: It is none; the message says what was expected.
    """
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, dict):
        return duration_of_units(value)
    raise ValueError("an ISO 8601 duration such as PT5M is expected")
