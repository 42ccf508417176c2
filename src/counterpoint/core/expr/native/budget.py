"""How much a native closure may do, and how it gives up.

A closure that iterates carries a `Meter` in place of the variables: the same mapping with a count of work
left. One unit is at most about a microsecond, so a full budget is about 20 ms. Closures that cannot iterate
carry the plain mapping and only check single operations. Whatever the native tier is not sure about, it
leaves to the worker by `NativeLimit`.
"""

from __future__ import annotations

from typing import NoReturn

from counterpoint.core.expr.program import ExpressionFailed, NativeLimit, Variables
from counterpoint.core.values import JsonValue

BUDGET = 20_000
"""Units of work per evaluation."""

SINGLE_BUDGET = 2_000
"""Units of one operation in a program without a meter; such programs are small."""

MAX_NATIVE_DEPTH = 128
"""Deepest value that a structural function follows."""


class JqError(ExpressionFailed):
    """An error that jq itself raises, which `try`, `?` and `//` of the program may catch."""


class Meter(dict[str, JsonValue]):
    """Variables, and the work that may still be done; copies for inner scopes share the count."""

    __slots__ = ("left",)

    def __init__(self, variables: Variables, left: list[int] | None = None) -> None:
        super().__init__(variables)
        self.left = [BUDGET] if left is None else left

    def bind(self, name: str, value: JsonValue) -> Meter:
        """The same with one more variable."""
        inner = Meter(self, self.left)
        inner[name] = value
        return inner


def charge(variables: Variables, cost: int) -> None:
    """Take units off the budget; without a meter the single operation must fit it.

    Raises:
        NativeLimit: The budget is spent.
    """
    if type(variables) is Meter:
        left = variables.left
        left[0] -= cost
        if left[0] < 0:
            raise NativeLimit("the native budget is spent")
    elif cost > SINGLE_BUDGET:
        raise NativeLimit("the operation is larger than the native budget")


METERED = "is_metered"
"""Name of the attribute that tells of a closure that it takes a budget of its own, if none is handed in."""


def metered(variables: Variables, budget: int = 0) -> Meter:
    """The meter at hand, or a fresh one: with the variables for a program, small and without otherwise."""
    if type(variables) is Meter:
        return variables
    return Meter(variables, [budget]) if budget else Meter({}, [SINGLE_BUDGET])


def leave_to_worker(reason: str) -> NoReturn:
    """Give the program up in favour of libjq."""
    raise NativeLimit(reason)
