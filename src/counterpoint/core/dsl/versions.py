"""Order of semantic versions (Semantic Versioning 2.0.0, section 11)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

Precedence: TypeAlias = tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]
"""Sort key of a version: numbers, whether it is a release, identifiers of its pre-release."""

_FORM = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII)


def precedence(version: str) -> Precedence:
    """Sort key of a semantic version; build metadata does not count.

    Raises:
        ValueError: Not a semantic version.
    """
    found = _FORM.fullmatch(version)
    if found is None:
        raise ValueError(f"{version!r} is not a semantic version")
    major, minor, patch, pre = found.groups()
    numbers = (int(major), int(minor), int(patch))
    if pre is None:
        return numbers, True, ()
    # Numbers sort below words, and by value; a longer list of identifiers sorts above its own beginning.
    identifiers = tuple(
        (not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in pre.split(".")
    )
    return numbers, False, identifiers


def is_release(version: str) -> bool:
    """Whether a semantic version is not a pre-release."""
    return precedence(version)[1]


def highest_release(versions: Iterable[str]) -> str | None:
    """Highest version that is not a pre-release, or None."""
    return max((v for v in versions if is_release(v)), key=precedence, default=None)


def highest(versions: Iterable[str]) -> str | None:
    """Highest release, or the highest pre-release when there is no release; None when there is neither."""
    found = list(versions)
    return highest_release(found) or max(found, key=precedence, default=None)
