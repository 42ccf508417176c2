"""Laws of the loader: mutated documents never crash it, and its verdict agrees with the standard's schema."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counterpoint.core.dsl.grammar import DOCUMENT
from counterpoint.core.dsl.loader import check, document_digest, load
from counterpoint.core.dsl.report import Report
from counterpoint.core.dsl.yaml_reader import Place, read, scan
from counterpoint.errors import DefinitionError, Problem
from tests.property.rich_document import RICH

Documents = list[dict[str, Any]]
IsValid = Callable[[Any], bool]

FUNCTION_SCOPED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def documents(spec: Path) -> Documents:
    """The standard's examples, and one document with what they leave out."""
    examples = [read(path.read_bytes()).value for path in sorted((spec / "examples").glob("*.yaml"))]
    return [*examples, read(RICH).value]


@pytest.fixture(scope="module")
def is_valid(spec: Path) -> IsValid:
    """Verdict of the standard's schema; formats count, since they tell its alternatives apart."""
    schema = read((spec / "schema" / "workflow.yaml").read_bytes()).value
    # The pattern of expressions forbids line breaks, which the standard's own examples use (A11).
    schema["$defs"]["runtimeExpression"]["pattern"] = r"^\s*\$\{[\s\S]+\}\s*$"
    return jsonschema_rs.validator_for(schema, validate_formats=True).is_valid


SCRAPS: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.0, 1.5, 10**12, [], {}, [[]], [{}]),
    *("", "x", ".x", "${ .x }", "${ .x", "$nope", "a b", "PT1S", "P1", "1.0.0", "end", "/a/~b", "${\n.x\n}"),
    *({"a": None}, {"a": 1}, {"seconds": 1}, {"use": "s"}, {"x": "y", "z": []}, {"set": {"a": 1}}),
    *("https://x.y/{a}", [{"a": {}}], [{"a": {"set": {"a": 1}}}]),
]
KEYS = (
    "do set call with for in then if input from as schema document resource use until any one all type status"
    " when retry catch after before read on metadata counterpoint zzz a/b thn endpoint method output export"
    " timeout wait basic constant"
).split()


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a value with each of its keys or indices."""
    found: list[tuple[Any, Any]] = []
    ahead = [value]
    while ahead:
        node = ahead.pop()
        keys = (
            list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
        )
        for key in keys:
            found.append((node, key))
            ahead.append(node[key])
    return found


class Change(NamedTuple):
    """One random change of a document; numbers count modulo what there is."""

    place: int
    other: int
    action: str
    key: str
    scrap: int


CHANGES = st.lists(
    st.builds(
        Change,
        st.integers(0, 10_000),
        st.integers(0, 10_000),
        st.sampled_from(["replace", "remove", "add", "rename", "copy"]),
        st.sampled_from(KEYS),
        st.integers(0, len(SCRAPS) - 1),
    ),
    min_size=1,
    max_size=3,
)
NUMBERS = st.integers(0, 10_000)


def mutated(documents: Documents, number: int, changes: list[Change]) -> dict[str, Any]:
    """A valid document with random changes."""
    document = copy.deepcopy(documents[number % len(documents)])
    for change in changes:
        if places_in(document):
            mutate(document, change)
    return document


def mutate(document: Any, change: Change) -> None:
    """Change one place of a document."""
    places = places_in(document)
    container, key = places[change.place % len(places)]
    other, at = places[change.other % len(places)]
    scrap = copy.deepcopy(SCRAPS[change.scrap])
    if change.action == "remove":
        del container[key]
    elif change.action == "copy":
        container[key] = copy.deepcopy(other[at])
    elif change.action == "add" and isinstance(container, dict):
        container[change.key] = scrap
    elif change.action == "rename" and isinstance(container, dict):
        container[change.key] = container.pop(key)
    else:
        container[key] = scrap


def assert_placed(problem: Problem, places: Place, lines: int) -> None:
    """A problem points to a part of the document, or to a part that is missing in one."""
    assert 1 <= problem.line <= lines + 1
    assert problem.column >= 1
    assert problem.message
    assert problem.code
    steps = [step.replace("~1", "/").replace("~0", "~") for step in problem.pointer.split("/")[1:]]
    place: Place | None = places
    for step in steps:
        assert place is not None, problem
        by_index = place.parts.get(int(step)) if step.isdecimal() else None
        place = place.parts.get(step) or by_index
    assert place is not None or steps


@FUNCTION_SCOPED
@given(number=NUMBERS, changes=CHANGES)
def test_a_mutated_document_is_refused_or_loads_and_every_problem_has_its_place(
    documents: Documents, number: int, changes: list[Change]
) -> None:
    text = json.dumps(mutated(documents, number, changes), indent=1)
    problems = check(text)
    source = scan(text)
    for problem in problems:
        assert_placed(problem, source.places, text.count("\n") + 1)
    assert problems == sorted(problems, key=lambda problem: (problem.line, problem.column))
    if any(not problem.is_warning for problem in problems):
        with pytest.raises(DefinitionError) as raised:
            load(text)
        assert list(raised.value.problems) == [problem for problem in problems if not problem.is_warning]
    else:
        assert list(load(text).warnings) == problems


def is_liberty(document: Any, is_valid: IsValid) -> bool:
    """Whether a document is valid but for what the loader accepts on purpose.

    That is scalars and lists in `query` (A16), scalars in `headers`, and a map of `arguments` (A32).
    """
    lenient = copy.deepcopy(document)
    for container, key in places_in(lenient):
        is_taken = key in ("query", "headers", "arguments") and key in container
        if is_taken and isinstance(container[key], dict):
            container[key] = [] if key == "arguments" else {}
    return is_valid(lenient)


@settings(FUNCTION_SCOPED, max_examples=settings().max_examples * 5)
@given(number=NUMBERS, changes=CHANGES)
def test_the_shapes_and_the_standards_schema_agree(
    documents: Documents, is_valid: IsValid, number: int, changes: list[Change]
) -> None:
    document = mutated(documents, number, changes)
    source = read(json.dumps(document, indent=1))
    report = Report(source.places)
    DOCUMENT.check(source.value, (), report)
    problems = [problem for problem in report.problems() if not problem.is_warning]
    if not is_valid(document):
        assert problems or is_liberty(document, is_valid), "the schema refuses what the loader accepts"
        return
    others = [problem for problem in problems if not is_own(problem)]
    assert others == [], "the loader refuses what the schema accepts"


def is_own(problem: Problem) -> bool:
    """Whether a problem comes from a rule that the standard's schema does not have."""
    is_extra = "/metadata/counterpoint" in problem.pointer
    is_growth = problem.pointer.endswith(("/factor", "/maxDelay")) or "/maxDelay/" in problem.pointer
    is_event_without_attributes = problem.message == "`with` is missing in an event."
    return (
        problem.code in ("uri-template", "duration") or is_extra or is_growth or is_event_without_attributes
    )


