"""The examples of the standard: all of them load, some run, and the others say what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from counterpoint.core.dsl.loader import load, unsupported
from counterpoint.core.values import JsonValue
from counterpoint.testing.conformance import Case, Expectation, Reply, Route
from counterpoint.testing.conformance_check import differences
from counterpoint.testing.virtual_loop import VirtualLoop
from tests.conformance.embedded_runner import EmbeddedRunner
from tests.conformance.spec_data import EXAMPLES, needs_spec

pytestmark = needs_spec

PATHS = sorted(EXAMPLES.glob("*.yaml"))
PETS = "petstore.swagger.io"
SWAPI = "swapi.dev"
COMMUNICATION = "https://open-workflow-specification.org/spec/1.0.0/errors/communication"
NOT_IMPLEMENTED = {
    "type": "https://serverlessworkflow.io/errors/not-implemented",
    "status": 500,
    "title": "Not Implemented",
    "detail": "The workflow 'raise-not-implemented:0.1.0' is a work in progress and cannot be run yet",
    "instance": "/do/0/notImplemented",
}


def route(method: str, host: str, path: str, *replies: Reply, **headers: str) -> Route:
    """A stand-in for one address."""
    return Route(method=method, host=host, path=path, replies=list(replies), headers=headers)


def ok(body: JsonValue) -> Reply:
    """An answer with a body."""
    return Reply(body=body)


PET = ok({"id": 1, "name": "Milou"})
GET_PET = route("GET", PETS, "/v2/pet/1", PET)
GET_PET_AS_OWNER = route("GET", PETS, "/v2/pet/1", PET, Authorization="Bearer t0ken")
LUKE = ok({"name": "Luke", "homeworld": "https://swapi.dev/api/planets/1/"})


def completed(output: JsonValue, **more: Any) -> dict[str, Any]:
    """What is expected of a run that completes."""
    return {"status": "completed", "output": output, **more}


def found(output: JsonValue) -> dict[str, Any]:
    """What is expected of a search."""
    call = {"method": "GET", "path": "/api/people/", "query": {"search": ["luke"]}}
    return completed(output, calls=[call])


RUNS: list[tuple[str, JsonValue, list[Route], dict[str, Any]]] = [
    ("authentication-bearer", {"token": "t0ken"}, [GET_PET_AS_OWNER], completed(PET.body)),
    (
        "authentication-bearer",
        {"token": "other"},
        [GET_PET_AS_OWNER],
        {"status": "faulted", "error": {"status": 401}},
    ),
    (
        "authentication-bearer-uri-format",
        {"token": "t0ken", "petId": 1},
        [GET_PET_AS_OWNER],
        completed(PET.body),
    ),
    ("authentication-reusable", {"token": "t0ken", "petId": 1}, [GET_PET_AS_OWNER], completed(PET.body)),
    ("call-custom-function-inline", None, [route("GET", PETS, "/v2/pet/69", PET)], completed(PET.body)),
    ("call-http-endpoint-interpolation-shorthand", {"petId": 1}, [GET_PET], completed(PET.body)),
    ("call-http-endpoint-interpolation", {"petId": 1}, [GET_PET], completed(PET.body)),
    (
        "call-http-query-headers-expressions",
        {"searchQuery": "luke"},
        [route("GET", SWAPI, "/api/people/", LUKE)],
        found(LUKE.body),
    ),
    (
        "call-http-query-parameters",
        {"searchQuery": "luke"},
        [route("GET", SWAPI, "/api/people/", LUKE)],
        found(LUKE.body),
    ),
    (
        "call-http-query-parameters",
        {},
        [],
        {"status": "faulted", "error": {"type": "validation"}, "callCount": 0},
    ),
    (
        "call-http-redirect",
        {"searchQuery": "luke"},
        [
            route("GET", SWAPI, "/api/people/", Reply(status=302, headers={"Location": "/api/moved"})),
            route("GET", SWAPI, "/api/moved", LUKE),
        ],
        completed(LUKE.body, callCount=2),
    ),
    (
        "conditional-task",
        {"customer": {"age": 20}},
        [route("POST", "superbet-casinos.com", "/api/bet/on/football", ok("placed"))],
        completed("placed"),
    ),
    (
        "conditional-task",
        {"customer": {"age": 17}},
        [],
        {"status": "faulted", "error": {"title": "Access Forbidden"}, "callCount": 0},
    ),
    ("do-single", {"petId": 1}, [GET_PET], completed(PET.body)),
    (
        "do-multiple",
        {"petId": 1},
        [route("GET", PETS, "/v2/pet/1", ok({"petId": 1})), route("PUT", PETS, "/v2/pet/1", ok("sold"))],
        completed("sold"),
    ),
    (
        "for-inline-array",
        None,
        [],
        completed(
            {
                "processed": [
                    {"name": "red", "hex": "#FF0000"},
                    {"name": "green", "hex": "#00FF00"},
                    {"name": "blue", "hex": "#0000FF"},
                ]
            }
        ),
    ),
    (
        "fork",
        {"patient": {"fullName": "Ann"}, "room": {"number": 7}},
        [
            route("PUT", "fake-hospital.com", "/api/v3/alert/nurses", ok("on the way")),
            route("PUT", "fake-hospital.com", "/api/v3/alert/doctor", ok("on the way")),
        ],
        completed("on the way"),
    ),
    ("mock-service-extension", None, [route("GET", "fake.com", "/sample", ok("real"))], completed("real")),
    ("raise-inline", None, [], {"status": "faulted", "error": NOT_IMPLEMENTED}),
    ("raise-reusable", None, [], {"status": "faulted", "error": NOT_IMPLEMENTED}),
    ("run-subflow", {"user": "ann"}, [], completed({"registered": ".user"})),
    (
        "star-wars-homeworld",
        {"id": 1},
        [route("GET", SWAPI, "/api/people/1", LUKE), route("GET", SWAPI, "/api/planets/1/", ok("Tatooine"))],
        completed("Tatooine"),
    ),
    (
        "star-wars-homeworld",
        {"id": 0},
        [],
        {"status": "faulted", "error": {"type": "validation", "status": 400}},
    ),
    (
        "switch-then-string",
        {"orderType": "electronic"},
        [],
        completed({"validate": True, "status": "fulfilled"}),
    ),
    (
        "switch-then-string",
        {"orderType": "other"},
        [],
        completed({"log": "warn", "message": "something's wrong"}),
    ),
    (
        "try-catch",
        {"petId": 1},
        [route("GET", PETS, "/v2/pet/1", Reply(status=404))],
        completed({"petId": 1}),
    ),
    (
        "try-catch",
        {"petId": 1},
        [route("GET", PETS, "/v2/pet/1", Reply(status=500))],
        {"status": "faulted", "error": {"type": COMMUNICATION, "status": 500}},
    ),
    (
        "try-catch-retry-inline",
        {"petId": 1},
        [route("GET", PETS, "/v2/pet/1", Reply(status=503, times=5), PET)],
        completed(PET.body, callCount=6, elapsedMs={"min": 93_000, "max": 94_000}),
    ),
    (
        "try-catch-retry-reusable",
        {"petId": 1},
        [route("GET", PETS, "/v2/pet/1", Reply(status=503))],
        {"status": "faulted", "error": {"status": 503}, "callCount": 6},
    ),
    (
        "try-catch-then-directive",
        None,
        [route("GET", "external-service.example.com", "/api", Reply(status=503))],
        completed({"status": "failed"}),
    ),
    (
        "try-catch-then-directive",
        None,
        [route("GET", "external-service.example.com", "/api", ok("fine"))],
        completed({"status": "ok"}),
    ),
    ("wait-duration-inline", 1, [], completed(1, elapsedMs={"min": 30_000, "max": 31_000})),
    ("wait-duration-iso8601", 1, [], completed(1, elapsedMs={"min": 30_000, "max": 31_000})),
]

REGISTER_CUSTOMER = {
    "document": {"dsl": "1.0.3", "namespace": "test", "name": "register-customer", "version": "0.1.0"},
    "do": [{"register": {"set": {"registered": "${ .customer }"}}}],
}
"""Stand-in for the workflow that `run-subflow` runs."""


def missing(path: Path) -> list[str]:
    """Places of an example that this version does not run."""
    problems = unsupported(load(path.read_bytes()), lambda *name: False)
    return [problem.pointer for problem in problems if not problem.is_warning]


def test_all_examples_are_there() -> None:
    assert len(PATHS) == 68


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_example_loads(path: Path) -> None:
    workflow = load(path.read_bytes())
    assert workflow.do.tasks


def test_each_example_runs_or_says_what_is_missing() -> None:
    runnable = {path.stem for path in PATHS if not missing(path)}
    assert runnable == {name for name, *_ in RUNS}


@pytest.mark.parametrize(
    ("name", "given", "routes", "expect"), RUNS, ids=[f"{n}-{row[0]}" for n, row in enumerate(RUNS)]
)
def test_example_runs(
    loop: VirtualLoop,
    embedded: EmbeddedRunner,
    name: str,
    given: JsonValue,
    routes: list[Route],
    expect: dict[str, Any],
) -> None:
    case = Case(
        id=name,
        title=name,
        source=(EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"),
        workflows=[REGISTER_CUSTOMER] if name == "run-subflow" else [],
        input=given,
        http=routes,
        expect=msgspec.convert(expect, Expectation),
    )
    # Some examples have the same name and version.
    embedded.replaces = True
    assert differences(case, loop.run_until_complete(embedded.run(case))) == []
