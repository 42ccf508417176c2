"""How what a runner observed differs from what a case expects, in words that show both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from counterpoint.core.dsl.error_types import normalise_error_type
from counterpoint.core.values import JsonValue
from counterpoint.errors import ERROR_BASE
from counterpoint.testing.conformance import (
    ActionCall,
    ActionExpectation,
    Bounds,
    CallExpectation,
    Case,
    Expectation,
    HttpCall,
    Observed,
    Place,
    SameHeader,
    Trace,
)


def differences(case: Case, seen: Observed) -> list[str]:
    """Everything in which an observation differs from what the case expects; empty when it conforms."""
    want = case.expect
    found = list(seen.complaints)
    if seen.status != want.status:
        found.append(f"status: expected {want.status}, was {seen.status} {_explain(seen)}".rstrip())
        return found
    if want.output is not UNSET and not same(want.output, seen.output):
        found.append(f"output: expected {_show(want.output)}, was {_show(seen.output)}")
    if want.outcome is not UNSET and not same(want.outcome, seen.outcome):
        found.append(f"outcome: expected {_show(want.outcome)}, was {_show(seen.outcome)}")
    found += _error_differences(want.error or {}, seen.fault)
    found += _missing_places("problem", want.problems, seen.problems)
    found += _missing_places("warning", want.warnings, seen.warnings)
    found += _call_differences(want, seen)
    found += _time_differences(want.elapsed_ms, seen)
    found += _trace_differences(want.trace, seen.trace)
    return found


def same(one: JsonValue, other: JsonValue) -> bool:
    """Whether two JSON values are equal; `true` is not 1, but 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _show(value: JsonValue) -> str:
    return msgspec.json.encode(value).decode()


def _explain(seen: Observed) -> str:
    if seen.fault:
        return f"with {_show(seen.fault)}"
    return f"with problems at {_show(seen.problems)}" if seen.problems else ""


def _error_differences(want: Mapping[str, Any], fault: Mapping[str, Any]) -> Iterable[str]:
    for name, value in want.items():
        actual = fault.get(name)
        if name == "type":
            full = value if ":" in value else ERROR_BASE + value
            is_equal = normalise_error_type(str(actual)) == normalise_error_type(full)
        else:
            is_equal = same(value, actual)
        if not is_equal:
            yield f"error.{name}: expected {_show(value)}, was {_show(actual)} ({_show(dict(fault))})"


def _missing_places(what: str, want: Iterable[Place], seen: list[str]) -> Iterable[str]:
    for place in want:
        if place.pointer not in seen:
            yield f"{what}: expected one at {place.pointer or 'the root'!r}, was {_show(seen)}"


def _call_differences(want: Expectation, seen: Observed) -> Iterable[str]:
    if want.call_count is not None and len(seen.calls) != want.call_count:
        yield f"calls: expected {want.call_count}, were {len(seen.calls)}"
    if want.calls is not None:
        requests = zip(want.calls, seen.calls, strict=False)
        parts = [_request_differences(expected, call) for expected, call in requests]
        yield from _list_differences("calls", parts, len(want.calls), len(seen.calls))
    if want.action_calls is not None:
        pairs = zip(want.action_calls, seen.action_calls, strict=False)
        parts = [_function_differences(expected, call) for expected, call in pairs]
        yield from _list_differences("actionCalls", parts, len(want.action_calls), len(seen.action_calls))
    if want.same_header is not None:
        yield from _header_differences(want.same_header, seen.calls)


def _list_differences(what: str, parts: list[list[str]], wanted: int, actual: int) -> Iterable[str]:
    if wanted != actual:
        yield f"{what}: expected {wanted}, were {actual}"
    for index, part in enumerate(parts):
        yield from (f"{what}[{index}].{text}" for text in part)


def _request_differences(want: CallExpectation, seen: HttpCall) -> list[str]:
    found = []
    if (want.method, want.path) != (seen.method, seen.path):
        found.append(f"request: expected {want.method} {want.path}, was {seen.method} {seen.path}")
    if want.query is not None and want.query != seen.query:
        found.append(f"query: expected {want.query}, was {seen.query}")
    for name, value in want.headers.items():
        actual = seen.headers.get(name.lower())
        if name.lower() == "content-type":  # a charset may follow
            actual = (actual or "").partition(";")[0]
        if actual != value:
            found.append(f"headers.{name}: expected {value!r}, was {actual!r}")
    if want.body is not UNSET and not same(want.body, seen.body):
        found.append(f"body: expected {_show(want.body)}, was {_show(seen.body)}")
    if want.text is not None and want.text != seen.text:
        found.append(f"text: expected {want.text!r}, was {seen.text!r}")
    return found


def _function_differences(want: ActionExpectation, seen: ActionCall) -> list[str]:
    if want.action != seen.action:
        return [f"action: expected {want.action}, was {seen.action}"]
    if want.arguments is not UNSET and not same(want.arguments, seen.arguments):
        return [f"arguments: expected {_show(want.arguments)}, were {_show(seen.arguments)}"]
    return []


def _header_differences(want: SameHeader, calls: list[HttpCall]) -> Iterable[str]:
    name = want.name.lower()
    values = [{calls[i].headers.get(name) for i in group if i < len(calls)} for group in want.groups]
    flat = [value for group in values for value in group]
    if None in flat or any(len(group) != 1 for group in values) or len(set(flat)) != len(values):
        actual = [sorted(map(str, group)) for group in values]
        yield f"header {want.name}: expected one value for each of {want.groups}, was {actual}"


def _time_differences(want: Bounds | None, seen: Observed) -> Iterable[str]:
    elapsed_ms = seen.elapsed_ms
    if want is None or elapsed_ms is None:
        return
    if elapsed_ms < want.min:
        yield f"elapsedMs: expected at least {want.min}, was {elapsed_ms:.0f}"
    if want.max is not None and seen.is_virtual and elapsed_ms > want.max:
        yield f"elapsedMs: expected at most {want.max}, was {elapsed_ms:.0f}"


def _trace_differences(want: Trace | None, trace: list[str] | None) -> Iterable[str]:
    if want is None or trace is None:
        return
    if want.order is not None and want.order != trace:
        yield f"trace: expected {want.order}, was {trace}"
    if want.first and trace[:1] != [want.first]:
        yield f"trace: {want.first} should run first, it was {trace[:1]}"
    if want.last and trace[-1:] != [want.last]:
        yield f"trace: {want.last} should run last, it was {trace[-1:]}"
