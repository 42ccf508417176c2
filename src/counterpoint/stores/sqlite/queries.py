"""What the queries of this package share: the reader that they need, and the condition of a scope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from counterpoint.core.values import Scope

IN_SCOPE = "s.environment = ? AND (? = '*' OR s.namespace = ?)"
"""Condition for rows joined to `scopes AS s`; `scope_values` binds it."""


class Reader(Protocol):
    """Runs queries on a read-only connection away from the loop."""

    async def query(self, sql: str, args: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        ...


def scope_values(scope: Scope) -> tuple[str, str, str]:
    """Values for `IN_SCOPE`."""
    return scope.environment, scope.namespace, scope.namespace
