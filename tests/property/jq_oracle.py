"""libjq in this process, as the judge of the native subset; only for programs that a test made itself."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import jq

from counterpoint.core.values import encode_json


class JqRefused(Exception):
    """libjq gave an error."""


@lru_cache(maxsize=64)
def _compiled(text: str) -> Any:
    return jq.compile(text)


def results_of(program: str, value: Any, variables: dict[str, Any]) -> list[Any]:
    """Up to three results, with every number as libjq prints it."""
    binds = "".join(f"$__w.v.{name} as ${name} | " for name in sorted(variables))
    text = f". as $__w | {binds}$__w.i | [limit(3; {program}\n)] | tojson"
    try:
        printed = _compiled(text).input_text(encode_json({"i": value, "v": variables}).decode()).first()
    except ValueError as error:
        raise JqRefused(str(error)) from error
    return list(json.loads(printed))


def accepts(program: str) -> bool:
    """Whether libjq's grammar accepts a text; names and constant keys are another matter."""
    try:
        jq.compile(program)
    except ValueError as error:
        first = str(error).split("\n", 1)[0]
        return any(words in first for words in ("is not defined", "as object key"))
    return True


def is_same(ours: Any, theirs: Any) -> bool:
    """Equality of JSON values with the order of members; booleans are no numbers."""
    if isinstance(ours, bool) or isinstance(theirs, bool) or ours is None or theirs is None:
        return ours is theirs
    if isinstance(ours, int | float):
        return isinstance(theirs, int | float) and ours == theirs
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(is_same, ours, theirs))
    if isinstance(ours, dict):
        return list(ours) == list(theirs) and all(is_same(ours[key], theirs[key]) for key in ours)
    return bool(ours == theirs)
