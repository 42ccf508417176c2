"""Problems of a document while it is checked: collected all, each with pointer, line, column and hint."""

from __future__ import annotations

from collections.abc import Collection

from counterpoint.core.dsl import hints
from counterpoint.core.dsl.pointers import Path, pointer_of
from counterpoint.core.dsl.yaml_reader import Place, Position
from counterpoint.errors import Problem

MAX_PROBLEMS = 200
"""After so many problems the rest is dropped: nobody reads on, and a hostile document must stay cheap."""

MAX_COMPARISONS = 10_000
"""So many names are compared for hints; after that problems come without the nearest name."""


class Report:
    """Collects the problems of one document."""

    def __init__(self, places: Place) -> None:
        self._places = places
        self._problems: dict[tuple[str, str, str], Problem] = {}
        self._count = {True: 0, False: 0}
        self._comparisons = 0

    def add(
        self,
        path: Path,
        code: str,
        message: str,
        hint: str = "",
        *,
        is_warning: bool = False,
        position: Position | None = None,
    ) -> None:
        """Record a problem at a path; the same one at the same place counts once."""
        pointer = pointer_of(path)
        key = (pointer, code, message)
        if key in self._problems:
            return
        # Counted apart, so that many warnings cannot push out the one error that forbids the document.
        self._count[is_warning] += 1
        if self._count[is_warning] > MAX_PROBLEMS:
            return
        line, column = position or self._position(path, code)
        self._problems[key] = Problem(pointer, message, line, column, hint, code, is_warning)

    def warn(self, path: Path, code: str, message: str, hint: str = "") -> None:
        """Record a problem that does not forbid the document's use."""
        self.add(path, code, message, hint, is_warning=True)

    def nearest(self, name: str, known: Collection[str], cutoff: float = hints.CUTOFF) -> str:
        """The known name that looks most like a name; empty when none does, or after too many comparisons."""
        self._comparisons += len(known)
        return hints.nearest(name, known, cutoff) if self._comparisons <= MAX_COMPARISONS else ""

    def did_you_mean(self, name: str, known: Collection[str]) -> str:
        """Hint with the nearest known name, else with all known names if they are few."""
        self._comparisons += len(known)
        return hints.did_you_mean(name, known) if self._comparisons <= MAX_COMPARISONS else ""

    def _position(self, path: Path, code: str) -> Position:
        place, _ = self._places.find(path)
        # A map or list starts on the line below its key; the line with its name is the one to look at.
        if place.key is not None and (place.parts or code == "unknown-key"):
            return place.key
        return place.value

    @property
    def has_errors(self) -> bool:
        """Whether anything forbids the document's use."""
        return self._count[False] > 0

    def problems(self) -> list[Problem]:
        """All problems and warnings, in the order of the text."""
        found = sorted(self._problems.values(), key=lambda problem: (problem.line, problem.column))
        dropped = sum(max(0, count - MAX_PROBLEMS) for count in self._count.values())
        if dropped:
            message = f"{dropped} more problems are not shown."
            is_warning = not self.has_errors
            found.append(Problem("", message, *self._places.value, "", "too-many-problems", is_warning))
        return found
