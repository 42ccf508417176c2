"""The native subset: results, exactness, and bounds that hostile programs cannot pass."""

from __future__ import annotations

from typing import Any

import pytest

from counterpoint.core.expr import ExpressionFailed, NativeLimit, compile_expression
from counterpoint.core.expr.native.compile import growth_of
from counterpoint.core.expr.parser import parse

BIG = 2**53 + 1


def run(text: str, value: Any = None, **variables: Any) -> Any:
    """Result of a program that must be native."""
    native = compile_expression(text).native
    assert native is not None, f"{text} is not native"
    return native(value, variables)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        (".a.b", {"a": {"b": 1}}, 1),
        (".a.b.c", {"a": None}, None),
        (".a?", 1, None),
        (".items[0].id", {"items": [{"id": 7}]}, 7),
        (".a[1:3]", {"a": [1, 2, 3, 4]}, [2, 3]),
        (".x + 1", {"x": 1}, 2),
        ("6 / 2", None, 3),
        ("-5 % 3", None, -2),
        ('.a + "b"', {"a": "a"}, "ab"),
        (". + {b: 2}", {"a": 1}, {"a": 1, "b": 2}),
        ("[.items[] | select(.ok) | .n]", {"items": [{"ok": True, "n": 1}, {"ok": False, "n": 2}]}, [1]),
        (".items | map(.n) | add", {"items": [{"n": 1}, {"n": 2}]}, 3),
        ('"\\(.a)-\\(.b)"', {"a": 1, "b": [True]}, "1-[true]"),
        (".a // 5", {"a": None}, 5),
        ("if .a > 1 then 1 elif .a then 2 else 3 end", {"a": 1}, 2),
        ('.s | IN("a", "b")', {"s": "b"}, True),
        ("reduce .[] as $i (0; . + $i)", [1, 2, 3], 6),
        (".a as [$x, {b: $y}] | $x + $y", {"a": [1, {"b": 2}]}, 3),
        (".a.b = 1", None, {"a": {"b": 1}}),
        ("del(.a)", {"a": 1, "b": 2}, {"b": 2}),
        ("with_entries(.value += 1)", {"a": 1}, {"a": 2}),
        ('try error("x") catch null', None, None),
        ("first(.[] | select(. > 1))", [1, 2, 3], 2),
        ("empty", None, None),
    ],
)
def test_programs_give_their_result(text: str, value: Any, expected: Any) -> None:
    result = run(text, value)
    assert result == expected
    assert type(result) is type(expected)


def test_variables_are_read_by_name() -> None:
    assert run("$a.b + $c", a={"b": 1}, c=2) == 3
    assert run("{$a, b: $c}", a=1, c=[2]) == {"a": 1, "b": [2]}


def test_a_variable_without_a_value_is_a_failure() -> None:
    for text in ("$a", "$a.b", "[$a]", ". as $x | $a"):
        with pytest.raises(ExpressionFailed, match="no value"):
            run(text)


def test_no_result_is_null_and_several_are_a_failure() -> None:
    assert run(".[]", []) is None
    assert run(".[]", [5]) == 5
    with pytest.raises(ExpressionFailed, match="several"):
        run(".[]", [1, 2])
    with pytest.raises(ExpressionFailed, match="several"):
        run("1, 2")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true == 1", False),
        ("false == 0", False),
        (". == 1", False),
        ("[.] == [1]", False),
        ("1 == .", False),
        (". < 1", True),
        ("[1, .] | sort", [True, 1]),
        ("[1, .] | unique", [True, 1]),
        ("[1] - [.]", [1]),
        ("IN(1)", False),
        ("[1, .] | index", None),
        (". != 1", True),
        ('{"a": .} == {"a": 1}', False),
    ],
)
def test_a_boolean_is_no_number(text: str, expected: Any) -> None:
    if expected is not None:
        result = run(text, True)
        assert result == expected
        assert repr(result) == repr(expected)


