"""Compiles retries and errors (DSL: Retry, Error)."""

from __future__ import annotations

from counterpoint.core.dsl.building import Allowed, Build
from counterpoint.core.dsl.model import Backoff, DurationSpec, ErrorSpec, RetryPolicy
from counterpoint.core.dsl.node import Node
from counterpoint.core.dsl.pointers import pointer_of
from counterpoint.core.values import Duration


def build_retry(build: Build, node: Node, allowed: Allowed) -> RetryPolicy | None:
    """A retry policy, inline or the name of one in `use.retries`; None when absent or dangling."""
    policy = build.component("retries", node) if node.text is not None else node
    if policy is None or not policy.is_map:
        return None
    backoff, growth = _build_backoff(policy.child("backoff"))
    limit = policy.child("limit")
    count = limit.at("attempt", "count")
    if count.whole is not None and count.whole < 0:
        build.report.add(count.path, "number-range", "The number of retries must be at least 0.")
    factor = growth.child("factor").value
    return RetryPolicy(
        pointer=pointer_of(policy.path),
        when=build.program(policy.child("when"), allowed),
        except_when=build.program(policy.child("exceptWhen"), allowed),
        delay=build.duration(policy.child("delay"), allowed),
        backoff=backoff,
        factor=float(factor) if isinstance(factor, int | float) else None,
        max_delay=_build_max_delay(build, growth.child("maxDelay")),
        attempt_count=count.whole,
        attempt_duration=build.duration(limit.at("attempt", "duration"), allowed),
        duration=build.duration(limit.child("duration"), allowed),
        jitter=_build_jitter(build, policy.child("jitter"), allowed),
    )


def _build_backoff(node: Node) -> tuple[Backoff, Node]:
    for kind in Backoff:
        if node.has(kind.value):
            return kind, node.child(kind.value)
    return Backoff.CONSTANT, node.child(Backoff.CONSTANT.value)


def _build_max_delay(build: Build, node: Node) -> Duration | None:
    delay = build.duration(node, None)
    if node.is_present and delay is not None and not isinstance(delay, Duration):
        build.report.add(node.path, "not-static", "`maxDelay` must be a fixed duration.")
        return None
    return delay if isinstance(delay, Duration) else None


def _build_jitter(build: Build, node: Node, allowed: Allowed) -> tuple[DurationSpec, DurationSpec] | None:
    least, most = build.duration(node.child("from"), allowed), build.duration(node.child("to"), allowed)
    if least is None or most is None:
        return None
    fixed = [(bound.months, bound.micros) for bound in (least, most) if isinstance(bound, Duration)]
    if len(fixed) == 2 and fixed[0] > fixed[1]:
        message = "The jitter's `from` is longer than its `to`."
        build.report.add(node.path, "number-range", message, "Exchange them.")
    return least, most


def build_error(build: Build, node: Node, allowed: Allowed) -> ErrorSpec | None:
    """An error to raise, inline or the name of one in `use.errors`; None when absent or dangling."""
    error = build.component("errors", node) if node.text is not None else node
    if error is None or not error.is_map:
        return None
    return ErrorSpec(
        type=build.template(error.child("type"), allowed),
        status=error.child("status").whole or 0,
        title=build.template_or_none(error.child("title"), allowed),
        detail=build.template_or_none(error.child("detail"), allowed),
        instance=build.template_or_none(error.child("instance"), allowed),
    )
