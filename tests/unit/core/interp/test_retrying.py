"""When a retry comes (A10): constant, linear, exponential, capped, with jitter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.core.dsl.model import Backoff, RetryPolicy
from counterpoint.core.interp import backoff_micros, jitter_micros, to_duration
from counterpoint.core.values import Duration

S = 1_000_000
TWO = Duration(micros=2 * S)
YEAR = 366 * 86_400 * S


def waits(policy: RetryPolicy, count: int = 4) -> list[float]:
    """Seconds before the first retries, with a delay of two seconds."""
    return [backoff_micros(policy, TWO, number) / S for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (RetryPolicy(), [2, 2, 2, 2]),
        (RetryPolicy(backoff=Backoff.LINEAR), [2, 4, 6, 8]),
        (RetryPolicy(backoff=Backoff.LINEAR, factor=1.5), [3, 6, 9, 12]),
        (RetryPolicy(backoff=Backoff.EXPONENTIAL), [2, 4, 8, 16]),
        (RetryPolicy(backoff=Backoff.EXPONENTIAL, factor=3), [2, 6, 18, 54]),
        (RetryPolicy(backoff=Backoff.EXPONENTIAL, factor=1), [2, 2, 2, 2]),
        (RetryPolicy(backoff=Backoff.EXPONENTIAL, factor=0.5), [2, 1, 0.5, 0.25]),
        (RetryPolicy(backoff=Backoff.EXPONENTIAL, max_delay=Duration(micros=5 * S)), [2, 4, 5, 5]),
        (RetryPolicy(backoff=Backoff.LINEAR, max_delay=Duration(micros=5 * S)), [2, 4, 5, 5]),
        (RetryPolicy(max_delay=Duration(micros=S)), [1, 1, 1, 1]),
    ],
)
def test_the_wait_follows_the_formula_of_its_backoff(policy: RetryPolicy, expected: list[float]) -> None:
    assert waits(policy) == expected


@pytest.mark.parametrize("number", [64, 1_000, 10**9])
def test_growth_without_a_cap_stops_at_a_year_and_never_overflows(number: int) -> None:
    grown = RetryPolicy(backoff=Backoff.EXPONENTIAL, factor=10)
    assert backoff_micros(grown, TWO, number) == YEAR
    assert backoff_micros(RetryPolicy(backoff=Backoff.LINEAR), Duration(micros=YEAR), number) == YEAR


def test_jitter_covers_its_range_and_stays_in_it() -> None:
    low, high = Duration(micros=10), Duration(micros=20)
    assert jitter_micros(low, high, bytes(32)) == 10
    assert jitter_micros(low, high, b"\xff" * 32) == 19
    assert jitter_micros(low, high, b"\x80" + bytes(31)) == 15


def test_jitter_of_an_empty_or_reversed_range_is_its_lower_end() -> None:
    assert jitter_micros(TWO, TWO, b"\xff" * 32) == 2 * S
    assert jitter_micros(TWO, Duration(), b"\xff" * 32) == 2 * S


@given(st.binary(min_size=32, max_size=32), st.integers(0, 10**12), st.integers(0, 10**12))
def test_jitter_depends_on_the_entropy_alone(entropy: bytes, least: int, most: int) -> None:
    low, high = Duration(micros=least), Duration(micros=most)
    drawn = jitter_micros(low, high, entropy)
    assert drawn == jitter_micros(low, high, entropy)
    assert least <= drawn <= max(least, most)


def test_a_duration_is_a_text_or_an_object_of_units() -> None:
    assert to_duration("PT2S") == to_duration({"seconds": 2}) == TWO
    for wrong in (None, 2, [], True):
        with pytest.raises(ValueError, match="ISO 8601"):
            to_duration(wrong)
