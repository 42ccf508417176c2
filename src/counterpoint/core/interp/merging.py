"""Merging what concurrent branches exported (A6)."""

from __future__ import annotations

from collections.abc import Iterable

from counterpoint.core.values import JsonValue, excess_of


def merge_contexts(start: JsonValue, branches: Iterable[JsonValue]) -> JsonValue:
    """`$context` after a join: the start, with the changes of each branch in the order of declaration.

    Objects are merged member by member: what a branch left as it was does not undo another's change.
    Anything else replaces the whole.
    """
    merged = start
    for context in branches:
        if context is start:
            continue
        if isinstance(context, dict) and isinstance(merged, dict):
            known = start if isinstance(start, dict) else {}
            changes = {k: v for k, v in context.items() if k not in known or _differs(known[k], v)}
            gone = {k for k in known if k not in context}
            merged = {k: v for k, v in merged.items() if k not in gone} | changes
        elif _differs(start, context):
            merged = context
    return merged


def _differs(before: JsonValue, after: JsonValue) -> bool:
    """Whether a branch changed a value; one too large to be compared counts as changed."""
    return before is not after and (bool(excess_of(before) or excess_of(after)) or before != after)
