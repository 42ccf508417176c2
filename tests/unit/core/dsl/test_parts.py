"""Durations, addresses, error types and schemas: the small parts of the loader."""

from __future__ import annotations

import pytest

from counterpoint.core.dsl.durations import describe_duration, duration_of_units, parse_duration
from counterpoint.core.dsl.error_types import normalise_error_type
from counterpoint.core.dsl.schemas import MAX_MESSAGES, SchemaInvalid, compile_schema
from counterpoint.core.dsl.uris import uri_problem, variables_of
from counterpoint.core.values import Duration

DAY = 86_400_000_000


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("PT30S", Duration(30_000_000)),
        ("PT0.5S", Duration(500_000)),
        ("PT0.0000019S", Duration(1)),
        ("P1D", Duration(DAY)),
        ("P1.5D", Duration(DAY * 3 // 2)),
        ("P2W", Duration(14 * DAY)),
        ("P1Y2M", Duration(0, 14)),
        ("P0.5Y", Duration(0, 6)),
        ("P1Y2M3W4DT5H6M7.5S", Duration(25 * DAY + 18_367_500_000, 14)),
    ],
)
def test_iso_durations_are_exact(text: str, duration: Duration) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "P1DT",
        "30s",
        "PT1H1H",
        "P1S",
        "PT1D",
        "-PT1S",
        "PT-1S",
        "P1.5M",
        "PT1S ",
        "P1001Y",
        "PT" + "9" * 99 + "S",
        "PT٣S",
    ],
)
def test_other_texts_are_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|month|years"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (Duration(), "PT0S"),
        (Duration(90_000_000), "PT1M30S"),
        (Duration(500_000), "PT0.5S"),
        (Duration(DAY + 1, 14), "P1Y2M1DT0.000001S"),
        (Duration(0, 24), "P2Y"),
        (Duration(40 * DAY), "P40D"),
    ],
)
def test_a_duration_says_itself_in_iso_8601(duration: Duration, text: str) -> None:
    assert describe_duration(duration) == text
    assert parse_duration(text) == duration


def test_units_add_up() -> None:
    assert duration_of_units({"days": 1, "hours": 1, "milliseconds": 1.0}) == Duration(DAY + 3_600_001_000)


@pytest.mark.parametrize(
    "units",
    [
        {},
        {"weeks": 1},
        {"seconds": -1},
        {"seconds": 1.5},
        {"seconds": True},
        {"seconds": "1"},
        {"days": 10**9},
    ],
)
def test_other_units_are_refused(units: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"unit|whole number|years"):
        duration_of_units(units)


@pytest.mark.parametrize(
    "base",
    [
        "https://open-workflow-specification.org/spec/1.0.0/errors/",
        "https://open-workflow-specification.org/dsl/errors/types/",
        "https://serverlessworkflow.io/spec/1.0.0/errors/",
        "https://serverlessworkflow.io/dsl/errors/types/",
    ],
)
def test_four_addresses_name_the_same_standard_error(base: str) -> None:
    emitted = "https://open-workflow-specification.org/spec/1.0.0/errors/timeout"
    assert normalise_error_type(base + "timeout") == emitted
    assert normalise_error_type(base + "other") == base + "other"
    assert normalise_error_type("https://x.y/timeout") == "https://x.y/timeout"


@pytest.mark.parametrize(
    "uri",
    [
        "https://x.y/a",
        "https://x.y/{id}/b?c={d.e}",
        "/a",
        "a/b",
        "file:///x",
        "urn:a:b",
        "#f",
        "{host}/x",
        "{scheme}://x",
        "https://x.y/é",
        "https://x.y/%20",
    ],
)
def test_addresses_may_be_relative_and_hold_variables(uri: str) -> None:
    assert uri_problem(uri) == ""


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "a b",
        "https://x.y/{",
        "https://x.y/}",
        "https://x.y/{}",
        "{+a}",
        "{#a}",
        "{?a,b}",
        "{a*}",
        "{a:3}",
        "{a,b}",
        "%zz",
        "a|b",
        "${ .x",
        "1a:b",
        "a\\b",
        'a"b',
    ],
)
def test_other_addresses_are_refused_with_a_reason(uri: str) -> None:
    assert uri_problem(uri)


