"""Hints for names that nobody knows: the nearest known one."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from itertools import islice

CUTOFF = 0.6
"""Likeness from which on a name is worth naming."""
MAX_CHARACTERS = 64
MAX_CHOICES = 500
MAX_LISTED = 16


def nearest(name: str, known: Collection[str], cutoff: float = CUTOFF) -> str:
    """The known name that looks most like a name, or an empty text."""
    if len(name) > MAX_CHARACTERS:
        return ""
    choices = list(islice(known, MAX_CHOICES))
    lowered = {choice.lower(): choice for choice in choices}
    if name.lower() in lowered:
        return lowered[name.lower()]
    matches = get_close_matches(name, choices, 1, cutoff)
    return matches[0] if matches else ""


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Hint with the nearest known name, else with all known names if they are few."""
    near = nearest(name, known)
    if near:
        return f"Did you mean `{near}`?"
    if 0 < len(known) <= MAX_LISTED:
        return "Known: " + ", ".join(f"`{choice}`" for choice in sorted(known)) + "."
    return ""
