"""What follows a failed attempt: another one, a pause, or the fault."""

from __future__ import annotations

from enum import Enum

import msgspec

from counterpoint.core.dsl.model import DurationSpec, OnUncertain, RetryPolicy
from counterpoint.core.expr import is_truthy
from counterpoint.core.expr.program import ExpressionFailed, NativeLimit, Program
from counterpoint.core.interp import backoff_micros, jitter_micros, to_duration
from counterpoint.core.values import MICROS_PER_S, Duration, Instant, JsonValue
from counterpoint.engines.embedded.strands import CallPending
from counterpoint.errors import Fault
from counterpoint.ports.connectors import AttemptResult, Idempotency, Verdict

MAX_DOUBTS = 10
"""Attempts in a row that may end without an outcome (the process died each time) before the run pauses."""


class Next(Enum):
    """What follows an attempt that failed."""

    AGAIN = "again"
    FINAL = "final"
    PAUSE = "pause"


class Plan(msgspec.Struct, frozen=True):
    """What follows, and for `AGAIN` the wait in microseconds."""

    next: Next
    wait: int = 0


def is_repeatable(call: CallPending) -> bool:
    """Whether repeating the call does no harm: by nature, by our key, or because it changes nothing."""
    info = call.info
    return not info.is_effect or info.idempotency is not Idempotency.NONE or call.policy.is_idempotent


def may_repeat_in_doubt(call: CallPending) -> bool:
    """Whether a call whose effect may exist is repeated; else the run pauses."""
    return is_repeatable(call) or call.policy.on_uncertain is not OnUncertain.PAUSE


def plan_after(call: CallPending, result: AttemptResult, now: Instant, entropy: bytes) -> Plan:
    """What follows a failed attempt."""
    if result.is_uncertain and not may_repeat_in_doubt(call):
        return Plan(Next.PAUSE)
    if result.verdict not in (Verdict.RETRYABLE, Verdict.THROTTLED) or result.fault is None:
        return Plan(Next.FINAL)
    policy = call.policy.retry
    if policy is None and not call.policy.is_inside_retry:
        policy = call.info.retry
    if policy is None or not _admits(policy, result.fault):
        return Plan(Next.FINAL)
    return _plan(policy, call, result, now, entropy)


def _plan(
    policy: RetryPolicy, call: CallPending, result: AttemptResult, now: Instant, entropy: bytes
) -> Plan:
    number = call.number - call.spent
    if policy.attempt_count is not None and number > policy.attempt_count:
        return Plan(Next.FINAL)
    wait = backoff_micros(policy, _duration(policy.delay), number)
    if policy.jitter is not None:
        wait += jitter_micros(_duration(policy.jitter[0]), _duration(policy.jitter[1]), entropy)
    if result.retry_after_s is not None:
        wait = max(wait, int(result.retry_after_s * MICROS_PER_S))
    if policy.duration is not None and now + wait > _duration(policy.duration).after(call.began):
        return Plan(Next.FINAL)
    return Plan(Next.AGAIN, wait)


def _duration(spec: DurationSpec | None) -> Duration:
    if spec is None:
        return Duration()
    if isinstance(spec, Duration):
        return spec
    try:
        return to_duration(_value(spec, None, {}))
    except ValueError:
        return Duration()


def _admits(policy: RetryPolicy, fault: Fault) -> bool:
    error = fault.as_json()
    variables = {"error": error}
    if policy.when is not None and not is_truthy(_value(policy.when, error, variables)):
        return False
    return policy.except_when is None or not is_truthy(_value(policy.except_when, error, variables))


def _value(program: Program, value: JsonValue, variables: dict[str, JsonValue]) -> JsonValue:
    """Value of an expression of a call's retry policy; the loader admits native ones only there."""
    if program.native is None:
        return None
    try:
        return program.native(value, variables)
    except (ExpressionFailed, NativeLimit):
        return None
