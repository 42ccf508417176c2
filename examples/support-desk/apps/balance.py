"""The balance: what should exist for each ticket, and what does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.store import KINDS


def balance_of(
    found: Mapping[str, Mapping[str, int]], expected: Mapping[str, Iterable[str]]
) -> dict[str, Any]:
    """Lost, doubled and unexpected things.

    Args:
        found: For each kind, how many things each ticket has.
        expected: For each kind, the tickets that should have exactly one.

    Returns:
        For each kind `expected`, `found`, and lists of references: `lost`, `doubled`, `unexpected`; and
        `isEven`, whether all lists are empty.
    """
    kinds = {kind: _of_kind(found.get(kind, {}), set(expected.get(kind, ()))) for kind in KINDS}
    even = all(not line[name] for line in kinds.values() for name in ("lost", "doubled", "unexpected"))
    return {"kinds": kinds, "isEven": even}


def _of_kind(found: Mapping[str, int], expected: set[str]) -> dict[str, Any]:
    return {
        "expected": len(expected),
        "found": sum(found.values()),
        "lost": sorted(expected - found.keys()),
        "doubled": sorted(reference for reference, count in found.items() if count > 1),
        "unexpected": sorted(found.keys() - expected),
    }