# YAML has no bare control characters and no U+FFFE and U+FFFF; as escapes they are fine.
CHARACTERS = st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
NAMES = st.text(CHARACTERS, min_size=1, max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS, max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)


@given(value=VALUES)
def test_json_text_is_read_back_as_it_was_written(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=2)):
        assert json.dumps(read(text).value) == json.dumps(value)


@st.composite
def generated(draw: Callable[[st.SearchStrategy[Any]], Any], depth: int = 2) -> list[dict[str, Any]]:
    """A valid task list."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    kinds = ["set", "wait", "switch"] + (["do", "for", "try", "fork"] if depth else [])
    tasks = []
    for name in names:
        kind = draw(st.sampled_from(kinds))
        then = draw(st.sampled_from(["continue", "exit", "end", *names]))
        tasks.append({name: {**_body(kind, draw, depth), "then": then}})
    return tasks


def _body(kind: str, draw: Callable[[st.SearchStrategy[Any]], Any], depth: int) -> dict[str, Any]:
    if kind == "set":
        return {"set": {"value": draw(VALUES)}}
    if kind == "wait":
        return {"wait": {"milliseconds": draw(st.integers(0, 10**6))}}
    if kind == "switch":
        return {"switch": [{"case": {"when": ".x", "then": "exit"}}]}
    inner = draw(generated(depth - 1))
    return {
        "do": {"do": inner},
        "for": {"for": {"in": ".x"}, "do": inner},
        "try": {"try": inner, "catch": {"do": inner}},
        "fork": {"fork": {"branches": inner}},
    }[kind]


class QuotingDumper(yaml.CSafeDumper):
    """Writes YAML without aliases, and all texts in quotes: by YAML 1.1 it would write `0o7` bare."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


QuotingDumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@given(tasks=generated())
def test_generated_documents_load_from_json_and_yaml_alike(tasks: list[dict[str, Any]]) -> None:
    header = {"dsl": "1.0.3", "namespace": "n", "name": "w", "version": "1.0.0"}
    document = {"document": header, "do": tasks}
    as_json = json.dumps(document)
    as_yaml = yaml.dump(document, Dumper=QuotingDumper)
    workflow = load(as_json)
    assert workflow.definition == document == load(as_yaml).definition
    assert [task.name for task in workflow.do.tasks] == [name for entry in tasks for name in entry]
    assert document_digest(as_json) == document_digest(json.dumps(document, indent=3))
    assert document_digest(as_json) == document_digest(as_yaml)


@given(text=st.text(st.sampled_from("{}[]:,-?&*!|>'\"#%@` \n\ta1.~$\\\u00e9\U0001f600"), max_size=60))
def test_any_text_gives_a_value_or_a_refusal(text: str) -> None:
    with suppress(DefinitionError):
        json.dumps(scan(text).value, allow_nan=False)
