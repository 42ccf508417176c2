"""Parameters of the operations, and reading them with all problems at once.

The names here are the wire: camelCase there, snake_case here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec

from counterpoint.core.values import JsonValue
from counterpoint.errors import InvalidRequest, Problem

P = TypeVar("P", bound=msgspec.Struct)


class Params(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What every operation takes: the environment that it is about."""

    environment: str = "default"


class Nothing(Params, frozen=True, kw_only=True):
    """No further parameters."""


class DocumentParams(Params, frozen=True, kw_only=True):
    """A document to check."""

    text: str


class DeployParams(Params, frozen=True, kw_only=True):
    """A document to deploy; `folder` is the absolute path of its folder, for resources named by file."""

    text: str
    folder: str = ""
    is_dev: bool = False
    is_dry_run: bool = False


class WorkflowParams(Params, frozen=True, kw_only=True):
    """A revision by `NAME` or `NAMESPACE/NAME`; the active one when `version` is empty."""

    name: str
    version: str = ""


class StartParams(Params, frozen=True, kw_only=True):
    """A run to start; `workflow` is `NAME` or `NAMESPACE/NAME`."""

    workflow: str
    input: JsonValue = None
    version: str = ""
    trigger: str = "cli"
    correlation_id: str = ""
    traceparent: str = ""


class RunParams(Params, frozen=True, kw_only=True):
    """A run by id or by at least 6 characters of its beginning."""

    id: str


class CommandParams(Params, frozen=True, kw_only=True):
    """A run and why something is done to it."""

    id: str
    reason: str = ""


class RunListParams(Params, frozen=True, kw_only=True):
    """Which runs to list, newest first; `before` is `next` of the page before."""

    workflow: str = ""
    status: str = ""
    before: str = ""
    limit: int = 50


class HistoryParams(Params, frozen=True, kw_only=True):
    """Rows of a run from the one after `after`."""

    id: str
    after: int = 0
    limit: int = 100


class BulkParams(Params, frozen=True, kw_only=True):
    """Which group of stuck runs to let go on; `cause` is the name of a group of the report."""

    cause: str
    rate: float = 10.0
    limit: int = 0
    canary_timeout_s: float = 60.0


class ActorParams(Params, frozen=True, kw_only=True):
    """A local actor."""

    name: str


class AuditParams(Params, frozen=True, kw_only=True):
    """Audit rows, newest first; `before` is the number of the last row of the page before."""

    before: int = 0
    limit: int = 100


class BackupParams(Params, frozen=True, kw_only=True):
    """Where to put a backup; an absolute path that does not exist."""

    target: str


def read_params(shape: type[P], given: Mapping[str, JsonValue]) -> P:
    """Parameters in their shape.

    Raises:
        InvalidRequest: Some are missing, unknown or of the wrong kind; carries every such problem.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}
    problems = [_unknown(name, fields) for name in given if name not in fields]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in given:
            if field.required:
                problems.append(Problem(f"/{name}", f"`{name}` is missing", code="missing"))
            continue
        try:
            values[field.name] = msgspec.convert(given[name], field.type)
        except msgspec.ValidationError as error:
            problems.append(Problem(f"/{name}", f"`{name}` {_in_words(str(error))}", code="kind"))
    if problems:
        message = "; ".join(problem.message for problem in problems)
        raise InvalidRequest(message, "Correct the parameters.", problems)
    return shape(**values)


def _unknown(name: str, fields: Mapping[str, Any]) -> Problem:
    near = get_close_matches(name, fields, n=1)
    hint = f"Did you mean `{near[0]}`?" if near else f"There is {', '.join(sorted(fields))}."
    return Problem(f"/{name}", f"`{name}` is not a parameter", hint=hint, code="unknown")


_EXPECTED = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")

_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


def _in_words(message: str) -> str:
    found = _EXPECTED.match(message)
    if found is None:
        return f"does not fit: {message}"
    wanted, got = (_KINDS.get(kind, kind) for kind in found.groups())
    return f"must be {wanted}, not {got}"
