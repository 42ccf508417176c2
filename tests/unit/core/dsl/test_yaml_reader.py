"""Text to values: YAML 1.2, JSON, places, limits."""

from __future__ import annotations

import json

import pytest

from counterpoint.core.dsl.yaml_reader import MAX_DEPTH, MAX_NODES, MAX_TEXT_BYTES, read, scan
from counterpoint.errors import DefinitionError


def refusal(text: str | bytes) -> tuple[str, int]:
    """Code and line of the first problem of a text."""
    with pytest.raises(DefinitionError) as raised:
        read(text)
    problem = raised.value.problems[0]
    return problem.code, problem.line


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on: yes", {"on": "yes"}),
        ("a: no\nb: off\nc: y", {"a": "no", "b": "off", "c": "y"}),
        ("2026-01-31: 2026-01-31", {"2026-01-31": "2026-01-31"}),
        ("a: 12:30:45", {"a": "12:30:45"}),
        ("a: 0o17", {"a": 15}),
        ("a: 017", {"a": 17}),
        ("a: 0x1F", {"a": 31}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 1e3\nb: .5\nc: -1.5\nd: 1.", {"a": 1000.0, "b": 0.5, "c": -1.5, "d": 1.0}),
        ("a: ~\nb:\nc: null\nd: Null", {"a": None, "b": None, "c": None, "d": None}),
        ("a: true\nb: False\nc: TRUE\nd: tRUE", {"a": True, "b": False, "c": True, "d": "tRUE"}),
        ("a: '1'\nb: \"true\"\nc: |\n  1\n", {"a": "1", "b": "true", "c": "1\n"}),
        ("a: !!str 5\nb: !!int 5\nc: !!float 5\nd: ! 5", {"a": "5", "b": 5, "c": 5.0, "d": "5"}),
        ("<<: { a: 1 }", {"<<": {"a": 1}}),
        ("a: 9223372036854775807\nb: -9223372036854775808", {"a": 2**63 - 1, "b": -(2**63)}),
        ("--- # comment\na: 1\n...\n", {"a": 1}),
        ("\ufeffa: 1", {"a": 1}),
        ("%YAML 1.2\n---\na: 1", {"a": 1}),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    result = read(text).value
    assert result == value
    assert json.dumps(result) == json.dumps(value)


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, "x", None, True, {"b": []}]},
        {"emoji": "\U0001f600 and \\ud83d", "quote": 'a "b" \\'},
        {"a/b": "\t\n\u0001\u2028", "~": "é"},
        [],
        "text",
    ],
)
@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_json_is_read_as_it_is(value: object, indent: int | str | None, is_ascii: bool) -> None:
    assert read(json.dumps(value, indent=indent, ensure_ascii=is_ascii)).value == value


def test_places_name_the_line_and_column_of_keys_and_values() -> None:
    places = read("a:\n  - x: 1\n    'y z':   two\nb: [ 3, { c: 4 } ]\n").places
    found, is_whole = places.find(("a", 0, "y z"))
    assert (found.key, found.value, is_whole) == ((3, 5), (3, 14), True)
    found, is_whole = places.find(("b", 1, "c"))
    assert (found.key, found.value, is_whole) == ((4, 11), (4, 14), True)
    found, is_whole = places.find(("a", 0, "absent", "deeper"))
    assert (found.value, is_whole) == ((2, 5), False)


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: &x 1", "alias", 1),
        ("a:\n- *x", "alias", 2),
        ("a: &x [*x]", "alias", 1),
        ("a: !local 1", "tag", 1),
        ("a: !!python/name:os.system x", "tag", 1),
        ("a: !!binary aGk=", "tag", 1),
        ("a: !!int x", "tag", 1),
        ("a: !!bool 1", "tag", 1),
        ("a: !!float 0x1F", "tag", 1),
        ("a: !!map []", "tag", 1),
        ("a: 1\na: 2", "duplicate-key", 2),
        ("{a: 1, 'a': 2}", "duplicate-key", 1),
        ("1: x", "key-not-text", 1),
        ("true: x", "key-not-text", 1),
        ("?\n: x", "key-not-text", 1),
        ("? [a]\n: x", "key-not-text", 1),
        ("? {a: 1}\n: x", "key-not-text", 1),
        ("a: .NaN", "number-range", 1),
        ("a: -.inf", "number-range", 1),
        ("a: 1e999", "number-range", 1),
        ("a: 18446744073709551616", "number-range", 1),
        ("a: 0x" + "f" * 100_000, "number-range", 1),
        ("a: 1\n---\nb: 2", "several-documents", 2),
        ("", "yaml", 1),
        ("# nothing", "yaml", 1),
        ("a: b: c", "yaml", 1),
        ("a:\n\tb: 1", "yaml", 2),
        (b"a: \xff", "yaml", 1),
        ("a: \x00", "yaml", 1),
        ('{"a": "\\ud83d"}', "yaml", 1),
        ("a: \ud83d", "yaml", 1),
        ("k" * 300 + ": 1", "too-large", 1),
    ],
)
def test_what_a_document_may_not_hold_is_refused_by_name(text: str | bytes, code: str, line: int) -> None:
    assert refusal(text) == (code, line)


def test_flaws_do_not_stop_the_reading() -> None:
    source = scan("a: 1\na: 99999999999999999999\nb:\n- 3: .inf\n")
    assert [(flaw.path, flaw.code) for flaw in source.flaws] == [
        (("a",), "duplicate-key"),
        (("a",), "number-range"),
        (("b", 0, "3"), "key-not-text"),
        (("b", 0, "3"), "number-range"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 900 + "]" * 900,
        "{a: " * 20_000,
        "- " * 100_000 + "x",
        "\n".join(" " * depth + "a:" for depth in range(1_300)),
    ],
)
def test_deep_texts_are_refused_without_recursion(text: str) -> None:
    assert refusal(text)[0] == "too-deep"


def test_a_billion_laughs_are_refused_at_the_first() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    assert refusal("\n".join(lines)) == ("alias", 1)


def test_depth_nodes_and_size_may_be_reached_but_not_passed() -> None:
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH).value
    assert refusal("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))[0] == "too-deep"
    assert len(read("[" + "1," * (MAX_NODES - 1) + "]").value) == MAX_NODES - 1
    assert refusal("[" + "1," * MAX_NODES + "]")[0] == "too-many-nodes"
    assert read("'" + "x" * (MAX_TEXT_BYTES - 2) + "'").value
    assert refusal("'" + "x" * (MAX_TEXT_BYTES - 1) + "'")[0] == "too-large"
    assert refusal("'" + "é" * (MAX_TEXT_BYTES // 2) + "'")[0] == "too-large"
