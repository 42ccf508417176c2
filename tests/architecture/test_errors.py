"""Errors: one root, and one row for each leaf that says how it leaves the process."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import counterpoint
from counterpoint import errors
from counterpoint.errors import LEAVES, CounterpointError, treatment_of
from tests.architecture.source import ROOT

LEVELS = {"debug", "info", "warning", "error", "critical"}
DEEP_IN_THE_PACKAGE = (
    "counterpoint.core.",
    "counterpoint.ports.",
    "counterpoint.storage.",
    "counterpoint.app.",
)


def below(kind: type[CounterpointError]) -> Iterator[type[CounterpointError]]:
    """All classes below an error class that the package defines."""
    for child in kind.__subclasses__():
        if child.__module__.startswith("counterpoint"):
            yield child
            yield from below(child)


def all_errors() -> set[type[CounterpointError]]:
    """Every error class, wherever in the package it is defined."""
    for module in pkgutil.walk_packages(counterpoint.__path__, "counterpoint."):
        if module.name.startswith(DEEP_IN_THE_PACKAGE):
            importlib.import_module(module.name)
    return set(below(CounterpointError))


def leaves() -> set[type[CounterpointError]]:
    """Error classes without a class below them, and those that are raised themselves."""
    return {kind for kind in all_errors() if not any(below(kind))}


def test_each_leaf_has_a_row() -> None:
    assert sorted(kind.__name__ for kind in leaves() - LEAVES.keys()) == []


def test_each_row_stands_for_an_error_of_the_one_file() -> None:
    assert [kind.__name__ for kind in LEAVES if kind.__module__ != errors.__name__] == []


def test_errors_live_in_one_file() -> None:
    assert sorted(kind.__qualname__ for kind in all_errors() if kind.__module__ != errors.__name__) == []


def test_codes_are_unique_camel_case_words() -> None:
    codes = [kind.code for kind in all_errors()]
    assert len(codes) == len(set(codes))
    assert [code for code in codes if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", code)] == []


def test_rows_hold_what_the_outside_understands() -> None:
    for kind, row in LEAVES.items():
        assert 400 <= row.http_status < 600, kind
        assert 1 <= row.exit_code < 126, kind
        assert row.log_level in LEVELS, kind


def test_an_unknown_error_is_a_bug_and_not_a_success() -> None:
    class Stranger(CounterpointError):
        code = "stranger"

    row = treatment_of(Stranger("?"))
    assert (row.http_status, row.exit_code, row.log_level) == (500, 70, "error")


def test_the_reference_lists_each_code_with_its_exit_code_and_status() -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    for kind, row in LEAVES.items():
        pattern = rf"\| `{kind.code}` \| {row.exit_code} \| {row.http_status} \|"
        assert re.search(pattern, page), (
            f"docs/reference/errors.md: no row `{kind.code}` {row.exit_code} {row.http_status}"
        )
