"""Errors as JSON problems, and back: what crosses the socket and what `--json` prints (after RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from counterpoint.core.values import JsonValue
from counterpoint.errors import (
    ConnectorError,
    CounterpointError,
    DefinitionError,
    EngineError,
    Fault,
    FaultRaised,
    InvalidRequest,
    Problem,
    RequestError,
    RetryableError,
    StorageError,
    treatment_of,
)

INTERNAL = "internal"
"""Code of a failure that is a bug; its details stay in the log."""


def problem_of(error: CounterpointError) -> dict[str, JsonValue]:
    """JSON problem of an error: `code`, `detail`, `status`, and what its class adds."""
    row = treatment_of(error)
    problem: dict[str, Any] = {
        "code": error.code,
        "detail": str(error),
        "status": row.http_status,
        "isRetryable": row.is_retryable,
    }
    match error:
        case DefinitionError():
            problem["problems"] = msgspec.to_builtins(error.problems)
        case FaultRaised():
            problem |= {"fault": error.fault.as_json(), "step": error.step}
        case RetryableError():
            problem |= {"faultStatus": error.status, "retryAfterS": error.retry_after_s}
        case ConnectorError():
            problem["faultStatus"] = error.status
        case InvalidRequest():
            problem |= {"hint": error.hint, "problems": msgspec.to_builtins(error.problems)}
        case RequestError():
            problem["hint"] = error.hint
        case StorageError():
            problem |= {"isFatal": error.is_fatal, "isFull": error.is_full}
    return problem


def internal_problem(reference: str) -> dict[str, JsonValue]:
    """JSON problem of a bug: says nothing of its cause but the reference of the entry in the log."""
    return {
        "code": INTERNAL,
        "detail": f"Something unexpected failed inside Counterpoint (reference {reference}).",
        "status": 500,
        "isRetryable": False,
        "reference": reference,
    }


def error_from(problem: dict[str, Any]) -> CounterpointError:
    """Error that a JSON problem stands for; an unknown code, of a newer owner, is an `EngineError`."""
    code, detail = str(problem.get("code", "")), str(problem.get("detail", "no detail"))
    kind = _BY_CODE.get(code, EngineError)
    if kind is DefinitionError and problem.get("problems"):
        return DefinitionError(_problems(problem))
    if kind is FaultRaised and problem.get("fault"):
        return FaultRaised(msgspec.convert(problem["fault"], Fault), problem.get("step"))
    if issubclass(kind, RetryableError):
        return kind(detail, status=problem.get("faultStatus", 500), retry_after_s=problem.get("retryAfterS"))
    if issubclass(kind, ConnectorError):
        return kind(detail, status=problem.get("faultStatus", 500))
    if kind is InvalidRequest:
        return InvalidRequest(detail, str(problem.get("hint", "")), _problems(problem))
    if issubclass(kind, RequestError):
        return kind(detail, str(problem.get("hint", "")))
    if kind is StorageError:
        is_fatal, is_full = bool(problem.get("isFatal")), bool(problem.get("isFull"))
        return StorageError(detail, is_fatal=is_fatal, is_full=is_full)
    if issubclass(kind, EngineError):
        return kind(detail)
    return EngineError(detail)


def _problems(problem: dict[str, Any]) -> tuple[Problem, ...]:
    return msgspec.convert(problem.get("problems", ()), tuple[Problem, ...])


def _classes(kind: type[CounterpointError]) -> Iterator[type[CounterpointError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _classes(below)


_BY_CODE: dict[str, type[CounterpointError]] = {kind.code: kind for kind in _classes(CounterpointError)}