def test_a_boolean_is_no_index_and_no_summand() -> None:
    for text in (".[0][true]", ".[0] + true", "true - 1", "true * 2", "-true", ".[0] % true", "true / 1"):
        with pytest.raises(ExpressionFailed):
            run(text, [1])


class TestWholeNumbers:
    def test_large_ones_pass_unchanged(self) -> None:
        assert run(".a", {"a": BIG}) == BIG
        assert run("{x: [.a]}", {"a": 2**63}) == {"x": [2**63]}
        assert run("9007199254740993") == BIG
        assert run(".a | tostring", {"a": BIG}) == str(BIG)
        assert run("[.[] | .a] | max", [{"a": BIG}, {"a": BIG - 1}]) == BIG

    def test_they_are_compared_exactly(self) -> None:
        assert run(".[0] == .[1]", [BIG, BIG - 1]) is False
        assert run(".[0] > .[1]", [BIG, BIG - 1]) is True

    @pytest.mark.parametrize(
        "text",
        [
            ". + 1",
            "1 + .",
            ". - 1",
            ". * 1",
            ". / 2",
            ". % 10",
            "-.",
            "floor",
            "abs",
            "length",
            ". + 0.5",
            "[., 1] | add",
        ],
    )
    def test_arithmetic_with_them_is_refused(self, text: str) -> None:
        number = -BIG if text == "abs" else BIG
        with pytest.raises(ExpressionFailed, match="exact"):
            run(text, number)

    def test_arithmetic_that_reaches_them_is_refused(self) -> None:
        assert run(". + 1", 2**53 - 2) == 2**53 - 1
        for text in (". + 1", ". * 2", ". - -1"):
            with pytest.raises(ExpressionFailed, match="exact"):
                run(text, 2**53 - 1)

    def test_a_refusal_cannot_be_caught_by_the_program(self) -> None:
        for text in ("try (. + 1) catch 0", "(. + 1)?", "[(. + 1)?]"):
            with pytest.raises(ExpressionFailed, match="exact"):
                run(text, BIG)

    def test_whole_results_are_integers(self) -> None:
        for text in ("1.5 + 1.5", "6 / 2", "0.5 * 6", "3.7 | floor"):
            assert type(run(text)) is int


def test_infinite_and_undefined_results_never_leave_the_native_tier() -> None:
    for text in (". * .", ". + .", "-. - .", ". * . - . * ."):
        with pytest.raises(NativeLimit):
            run(text, 1e308)


def test_division_by_zero_is_a_failure() -> None:
    for text in ("1 / 0", "1 % 0", "1.5 / 0", "5 % 0.5"):
        with pytest.raises(ExpressionFailed, match="zero"):
            run(text)


def test_messages_carry_types_and_keys_but_no_data() -> None:
    with pytest.raises(ExpressionFailed) as caught:
        run(".token.part", {"token": "secret-value"})
    assert "secret-value" not in str(caught.value)
    assert "string" in str(caught.value)
    assert "part" in str(caught.value)


WIDE = list(range(300_000))
CUBE = [[[i + j + k for k in range(40)] for j in range(40)] for i in range(40)]
LONG = "y" * 1_000_000


