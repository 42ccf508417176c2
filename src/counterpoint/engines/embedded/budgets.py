"""Budgets of a run: each limit has a name."""

from __future__ import annotations

MAX_PURE_TASKS = 100_000
"""Tasks that a run may take without an input from outside."""

SLICE_TASKS = 200
"""Tasks after which a run gives way."""

SLICE_S = 0.005
"""Seconds after which a run gives way."""

MAX_VALUE_BYTES = 16 * 1024 * 1024
"""Largest value that may cross the boundary of a run."""
