"""Values that cross between actions and runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from counterpoint.sdk.results import as_json, parse_json


@dataclass
class Account:
    id: int
    tags: tuple[str, ...]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_typed_values_take_their_json_form() -> None:
    value = {
        "account": Account(1, ("a", "b")),
        "at": datetime(2026, 7, 1, tzinfo=UTC),
        "price": Decimal("1.50"),
    }
    assert as_json(value) == {
        "account": {"id": 1, "tags": ["a", "b"]},
        "at": "2026-07-01T00:00:00Z",
        "price": "1.50",
    }


def test_a_tuple_becomes_an_array() -> None:
    result = as_json({"pair": (1, 2)})
    assert type(result["pair"]) is list


def test_what_an_action_does_to_its_result_later_changes_nothing() -> None:
    state = {"count": [1]}
    result = as_json(state)
    state["count"].append(2)
    assert result == {"count": [1]}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("wrap", [lambda n: n, lambda n: [1, None, n], lambda n: {"a": {"b": (n,)}}])
def test_numbers_that_json_lacks_are_refused(number: float, wrap: Any) -> None:
    with pytest.raises(ValueError, match="not a JSON number"):
        as_json(wrap(number))


def test_null_is_no_reason_to_refuse() -> None:
    assert as_json({"a": None, "text": "null", "n": 1.5}) == {"a": None, "text": "null", "n": 1.5}


@pytest.mark.parametrize("value", [object(), {"f": print}, {(1, 2): 3}, "\ud800", ["\udfff"]])
def test_what_has_no_json_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        as_json(value)


@pytest.mark.parametrize("depth", [129, 5000])
def test_a_value_that_nests_too_deep_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        as_json(nested(depth))
    with pytest.raises(ValueError, match=r".+"):
        parse_json(b"[" * depth + b"]" * depth)


def test_a_value_of_the_deepest_nesting_passes() -> None:
    assert as_json(nested(128)) == nested(128)
    assert parse_json(b"[" * 128 + b"1" + b"]" * 128) == nested(128)


def test_integers_are_exact_up_to_64_bits_and_refused_beyond() -> None:
    assert parse_json(b"[9007199254740993, 18446744073709551615, -9223372036854775808]") == [
        2**53 + 1,
        2**64 - 1,
        -(2**63),
    ]
    for text in (b"18446744073709551616", b'{"a": [-9223372036854775809]}'):
        with pytest.raises(ValueError, match="64 bits"):
            parse_json(text)


def test_long_digits_in_a_text_are_only_a_text() -> None:
    assert parse_json(b'{"card": "123456789012345678901234567890"}')["card"].startswith("1234")


@pytest.mark.parametrize(
    "text", [b"", b"{", b"NaN", b"1e400", b'"\\ud800"', b'"\xff"', b"[1,]", b"\xef\xbb\xbf1"]
)
def test_a_text_that_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text)
