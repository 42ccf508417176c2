"""Building blocks that say what a part of a document may look like; `grammar*.py` put them together.

A shape checks a value and reports all that is wrong, in words for the author. Tables of shapes replace a JSON
Schema validator here because its messages name keywords, not mistakes: an unknown key gets the nearest known
one, two kinds in one task are called that. Recursion is bounded by the depth that the reader allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from counterpoint.core.dsl.pointers import Path
from counterpoint.core.dsl.report import Report
from counterpoint.core.values import JsonValue


class Shape(Protocol):
    """What a value may look like."""

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Report everything about a value that is not as it should be."""
        ...


def name_of_type(value: JsonValue) -> str:
    """Type of a JSON value in the author's words."""
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a map"


def wrong_type(value: JsonValue, expected: str, path: Path, report: Report, hint: str = "") -> None:
    """Report that a value has not the type that it should have."""
    report.add(path, "wrong-type", f"Expected {expected}, got {name_of_type(value)}.", hint)


class Anything:
    """Any JSON value."""

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Nothing to report."""


ANYTHING = Anything()

_SCALAR_HINT = "Write it in quotes to make it text."


class Text:
    """A text: one of `choices`, or all of it matching `pattern`, whose rule is said in words."""

    def __init__(
        self, choices: tuple[str, ...] = (), pattern: str = "", rule: str = "", *, is_filled: bool = False
    ) -> None:
        self.choices = choices
        self.pattern = re.compile(pattern, re.ASCII) if pattern else None
        self.rule = rule
        self.is_filled = is_filled

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Report another type, another choice, or a text that does not follow the rule."""
        if not isinstance(value, str):
            is_scalar = isinstance(value, bool | int | float)
            wrong_type(value, "text", path, report, _SCALAR_HINT if is_scalar else "")
        elif self.choices and value not in self.choices:
            known = ", ".join(f"`{choice}`" for choice in self.choices)
            near = report.nearest(value, self.choices)
            hint = f"Did you mean `{near}`?" if near else ""
            report.add(path, "not-allowed", f"`{value[:60]}` is not one of {known}.", hint)
        elif self.pattern is not None and not self.pattern.fullmatch(value):
            report.add(path, "pattern", f"`{value[:60]}` does not fit: {self.rule}.")
        elif self.is_filled and not value:
            report.add(path, "pattern", "The text must not be empty.")


TEXT = Text()


class Judged:
    """A text that a function judges: it gives the reason why not, in words, or an empty text."""

    def __init__(self, judge: Callable[[str], str], code: str, hint: str = "") -> None:
        self.judge = judge
        self.code = code
        self.hint = hint

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Report another type, or what the judge found."""
        if not isinstance(value, str):
            wrong_type(value, "text", path, report)
            return
        reason = self.judge(value)
        if reason:
            report.add(path, self.code, f"`{value[:60]}` does not fit: {reason}.", self.hint)


class Whole:
    """A whole number between two bounds."""

    def __init__(self, least: int | None = None, most: int | None = None) -> None:
        self.least = least
        self.most = most

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Report another type or a number outside the bounds."""
        is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not is_whole:
            hint = "Remove the quotes." if isinstance(value, str) and value.lstrip("-").isdigit() else ""
            wrong_type(value, "a whole number", path, report, hint)
        elif (self.least is not None and value < self.least) or (self.most is not None and value > self.most):
            bounds = f"at least {self.least}" if self.most is None else f"from {self.least} to {self.most}"
            report.add(path, "number-range", f"{value} is out of range; expected {bounds}.")


class Number:
    """A number of at least a bound."""

    def __init__(self, least: float) -> None:
        self.least = least

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Report another type or a smaller number."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            wrong_type(value, "a number", path, report)
        elif value < self.least:
            report.add(path, "number-range", f"{value} is out of range; expected at least {self.least:g}.")


class Flag:
    """`true` or `false`."""

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Report another type."""
        if not isinstance(value, bool):
            is_word = isinstance(value, str) and value.lower() in ("true", "false", "yes", "no", "on", "off")
            hint = "Write `true` or `false` without quotes." if is_word else ""
            wrong_type(value, "true or false", path, report, hint)


FLAG = Flag()


class ListOf:
    """A list of one shape."""

    def __init__(self, item: Shape, least: int = 0) -> None:
        self.item = item
        self.least = least

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Report another type, too few items, and what is wrong with each."""
        if not isinstance(value, list):
            wrong_type(value, "a list", path, report)
            return
        if len(value) < self.least:
            report.add(path, "too-few", f"Expected at least {self.least} item, got {len(value)}.")
        for index, item in enumerate(value):
            self.item.check(item, (*path, index), report)


