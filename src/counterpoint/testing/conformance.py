"""The conformance kit: the form of its cases, and of what a runner observes.

A case is a document (or several), its surroundings (HTTP routes, functions, signals) and what must be seen.
They lie in `tests/conformance/cases`; `docs/reference/conformance-kit.md` describes them for other runtimes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from counterpoint.core.dsl.yaml_reader import read
from counterpoint.core.values import JsonValue

NAMESPACE = "conformance"
"""Namespace of the documents of the kit."""

LONG_MS = 2_000
"""A case whose shortest time is above this needs a virtual clock."""


class KitPart(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Parent of all parts of a case: immutable, and a misspelt key is an error."""


class Reply(KitPart, frozen=True, kw_only=True):
    """What a route answers: `body` as JSON, `text`, or `base64`; `drop` breaks the connection instead."""

    status: int = 200
    headers: dict[str, str] = {}
    body: JsonValue | UnsetType = UNSET
    text: str | None = None
    base64: str | None = None
    drop: bool = False
    times: int = 1


class Route(KitPart, frozen=True, kw_only=True):
    """A stand-in for one address: the n-th request gets the n-th reply, later ones the last.

    Attributes:
        path: Path as it comes over the wire, percent-encoded.
        headers: Headers that a request must have; one without them gets 401.
    """

    method: str
    host: str
    path: str
    headers: dict[str, str] = {}
    replies: list[Reply]


class Behaviour(KitPart, frozen=True, kw_only=True):
    """What a function does when called: give a value, its arguments (`echo`), nothing ever (`hang`), or fail.

    Attributes:
        fail: `retryable`, `throttled`, `authentication` or `permanent`; the fault is communication/`status`.
    """

    value: JsonValue | UnsetType = UNSET
    echo: bool = False
    hang: bool = False
    fail: str = ""
    status: int = 500


class Signal(KitPart, frozen=True, kw_only=True):
    """One step of an operator, taken once the run rests.

    Attributes:
        status: Status that the run must have now.
        do: `suspend`, `resume` or `cancel`.
        advance_ms: Milliseconds to move the clock.
        action_calls: Number of function calls that must have been made so far.
    """

    status: str = ""
    do: str = ""
    advance_ms: int = 0
    action_calls: int | None = None


class Trace(KitPart, frozen=True, kw_only=True):
    """Order in which tasks ran."""

    order: list[str] | None = None
    first: str = ""
    last: str = ""


class CallExpectation(KitPart, frozen=True, kw_only=True):
    """One HTTP request: what is given must be equal; of `headers` a subset counts."""

    method: str
    path: str
    query: dict[str, list[str]] | None = None
    headers: dict[str, str] = {}
    body: JsonValue | UnsetType = UNSET
    text: str | None = None


class ActionExpectation(KitPart, frozen=True, kw_only=True):
    """One call of a function."""

    action: str
    arguments: JsonValue | UnsetType = UNSET


class Bounds(KitPart, frozen=True, kw_only=True):
    """Bounds of a time on the run's clock, in milliseconds."""

    min: int = 0
    max: int | None = None


class SameHeader(KitPart, frozen=True, kw_only=True):
    """Requests (by number, from 0) whose header is the same; those of other groups have another."""

    name: str
    groups: list[list[int]]


class Place(KitPart, frozen=True, kw_only=True):
    """Place of a problem."""

    pointer: str


class Expectation(KitPart, frozen=True, kw_only=True):
    """What must be observed; an absent member says nothing.

    Attributes:
        status: `completed`, `faulted`, `cancelled`, or `refused` for a document that must not be accepted.
        output: Exact output.
        error: Members that the error must have; a `type` without a colon names a standard type.
        problems: Places that a refusal must name.
    """

    status: str
    output: JsonValue | UnsetType = UNSET
    outcome: JsonValue | UnsetType = UNSET
    error: dict[str, Any] | None = None
    problems: list[Place] = []
    warnings: list[Place] = []
    calls: list[CallExpectation] | None = None
    call_count: int | None = None
    action_calls: list[ActionExpectation] | None = None
    same_header: SameHeader | None = None
    elapsed_ms: Bounds | None = None
    trace: Trace | None = None


