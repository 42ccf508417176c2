"""JSON Pointers (RFC 6901) into documents: the value at one, and its line and column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from counterpoint.core.dsl.yaml_reader import Place, read
from counterpoint.core.values import JsonValue
from counterpoint.errors import Problem


def parts_of(pointer: str) -> list[str]:
    """Names in a pointer, without escapes."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def object_at(definition: JsonValue, pointer: str) -> dict[str, Any]:
    """The object at a pointer; an empty one when there is none."""
    place: Any = definition
    for name in parts_of(pointer):
        if isinstance(place, list) and name.isdecimal() and int(name) < len(place):
            place = place[int(name)]
        elif isinstance(place, dict):
            place = place.get(name)
        else:
            return {}
    return place if isinstance(place, dict) else {}


def located(problems: Sequence[Problem], text: str) -> list[Problem]:
    """Problems with the line and column of their pointers; what has them already keeps them."""
    if all(problem.line for problem in problems):
        return list(problems)
    places = read(text).places
    return [problem if problem.line else _located(problem, places) for problem in problems]


def _located(problem: Problem, places: Place) -> Problem:
    place = places
    for name in parts_of(problem.pointer):
        below = place.parts.get(name) or (place.parts.get(int(name)) if name.isdecimal() else None)
        if below is None:
            break
        place = below
    line, column = place.key or place.value
    return replace(problem, line=line, column=column)
