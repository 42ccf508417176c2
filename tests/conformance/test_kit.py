"""The kit itself: its form, that it covers every statement, that its comparison tells right from wrong."""

from __future__ import annotations

import inspect
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from counterpoint.core.dsl.schemas import compile_schema
from counterpoint.core.dsl.yaml_reader import read
from counterpoint.errors import ERROR_BASE
from counterpoint.testing import conformance
from counterpoint.testing.conformance import ActionCall, Case, HttpCall, Observed
from counterpoint.testing.conformance_check import differences
from tests.conformance.surroundings import CASES

HERE = Path(__file__).parent
SCHEMA = HERE / "case.schema.json"

STATEMENTS = {*range(1, 163), 182, 183, 184, 188, 190, 231, 232, *range(248, 258)}
"""Statements of the language that this version runs."""

WITHOUT_A_CASE = {
    134: "a lifecycle event of a retry can be observed once there is an event log",
}
"""Statements that cannot be observed yet, with the reason."""

DECISIONS = {
    *(f"A{n}" for n in (*range(1, 18), *range(24, 30), *range(33, 39), 43, 44, 45, 47)),
}
"""Disputed points that concern what this version runs."""


def case(case_id: str) -> Case:
    """The case with that id."""
    return next(each for each in CASES if each.id == case_id)


def case_schema() -> dict[str, Any]:
    """JSON Schema of a file of cases, from the types that read it."""
    schema = msgspec.json.schema(list[Case])
    for definition in schema["$defs"].values():
        definition["description"] = inspect.cleandoc(definition["description"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def test_the_published_schema_is_the_one_that_the_types_give() -> None:
    text = msgspec.json.format(msgspec.json.encode(case_schema()), indent=2).decode() + "\n"
    assert SCHEMA.read_text(encoding="utf-8") == text, "write it again with tests/conformance/write_schema.py"


@pytest.mark.parametrize("path", sorted((HERE / "cases").glob("*.yaml")), ids=lambda p: p.stem)
def test_each_file_of_cases_matches_the_schema(path: Path) -> None:
    check = compile_schema(msgspec.json.decode(SCHEMA.read_bytes()), {})
    assert check(read(path.read_bytes()).value) == []


def test_each_statement_that_this_version_runs_has_a_case() -> None:
    shown = {number for each in CASES for number in each.statements}
    assert sorted(STATEMENTS - shown - WITHOUT_A_CASE.keys()) == []
    assert sorted(shown & WITHOUT_A_CASE.keys()) == [], "it has a case: take it off the list"
    assert sorted(shown - STATEMENTS) == []


def test_each_decision_that_concerns_this_version_has_a_case() -> None:
    shown = {name for each in CASES for name in each.decisions}
    assert sorted(DECISIONS - shown) == []


def test_each_case_says_what_it_shows_and_has_a_name_of_its_own() -> None:
    assert [each.id for each in CASES if not (each.statements or each.extensions)] == []
    assert [name for name, count in Counter(each.id for each in CASES).items() if count > 1] == []
    assert [title for title, count in Counter(each.title for each in CASES).items() if count > 1] == []
    assert [each.id for each in CASES if (each.workflow is None) == (each.source is None)] == []


def test_a_case_that_expects_an_end_says_more_than_its_status() -> None:
    silent = [
        each.id
        for each in CASES
        if each.expect == conformance.Expectation(status=each.expect.status)
        and each.expect.status not in ("cancelled", "refused")
    ]
    assert silent == []


def completed(output: Any, **more: Any) -> Observed:
    """An observation of a completed run."""
    return Observed(status="completed", output=output, **more)


CALL = HttpCall("GET", "api.example.com", "/pets/7", {"status": ["sold"]}, {}, None, "")

WRONG: list[tuple[str, Observed]] = [
    ("1.2-014-workflow-input-from", Observed(status="faulted", fault={"status": 500})),
    ("1.2-014-workflow-input-from", completed({"raw": {"subject": "s1"}, "sub": "s2"})),
    ("1.2-031-big-integer", completed({"id": 9007199254740992})),
    ("1.2-031-others", completed([False])),
    ("1.2-013-workflow-input-schema", Observed(status="faulted", fault={"type": ERROR_BASE + "runtime"})),
    ("1.2-019-task-input-schema", Observed(status="faulted", fault={"type": ERROR_BASE + "validation"})),
    ("1.1-007-unknown-task-key", Observed(status="refused", problems=["/do/0/a"])),
    ("1.3-038-strict-is-default", completed({"bare": ".x", "wrapped": 1})),
    ("1.11-147-template", completed("ok")),
    ("1.11-147-template", completed("ok", calls=[msgspec.structs.replace(CALL, path="/pets/8")])),
    ("1.11-147-template", completed("ok", calls=[msgspec.structs.replace(CALL, query={})])),
    ("1.11-146-method", completed("ok", calls=[CALL])),
    ("1.4-067-uncaught", Observed(status="faulted", fault={"type": "https://example.com/errors/stop"})),
    ("1.10-135-wait", completed({"x": 1}, elapsed_ms=29_999.0)),
    ("1.10-135-wait", completed({"x": 1}, elapsed_ms=90_000.0)),
    ("1.4-061-order", completed(["c", "a", "b"], trace=["a", "c", "b"])),
    ("0-outcome", completed({"ok": False}, outcome="approved")),
    ("1.19-256-suspend", completed({"x": 1}, complaints=["signal 2: expected suspended, was running"])),
]
"""Observations that a case must tell from the right one."""


@pytest.mark.parametrize(("case_id", "seen"), WRONG)
def test_a_wrong_observation_differs(case_id: str, seen: Observed) -> None:
    assert differences(case(case_id), seen) != []


def test_a_right_observation_does_not_differ() -> None:
    seen = completed("ok", calls=[CALL])
    assert differences(case("1.11-147-template"), seen) == []
    calls = [ActionCall("echo.args", {"from": "quick"})]
    assert differences(case("1.7-094-losers"), completed({"from": "quick"}, action_calls=calls)) == []


def test_one_idempotency_key_for_two_steps_differs() -> None:
    same_key = [msgspec.structs.replace(CALL, method="POST", headers={"idempotency-key": "k"})] * 3
    assert differences(case("0-idempotency-one-key"), completed("ok", calls=same_key)) != []


def test_an_error_of_another_address_of_the_same_type_does_not_differ() -> None:
    fault = {
        "type": "https://serverlessworkflow.io/spec/1.0.0/errors/communication",
        "status": 410,
        "instance": "/do/0/a",
    }
    assert differences(case("1.8-106-status"), Observed(status="faulted", fault=fault)) == []
