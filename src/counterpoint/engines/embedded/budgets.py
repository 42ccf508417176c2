"""Budgets of a run: each limit has a name."""

from __future__ import annotations

MAX_PURE_TASKS = 100_000
"""Tasks that a run may take without an input from outside."""

SLICE_TASKS = 200
"""Tasks after which a run gives way."""

SLICE_S = 0.005
"""Seconds after which a run gives way."""

MAX_BRANCHES = 10_000
"""Branches that a run may have open at once, in all its forks and parallel loops."""

MAX_DECISIONS = 1_000
"""Decisions that a row keeps: the latest, which led to what the row asks for."""

HEAVY_BYTES = 32_768
"""Size from which writing a value counts as much as many tasks."""

KNOWN_BYTES = 1_024
"""Values below this are walked each time; it costs less than remembering them."""

KNOWN_LEVELS = 3
KNOWN_MEMBERS = 16
MAX_KNOWN = 64
"""How deep, how wide and how much a run remembers of the values that came to it as JSON."""
