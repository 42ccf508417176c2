"""Compiled runtime expressions: what the loader makes and the interpreter evaluates.

A `Program` is one jq expression. A `Template` is a JSON value with expressions inside (DSL: `set`, `with`,
`body`). Both carry `native`, a closure, when everything in them lies in the native subset; else the
interpreter hands each foreign program to the engine's worker. A closure never returns NaN or Infinity, never
changes its arguments, and raises `ExpressionFailed` for a jq error or `NativeLimit` when it meets more work
than it may do (the caller then takes the worker).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from counterpoint.core.values import JsonValue

Variables: TypeAlias = Mapping[str, JsonValue]
"""Values of variables by name, without the dollar sign."""

Native: TypeAlias = Callable[[JsonValue, Variables], JsonValue]


class ExpressionFailed(Exception):
    """An expression gave no JSON value: a jq error, several results, NaN. Its message holds no data."""


class NativeLimit(Exception):
    """The native closure met more work than it may do; the worker must evaluate the program."""


class Program(msgspec.Struct, frozen=True):
    """One compiled jq expression.

    Attributes:
        text: The jq text, without `${ }`.
        variables: Names of the free variables that it reads, without the dollar sign.
        native: Closure `(input, variables) -> value`, or None when only libjq can evaluate it.
    """

    text: str
    variables: frozenset[str]
    native: Native | None = None


class Template(msgspec.Struct, frozen=True):
    """A JSON value that may hold expressions.

    Attributes:
        source: The value as written.
        variables: Free variables of all its expressions.
        native: Closure `(input, variables) -> value`, or None when a program in it is foreign. A constant
            template returns the shared source value, which nobody may change.
        is_constant: Whether it holds no expression.
        holes: Path (keys and indices) and program of each expression, in document order.
        is_loose: Whether a failing expression falls back to its text (evaluation mode `loose`).
    """

    source: JsonValue
    variables: frozenset[str]
    native: Native | None
    is_constant: bool
    holes: tuple[tuple[tuple[str | int, ...], Program], ...] = ()
    is_loose: bool = False