class Case(KitPart, frozen=True, kw_only=True):
    """A case of the kit.

    Attributes:
        statements: Numbers of the statements that it shows.
        decisions: Disputed points that it decides.
        rules: Rules of the loader that it shows.
        extensions: Whether it shows an extension of Counterpoint.
        workflow: The document; members of its header that are missing are filled in.
        source: The document as text, taken as it is.
        workflows: Other documents, for `run: workflow`.
        resources: What lies behind addresses that a deploy fetches.
        http: Stand-ins for hosts.
        actions: Registered functions: the n-th call gets the n-th behaviour, later ones the last.
        control: Steps of an operator.
        starts: How often the run is started.
    """

    id: str
    title: str
    statements: list[int] = []
    decisions: list[str] = []
    rules: list[str] = []
    extensions: bool = False
    workflow: dict[str, Any] | None = None
    source: str | None = None
    workflows: list[dict[str, Any]] = []
    resources: dict[str, JsonValue] = {}
    input: JsonValue = None
    http: list[Route] = []
    actions: dict[str, list[Behaviour]] = {}
    control: list[Signal] = []
    starts: int = 1
    expect: Expectation

    @property
    def needs_virtual_time(self) -> bool:
        """Whether the case waits too long for a real clock."""
        bounds = self.expect.elapsed_ms
        return bool(self.control) or (bounds is not None and bounds.min > LONG_MS)

    def main_document(self) -> str:
        """Text of the document to run."""
        return self.source if self.source is not None else _text(_completed(self.workflow or {}, self.id))

    def other_documents(self) -> list[str]:
        """Texts of the other documents."""
        return [_text(document) for document in self.workflows]


class HttpCall(msgspec.Struct, frozen=True):
    """A request that reached a stand-in; names of headers are in lower case."""

    method: str
    host: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: JsonValue
    text: str


class ActionCall(msgspec.Struct, frozen=True):
    """A call that reached a stand-in function."""

    action: str
    arguments: JsonValue


class Observed(msgspec.Struct, kw_only=True):
    """What a runner saw.

    Attributes:
        fault: The error of a faulted run, as JSON.
        problems: Pointers of the problems of a refused document.
        warnings: Pointers of the warnings of an accepted one.
        trace: Names of the tasks in the order in which they ran; None when the runner cannot tell.
        elapsed_ms: Time from start to end on the run's clock.
        is_virtual: Whether that clock is virtual; on a real one only the least time of a case holds.
        complaints: Signals that found something else than they expected.
    """

    status: str
    output: JsonValue = None
    outcome: JsonValue = None
    fault: dict[str, Any] = {}
    problems: list[str] = []
    warnings: list[str] = []
    calls: list[HttpCall] = []
    action_calls: list[ActionCall] = []
    trace: list[str] | None = None
    elapsed_ms: float | None = None
    is_virtual: bool = True
    complaints: list[str] = []


class ConformanceRunner(Protocol):
    """Something that runs cases: an engine with its surroundings."""

    async def run(self, case: Case) -> Observed:
        """Deploy the documents of a case, run it in its surroundings, and tell what was seen."""
        ...


def load_cases(folder: Path) -> list[Case]:
    """All cases of a folder, in the order of files and cases.

    Raises:
        DefinitionError: A file is no YAML.
        msgspec.ValidationError: A case has another form; the message names its id.
    """
    cases: list[Case] = []
    for path in sorted(folder.glob("*.yaml")):
        for entry in read(path.read_bytes()).value:
            try:
                cases.append(msgspec.convert(entry, Case))
            except msgspec.ValidationError as error:
                raise msgspec.ValidationError(f"{path.name}, {entry.get('id', '?')}: {error}") from error
    return cases


def workflow_name(case_id: str) -> str:
    """Name that a document of the kit gets when it has none."""
    return re.sub(r"[^A-Za-z0-9]+", "-", f"case-{case_id}")[:63].strip("-")


def _completed(document: Mapping[str, Any], case_id: str) -> dict[str, Any]:
    header = {"dsl": "1.0.3", "namespace": NAMESPACE, "name": workflow_name(case_id), "version": "1.0.0"}
    return {**document, "document": {**header, **document.get("document", {})}}


def _text(document: Mapping[str, Any]) -> str:
    return msgspec.json.encode(document).decode()
