"""Paths into a document and their RFC 6901 pointers."""

from __future__ import annotations

from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indices from the root of the document."""


def pointer_of(path: Path) -> str:
    """RFC 6901 pointer of a path."""
    return "".join(f"/{_escape(step)}" for step in path)


def _escape(step: str | int) -> str:
    if isinstance(step, int):
        return str(step)
    return step.replace("~", "~0").replace("/", "~1") if "~" in step or "/" in step else step