def nested(depth: int) -> Any:
    """A value of that depth."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


BOMBS: list[tuple[str, Any]] = [
    ("[range(1000000000000)]", None),
    ("[range(1000000000)]", None),
    ('reduce range(100) as $i ("x"; . + .)', None),
    ("reduce range(100) as $i ([1]; . + .)", None),
    ("reduce range(100) as $i (1; [., .])", None),
    ("reduce range(100000) as $i (1; [.])", None),
    ('reduce range(100000) as $i ({}; . + {"\\($i)": 1})', None),
    ("[range(300) as $a | range(300) as $b | range(300) as $c | 1] | length", None),
    ("map(. + 1)", WIDE),
    ("sort", WIDE),
    ("unique", WIDE),
    ("add", WIDE),
    ("[.[] | .]", WIDE),
    ("map(select(. < 0))", WIDE),
    ("any(.[]; . < 0)", WIDE),
    ("first(.[] | select(. < 0))", WIDE),
    ("group_by(. % 7)", WIDE),
    ("min_by(-.)", WIDE),
    ("[.[], .[]]", WIDE),
    (". - .", WIDE),
    ("contains(.)", WIDE),
    ('join(",")', WIDE),
    ("tojson", WIDE),
    ('map(tostring) | join(",")', WIDE),
    ("reverse | reverse", WIDE),
    ("flatten", CUBE),
    ("tojson", CUBE),
    ("[.[][][]] | length", CUBE),
    ("map(map(map(. * 2)))", CUBE),
    (". == map(.)", CUBE),
    ("[., .] | unique", CUBE),
    ("tojson", nested(5_000)),
    ("flatten", nested(100_000)),
    (". + . + . + .", LONG),
    ('split("")', LONG),
    ("ascii_upcase", LONG),
    ("@uri", LONG),
    ('@html "\\(.)\\(.)"', LONG),
    ("@base64", LONG * 10),
    ('"' + "\\(.)" * 30 + '"', LONG),
    ('[range(20000) as $i | . == "\\(.)"]', LONG),
    ('[range(20000) as $i | ltrimstr("y")]', LONG),
    ('[range(20000) as $i | startswith("z")] | length', LONG),
    ("[range(20000) as $i | trim]", " " + LONG),
    ("[range(20000) as $i | .[1:]]", LONG),
    ("keys", dict.fromkeys(map(str, WIDE))),
    ("to_entries", dict.fromkeys(map(str, WIDE))),
    (". + .", dict.fromkeys(map(str, WIDE))),
    ("|".join(["[., .]"] * 40), None),
    ("|".join(["{a: ., b: .}"] * 40), None),
    ("[" + "|".join(["(1, 2)"] * 40) + "]", None),
    ("[" + "+".join(["(1, 2)"] * 40) + "]", None),
    ("[limit(1000000; range(1000000000))]", None),
    ("{" + ", ".join(f"k{i}: (1, 2)" for i in range(40)) + "} | length", None),
    ("map_values(. + 1)", WIDE),
    (" + ".join(["."] * 60), WIDE),
    ("[.[] as $x | .[] as $y | $x]", WIDE),
    ("last(.[])", WIDE),
    ("sort_by(.)", [LONG] * 9),
]


@pytest.mark.parametrize(("text", "value"), BOMBS, ids=[text[:40] for text, _ in BOMBS])
def test_a_bomb_gives_up_within_its_budget(text: str, value: Any) -> None:
    with pytest.raises((NativeLimit, ExpressionFailed)):
        run(text, value)


def test_deep_values_do_not_exhaust_the_stack() -> None:
    for depth in (1_000, 20_000):
        deep, twin = nested(depth), nested(depth)
        for text in (
            ".[0] == .[1]",
            ".[0] < .[1]",
            "contains(.)",
            "sort",
            "tostring",
            '"\\(.)"',
            "unique",
            ". - .",
        ):
            with pytest.raises(NativeLimit):
                run(text, [deep, twin])


def test_results_that_share_parts_are_counted_before_they_leave() -> None:
    assert growth_of(parse(".a.b | {x: .c, y: .d}")) <= 2
    assert growth_of(parse("|".join(["[., .]"] * 10))) > 200
    with pytest.raises(NativeLimit, match="large"):
        run("|".join(["[., .]"] * 20))


def test_a_closure_never_changes_its_input() -> None:
    value = {"a": {"b": 1}, "items": [3, 1, 2]}
    for text in (
        ".a.b = 2",
        ".a |= . + {c: 1}",
        "del(.a.b)",
        ".items | sort",
        ".items + [1]",
        ".a * {b: 2}",
        "map_values(1)",
    ):
        run(text, value)
    assert value == {"a": {"b": 1}, "items": [3, 1, 2]}
