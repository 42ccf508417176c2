"""Port of the worker that evaluates jq programs outside the native subset."""

from __future__ import annotations

from typing import Protocol

from counterpoint.core.expr.program import Variables
from counterpoint.core.values import JsonValue


class ExpressionWorker(Protocol):
    """A supervised process with libjq; hostile programs die there and nowhere else."""

    async def evaluate(self, text: str, value: JsonValue, variables: Variables) -> JsonValue:
        """The single result of a jq program.

        Raises:
            ExpressionFailed: jq error, several results, NaN, or a limit of time, memory or output.
        """
        ...

    async def close(self) -> None:
        """End the process."""
        ...
