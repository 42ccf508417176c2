"""The condition that every query of this package has in common: the scope."""

from __future__ import annotations

from counterpoint.core.values import Scope

IN_SCOPE = "s.environment = ? AND (? = '*' OR s.namespace = ?)"
"""Condition for rows joined to `scopes AS s`; `scope_values` binds it."""


def scope_values(scope: Scope) -> tuple[str, str, str]:
    """Values for `IN_SCOPE`."""
    return scope.environment, scope.namespace, scope.namespace
