"""`$context` after a join (A6): the changes of each branch, in the order of declaration."""

from __future__ import annotations

from typing import Any

import pytest

from counterpoint.core.interp.merging import merge_contexts


@pytest.mark.parametrize(
    ("start", "branches", "expected"),
    [
        ({"a": 1}, [], {"a": 1}),
        ({"a": 1}, [{"a": 1}, {"a": 1}], {"a": 1}),
        ({"a": 1}, [{"a": 2}, {"a": 1}], {"a": 2}),
        ({"a": 1}, [{"a": 2}, {"a": 3}], {"a": 3}),
        ({}, [{"a": 1}, {"b": 2}], {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, [{"b": 2}, {"a": 1, "b": 2, "c": 3}], {"b": 2, "c": 3}),
        ({"a": {"x": 1}}, [{"a": {"x": 1, "y": 2}}, {"a": {"x": 1}}], {"a": {"x": 1, "y": 2}}),
        ({"a": 1}, [7, {"a": 1}], 7),
        ({"a": 1}, [7, {"b": 1}], {"b": 1}),
        (None, [{"a": 1}, {"b": 2}], {"a": 1, "b": 2}),
        ([1], [[1], [2]], [2]),
    ],
)
def test_what_a_branch_left_alone_does_not_undo_another(
    start: Any, branches: list[Any], expected: Any
) -> None:
    assert merge_contexts(start, branches) == expected


def test_nothing_that_was_merged_is_changed_itself() -> None:
    start, left, right = {"a": 1}, {"a": 2}, {"a": 1, "b": 3}
    assert merge_contexts(start, [left, right]) == {"a": 2, "b": 3}
    assert (start, left, right) == ({"a": 1}, {"a": 2}, {"a": 1, "b": 3})


def test_values_too_large_to_be_compared_count_as_changed() -> None:
    one: Any = 1
    other: Any = 1
    for _ in range(60):
        one, other = {"l": one, "r": one}, {"l": other, "r": other}
    merged = merge_contexts({"v": one}, [{"v": other}, {"v": one}])
    assert merged["v"] is other