def test_variables_are_taken_verbatim() -> None:
    assert variables_of("https://{a.b}/{c}?d={e f}") == ["a.b", "c", "e f"]


def test_a_schema_lists_its_violations_with_their_places() -> None:
    check = compile_schema(
        {
            "type": "object",
            "properties": {"a": {"items": {"type": "integer"}}, "b": {"minLength": 3}},
            "required": ["c"],
        }
    )
    assert check({"a": [1], "b": "xyz", "c": None}) == []
    found = check({"a": [1, "secret"], "b": "x"})
    assert sorted(message.split(":")[0] for message in found) == ["/", "/a/1", "/b"]
    assert "secret" not in " ".join(found)


def test_violations_are_bounded_however_large_the_value() -> None:
    check = compile_schema({"items": {"type": "integer"}})
    assert len(check(["x"] * 100)) == MAX_MESSAGES
    assert len(check(["x"] * 200_000)) == 1


def test_a_schema_without_a_dialect_is_2020_12_and_does_not_assert_formats() -> None:
    check = compile_schema({"prefixItems": [{"type": "integer"}], "format": "email"})
    assert check([1]) == []
    assert check("no address") == []
    assert check(["x"])


def test_a_dialect_that_asserts_formats_does() -> None:
    check = compile_schema({"$schema": "http://json-schema.org/draft-07/schema#", "format": "email"})
    assert check("no address")


def test_boolean_schemas_are_schemas() -> None:
    assert compile_schema(True)(1) == []
    assert compile_schema(False)(1)


def test_references_reach_the_bundle_and_nothing_else() -> None:
    bundle = {"https://x.y/a": {"type": "integer", "$defs": {"b": {"type": "string"}}}}
    assert compile_schema({"$ref": "https://x.y/a"}, bundle)("x")
    assert compile_schema({"$ref": "https://x.y/a#/$defs/b"}, bundle)("x") == []
    for address in ("https://x.y/b", "http://127.0.0.1/a", "file:///etc/passwd", "other.json"):
        with pytest.raises(SchemaInvalid, match="outside the bundle"):
            compile_schema({"$ref": address}, bundle)


def test_a_resource_cannot_lead_on_to_the_outside() -> None:
    with pytest.raises(SchemaInvalid, match="outside the bundle"):
        compile_schema({"$ref": "https://x.y/a"}, {"https://x.y/a": {"$ref": "file:///etc/passwd"}})


def _doubling(length: int) -> dict[str, object]:
    parts: dict[str, object] = {
        f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(length)
    }
    return {"$ref": "#/$defs/a0", "$defs": {**parts, f"a{length}": {"type": "integer"}}}


@pytest.mark.parametrize(
    "schema",
    [
        5,
        "x",
        None,
        [],
        {"type": "strin"},
        {"$schema": "https://x.y/dialect"},
        {"$ref": "#/nowhere"},
        {"pattern": "(?=a)"},
        {"pattern": r"(a)\1"},
        {"pattern": "a{1000}{1000}"},
        {"patternProperties": {"(?!a)": {}}},
        _doubling(40),
    ],
)
def test_schemas_that_cannot_be_used_are_refused(schema: object) -> None:
    with pytest.raises(SchemaInvalid):
        compile_schema(schema)


def test_recursive_schemas_and_short_chains_are_fine() -> None:
    check = compile_schema({"type": "object", "additionalProperties": {"$ref": "#"}})
    assert check({"a": {"b": {}}}) == []
    assert check({"a": {"b": 1}})
    assert compile_schema(_doubling(8))(1) == []


def test_a_pattern_takes_linear_time() -> None:
    check = compile_schema({"pattern": "^(a+)+$"})
    assert check("a" * 50_000 + "b")
