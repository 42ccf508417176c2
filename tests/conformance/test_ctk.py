"""The standard's own conformance features, on the embedded engine, without the internet.

The features are read from the specification's data; the hosts that they call are stood in for.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenario, then, when

from counterpoint.core.dsl.yaml_reader import read
from counterpoint.core.values import JsonValue
from counterpoint.testing.conformance import Case, Expectation, Observed, Reply, Route
from counterpoint.testing.conformance_check import differences, same
from counterpoint.testing.virtual_loop import VirtualLoop
from tests.conformance.embedded_runner import EmbeddedRunner
from tests.conformance.spec_data import CTK, needs_spec

pytestmark = needs_spec

SCENARIOS = [
    ("branch.feature", "Fork Task With Competing Concurrent Sub Tasks"),
    ("call.feature", "Call HTTP With Content Output"),
    ("call.feature", "Call HTTP With Response Output"),
    ("call.feature", "Call HTTP Using Basic Authentication"),
    ("data-flow.feature", "Input Filtering"),
    ("data-flow.feature", "Output Filtering"),
    ("data-flow.feature", "Use Non-object Output"),
    ("do.feature", "Task With Sequential Sub Tasks"),
    ("flow.feature", "Implicit Sequence Flow"),
    ("flow.feature", "Explicit Sequence Flow"),
    ("for.feature", "For Task"),
    ("raise.feature", "Raise task with inline error"),
    ("set.feature", "Set Task"),
    ("switch.feature", "Switch task with matching case"),
    ("switch.feature", "Switch task with implicit default case"),
    ("switch.feature", "Switch task with explicit default case"),
    ("try.feature", "Try Handle Caught Error"),
    ("try.feature", "Try Raise Uncaught Error"),
]

NOT_COVERED = {
    ("call.feature", "Call OpenAPI With Content Output"): "this version does not run call: openapi",
    ("call.feature", "Call OpenAPI With Response Output"): "this version does not run call: openapi",
    ("emit.feature", "Emit Task"): "this version does not run emit",
}

PETSTORE = "petstore.swagger.io"


def pet(number: int) -> dict[str, JsonValue]:
    """A pet of the stand-in store."""
    return {"id": number, "name": f"pet {number}", "status": "available"}


def _get(host: str, path: str, reply: Reply, **headers: str) -> Route:
    return Route(method="GET", host=host, path=path, replies=[reply], headers=headers)


ROUTES = [
    _get(PETSTORE, "/v2/pet/findByStatus", Reply(body=[pet(1), pet(2)])),
    _get(PETSTORE, "/v2/pet/1", Reply(body=pet(1))),
    _get(PETSTORE, "/v2/pet/2", Reply(body=pet(2))),
    _get(PETSTORE, "/v2/pet/getPetByName/Milou", Reply(status=404)),
    _get(
        "httpbin.org",
        "/basic-auth/serverless-workflow/conformance-test",
        Reply(body={"authenticated": True}),
        Authorization="Basic c2VydmVybGVzcy13b3JrZmxvdzpjb25mb3JtYW5jZS10ZXN0",
    ),
]


class Given:
    """What a scenario builds up, and what its run was seen to do."""

    def __init__(self) -> None:
        self.definition = ""
        self.input: JsonValue = None
        self.seen = Observed(status="")

    def output(self, path: str) -> Any:
        """Property of the output at a dotted path."""
        value: Any = self.seen.output
        for name in path.split("."):
            assert isinstance(value, dict), f"{path}: {value!r} has no properties"
            assert name in value, f"{path} is missing in {self.seen.output!r}"
            value = value[name]
        return value


@pytest.fixture
def scene() -> Given:
    return Given()


def _bind(number: int, feature: str, name: str) -> None:
    """Make a test of a scenario; without the specification's data there is nothing to bind."""

    @scenario(str(CTK / feature), name)
    def test() -> None:
        pass

    words = re.sub(r"\W+", "_", name.lower())
    globals()[f"test_{number:02}_{words}"] = test


if CTK.is_dir():
    for number, (feature, name) in enumerate(SCENARIOS, 1):
        _bind(number, feature, name)


def test_each_scenario_is_run_or_listed_with_a_reason() -> None:
    found = [
        (path.name, line.partition(":")[2].strip())
        for path in sorted(CTK.glob("*.feature"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip().startswith("Scenario:")
    ]
    assert sorted(found) == sorted([*SCENARIOS, *NOT_COVERED])


@given("a workflow with definition:")
def _definition(scene: Given, docstring: str) -> None:
    scene.definition = docstring


@given("given the workflow input is:")
def _input(scene: Given, docstring: str) -> None:
    scene.input = read(docstring).value


@when("the workflow is executed")
def _executed(
    scene: Given, loop: VirtualLoop, embedded: EmbeddedRunner, request: pytest.FixtureRequest
) -> None:
    case = Case(
        id=request.node.name,
        title="",
        source=scene.definition,
        input=scene.input,
        http=ROUTES,
        expect=Expectation(status=""),
    )
    # Two scenarios of a feature may use one name and version.
    embedded.replaces = True
    scene.seen = loop.run_until_complete(embedded.run(case))


@then("the workflow should complete")
def _completes(scene: Given) -> None:
    assert scene.seen.status == "completed", scene.seen


@then("the workflow should complete with output:")
def _completes_with(scene: Given, docstring: str) -> None:
    assert scene.seen.status == "completed", scene.seen
    assert same(read(docstring).value, scene.seen.output), scene.seen.output


@then("the workflow should fault")
def _faults(scene: Given) -> None:
    assert scene.seen.status == "faulted", scene.seen


@then("the workflow should fault with error:")
def _faults_with(scene: Given, docstring: str) -> None:
    expect = Expectation(status="faulted", error=read(docstring).value)
    assert differences(Case(id="", title="", expect=expect), scene.seen) == []


@then(parsers.re(r"the workflow output should have properties (?P<names>.+)"))
def _has_properties(scene: Given, names: str) -> None:
    for path in re.findall(r"'([^']+)'", names):
        scene.output(path)


@then(parsers.parse("the workflow output should have a '{path}' property with value:"))
def _has_value(scene: Given, path: str, docstring: str) -> None:
    assert same(read(docstring).value, scene.output(path)), scene.output(path)


@then(parsers.parse("the workflow output should have a '{path}' property containing {count:d} items"))
def _has_items(scene: Given, path: str, count: int) -> None:
    assert len(scene.output(path)) == count


@then(parsers.parse("{task} should run first"))
def _runs_first(scene: Given, task: str) -> None:
    assert scene.seen.trace is not None
    assert scene.seen.trace[:1] == [task]


@then(parsers.parse("{task} should run last"))
def _runs_last(scene: Given, task: str) -> None:
    assert scene.seen.trace is not None
    assert scene.seen.trace[-1:] == [task]


@then(parsers.parse("{task} should run after {other}"))
def _runs_after(scene: Given, task: str, other: str) -> None:
    assert scene.seen.trace is not None
    assert scene.seen.trace.index(task) > scene.seen.trace.index(other)


def test_the_features_are_where_the_specification_lies() -> None:
    assert isinstance(CTK, Path)
    assert len(list(CTK.glob("*.feature"))) == 11