class NamedList:
    """A list of maps with one key each, such as tasks and switch cases."""

    def __init__(self, item: Shape, what: str, least: int = 0) -> None:
        self.item = item
        self.what = what
        self.least = least

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Report what is no list of one-key maps, and what is wrong with each item."""
        if not isinstance(value, list):
            hint = "Put `- ` before each name." if isinstance(value, dict) else ""
            wrong_type(value, f"a list of {self.what}s", path, report, hint)
            return
        if len(value) < self.least:
            report.add(path, "too-few", f"Expected at least {self.least} {self.what}, got {len(value)}.")
        for index, entry in enumerate(value):
            self._check_entry(entry, (*path, index), report)

    def _check_entry(self, entry: JsonValue, path: Path, report: Report) -> None:
        if not isinstance(entry, dict):
            wrong_type(entry, f"a map with the name of the {self.what} as its only key", path, report)
            return
        if len(entry) != 1:
            names = ", ".join(f"`{name[:40]}`" for name in list(entry)[:4])
            hint = f"Give each its own `- `: {names}." if entry else f"Name the {self.what}."
            message = f"An item of this list holds one {self.what}; this one has {len(entry)} keys."
            report.add(path, "not-one-key", message, hint)
        for name, item in entry.items():
            self.item.check(item, (*path, name), report)


class MapOf:
    """A map from any name to one shape."""

    def __init__(self, item: Shape = ANYTHING, least: int = 0) -> None:
        self.item = item
        self.least = least

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Report another type, too few members, and what is wrong with each."""
        if not isinstance(value, dict):
            wrong_type(value, "a map", path, report)
            return
        if len(value) < self.least:
            report.add(path, "too-few", f"Expected at least {self.least} member.")
        for name, item in value.items():
            self.item.check(item, (*path, name), report)


MAP = MapOf()


class Fields:
    """A map with known members.

    Args:
        what: The map in the author's words, such as "a retry policy".
        members: Shape of each known member.
        required: Members that must be there.
        one_of: Members of which exactly one must be there.
        is_open: Whether other members are accepted; a misspelling of a known one is a warning then.
        least: Fewest members.
    """

    def __init__(
        self,
        what: str,
        members: Mapping[str, Shape],
        required: tuple[str, ...] = (),
        one_of: tuple[str, ...] = (),
        *,
        is_open: bool = False,
        least: int = 0,
    ) -> None:
        self.what = what
        self.members = members
        self.required = required
        self.one_of = one_of
        self.is_open = is_open
        self.least = least

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Report another type, missing, unknown and conflicting members, and what is wrong with each."""
        if not isinstance(value, dict):
            wrong_type(value, f"a map ({self.what})", path, report)
            return
        for name in self.required:
            if name not in value:
                report.add(
                    path, "missing", f"`{name}` is missing in {self.what}.", self._hint_missing(value, report)
                )
        if self.one_of:
            self._check_one_of(value, path, report)
        if len(value) < self.least:
            report.add(path, "too-few", f"Expected at least {self.least} member in {self.what}.")
        for name, item in value.items():
            shape = self.members.get(name)
            if shape is None:
                self._report_unknown(name, path, report)
            else:
                shape.check(item, (*path, name), report)

    def _hint_missing(self, value: Mapping[str, JsonValue], report: Report) -> str:
        unknown = [name for name in list(value)[:20] if name not in self.members]
        for name in self.required:
            near = report.nearest(name, unknown) if name not in value else ""
            if near:
                return f"Is `{near}` meant to be `{name}`?"
        return ""

    def _check_one_of(self, value: Mapping[str, JsonValue], path: Path, report: Report) -> None:
        found = [name for name in self.one_of if name in value]
        if len(found) == 1:
            return
        known = ", ".join(f"`{name}`" for name in self.one_of)
        got = "none" if not found else ", ".join(f"`{name}`" for name in found)
        code = "exclusive" if found else "missing"
        report.add(path, code, f"Exactly one of {known} belongs in {self.what}; got {got}.")

    def _report_unknown(self, name: str, path: Path, report: Report) -> None:
        place = (*path, name)
        if not self.is_open:
            message = f"`{name[:60]}` is not known in {self.what}."
            report.add(place, "unknown-key", message, report.did_you_mean(name, self.members))
            return
        near = report.nearest(name, self.members, cutoff=0.8)
        if near:
            message = f"`{name}` has no meaning in {self.what}; it looks like `{near}`."
            report.warn(place, "unknown-key", message, f"Did you mean `{near}`?")


class ByType:
    """Another shape for texts, maps and lists; `expected` names them for who wrote something else."""

    def __init__(
        self,
        expected: str,
        *,
        text: Shape | None = None,
        mapping: Shape | None = None,
        items: Shape | None = None,
        scalar: Shape | None = None,
    ) -> None:
        self.expected = expected
        self.shapes: dict[type, Shape | None] = {
            str: text, dict: mapping, list: items, int: scalar, float: scalar, bool: scalar,
        }  # fmt: skip

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Report another type, or what the shape of this type finds."""
        shape = self.shapes.get(type(value))
        if shape is None:
            wrong_type(value, self.expected, path, report)
        else:
            shape.check(value, path, report)


class Later:
    """A shape that is named before it is made, for recursion."""

    def __init__(self, find: Callable[[], Shape]) -> None:
        self.find = find

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Check with the shape found."""
        self.find().check(value, path, report)


class Both:
    """A shape and then rules that tie its members together."""

    def __init__(self, shape: Shape, *rules: Callable[[JsonValue, Path, Report], None]) -> None:
        self.shape = shape
        self.rules = rules

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Check with the shape; the rules see maps only."""
        self.shape.check(value, path, report)
        if isinstance(value, dict):
            for rule in self.rules:
                rule(value, path, report)
