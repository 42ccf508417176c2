"""The fast depth check of JSON texts agrees with the plain walk, whatever the texts hold."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from counterpoint.core.values import depth_exceeds, encode_json, is_too_deep

texts = st.text(alphabet='[]{}"\\,:a\n', max_size=6)
values = st.recursive(
    st.none() | st.integers(-5, 5) | texts,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(texts, below, max_size=4),
    max_leaves=40,
)


def decoys(depth: int) -> Any:
    """Nesting in which every array also holds the texts that would close and open it."""
    value: Any = []
    for _ in range(depth):
        value = ["]", value, "["]
    return value


def escaped_decoys(depth: int) -> Any:
    """The same between texts that end in a backslash, which looks as if it escaped the closing quote."""
    value: Any = []
    for _ in range(depth):
        value = ["\\", "]", "\\", value, "\\", "[", "\\"]
    return value


@given(value=values, limit=st.integers(1, 6))
@example(value=decoys(4), limit=4)
@example(value=decoys(5), limit=4)
@example(value=escaped_decoys(5), limit=4)
@example(value=["\\", '"', ["\\\\"], '\\"[', {"]": []}], limit=1)
def test_the_fast_check_of_depth_agrees_with_the_walk(value: Any, limit: int) -> None:
    assert is_too_deep(encode_json(value), limit) == depth_exceeds(value, limit)


def test_texts_full_of_brackets_do_not_hide_depth() -> None:
    assert is_too_deep(encode_json(decoys(128)))
    assert is_too_deep(encode_json(escaped_decoys(128)))
    assert not is_too_deep(encode_json(decoys(127)))
    assert not is_too_deep(encode_json(escaped_decoys(127)))
    assert not is_too_deep(encode_json([{"text": "[" * 500}] * 200))
