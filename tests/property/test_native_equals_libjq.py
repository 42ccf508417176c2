"""The native subset against libjq: random programs over random values give the same results."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counterpoint.core.expr import ExpressionFailed, ExpressionInvalid, NativeLimit, compile_expression
from tests.conftest import SCALE
from tests.property.jq_oracle import JqRefused, is_same, results_of
from tests.property.jq_programs import Programs, document, value

SEEDS = st.integers(0, 2**48)
BATCH = 15
VALUES_PER_PROGRAM = 4
_INEXACT = "arithmetic with whole numbers beyond 2^53"


def judge(program: str, item: Any, variables: dict[str, Any]) -> str:
    """Compare one evaluation; says what happened natively."""
    try:
        native = compile_expression(program).native
    except ExpressionInvalid:
        return "invalid"
    if native is None:
        return "foreign"
    before = deepcopy((item, variables))
    try:
        ours: Any = native(item, variables)
        failure = None
    except NativeLimit:
        return "limit"
    except ExpressionFailed as error:
        failure = str(error)
    assert is_same([*before], [item, variables]), f"{program} changed its input"
    if failure is not None and failure.startswith(_INEXACT):
        return "inexact"
    try:
        theirs = results_of(program, item, variables)
    except JqRefused:
        assert failure is not None, f"{program} over {item!r}, {variables!r}: libjq fails, not we: {ours!r}"
        return "failed"
    if len(theirs) > 1:
        assert failure is not None, f"{program} over {item!r}: libjq gives {theirs!r}, we give {ours!r}"
        return "failed"
    expected = theirs[0] if theirs else None
    assert failure is None, (
        f"{program} over {item!r}, {variables!r}: we fail ({failure}), libjq: {expected!r}"
    )
    assert is_same(ours, expected), f"{program} over {item!r}, {variables!r}: {ours!r}, libjq: {expected!r}"
    return "value"


def judge_batch(seed: int, depth: int, count: int = BATCH) -> Counter[str]:
    """Compare a number of random programs."""
    random = Random(seed)
    outcomes: Counter[str] = Counter()
    for _ in range(count):
        program = Programs(random).program(depth)
        for _ in range(VALUES_PER_PROGRAM):
            item = document(random) if random.random() < 0.7 else value(random)
            outcomes[judge(program, item, {"x": value(random, 2), "y": value(random, 1)})] += 1
    return outcomes


@settings(max_examples=40 * SCALE, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=SEEDS)
def test_random_programs_give_what_libjq_gives(seed: int) -> None:
    judge_batch(seed, depth=3)


@settings(max_examples=25 * SCALE, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=SEEDS)
def test_short_programs_give_what_libjq_gives(seed: int) -> None:
    judge_batch(seed, depth=1)


def test_the_random_programs_reach_the_native_path() -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(10):
        outcomes += judge_batch(seed, depth=2)
    total = outcomes.total()
    assert outcomes["value"] + outcomes["failed"] > total * 0.6, outcomes
    assert outcomes["value"] > total * 0.25, outcomes


FUNCTIONS = """
    not length utf8bytelength keys keys_unsorted type tostring tojson tonumber ascii_downcase
    ascii_upcase trim ltrim rtrim add any all min max sort unique reverse flatten first last
    to_entries from_entries floor ceil round abs empty nulls strings numbers values objects arrays
    booleans iterables scalars has(0) startswith(.) endswith(.) ltrimstr(.) rtrimstr(.) split(.)
    join(",") contains(.) inside(.) select(.) map(.) map_values(.) with_entries(.) any(.) all(.)
    IN(.) first(.[]) last(.[]) sort_by(.) group_by(.) unique_by(.) min_by(.) max_by(.) isempty(.)
    add(.[]) range(3) range(.) limit(2;.[]) test("a") error @json @text @html @uri @base64
"""
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    3,
    2.5,
    -0.5,
    1.0,
    2**53 - 1,
    2**53,
    -(2**60),
    "",
    "a",
    "A b\u00e9\U0001f600",
    "12",
    "-3",
    "0.5",
    "<&'\">/?",
    [],
    [1],
    [True, 1, "1", None, 1.0, [1], {"a": 1}],
    [3, 1, 2, 1],
    ["b", "a", "b"],
    [[1, [2]], [3]],
    [{"a": 2}, {"a": 1}, {"b": 0}],
    {},
    {"a": 1},
    {"b": [1], "a": {"c": None}},
    [{"key": "k", "value": 1}],
    ["x", None, 4],
    [0.1, 0.2],
    [2**53 + 1, 2**53],
    [False, None],
    {"key": True, "value": "a"},
)


@pytest.mark.parametrize("function", FUNCTIONS.split())
def test_each_function_gives_what_libjq_gives_for_every_kind_of_value(function: str) -> None:
    outcomes = Counter(judge(function, item, {}) for item in VALUES)
    assert outcomes["foreign"] == outcomes["invalid"] == 0
    assert outcomes["value"] + outcomes["failed"] > 0


@pytest.mark.parametrize("operator", "+ - * / % == != < <= > >= and or //".split())
def test_each_operator_gives_what_libjq_gives_for_every_pair_of_kinds(operator: str) -> None:
    for left in VALUES:
        for right in VALUES:
            judge(f".[0] {operator} .[1]", [left, right], {})


@pytest.mark.parametrize("operator", "= |= += -= *= /= %= //=".split())
def test_each_assignment_gives_what_libjq_gives(operator: str) -> None:
    values = (
        {"a": {"b": 2}},
        {"a": 4, "b": 2},
        {},
        None,
        {"a": None},
        {"a": False, "b": 1},
        [1],
        {"a": [1], "b": [1]},
    )
    for item in values:
        for path in (".a", ".a.b", ".b", '."a"["c"]'):
            for right in ("1", ".", ".a", ".b?", "null", "empty", "(1, 2)", '"x"'):
                judge(f"{path} {operator} {right}", item, {})


@pytest.mark.parametrize(
    "literal",
    ["1", "0", "-1", "2.5", '"a"', '""', "null", "true", "false", "1.0", "1e3", "[]", "9007199254740993"],
)
@pytest.mark.parametrize("operator", "== != < <= > >= + -".split())
def test_comparison_with_a_constant_gives_what_libjq_gives(operator: str, literal: str) -> None:
    for item in VALUES:
        judge(f". {operator} {literal}", item, {})
