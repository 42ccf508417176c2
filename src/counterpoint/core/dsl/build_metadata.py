"""Compiles `metadata.counterpoint` of documents and tasks: our extensions of the language."""

from __future__ import annotations

from counterpoint.core.dsl.build_functions import build_function
from counterpoint.core.dsl.build_retries import build_retry
from counterpoint.core.dsl.building import Build
from counterpoint.core.dsl.model import (
    NO_EXTRAS,
    Concurrency,
    IdempotencySpec,
    OnFault,
    OnUncertain,
    RetryPolicy,
    Task,
    TaskExtras,
    WorkflowExtras,
)
from counterpoint.core.dsl.node import Node
from counterpoint.core.dsl.scope import BODY, WORKFLOW_INPUT, WORKFLOW_OUTPUT, Enclosure
from counterpoint.core.values import Duration

PREFIX = "counterpoint"
"""The one key below `metadata` that means something to us."""

_PLACES: dict[str, tuple[str, ...]] = {
    "idempotency": ("call",),
    "retry": ("call",),
    "onUncertain": ("call", "run"),
    "lookback": ("listen",),
    "parallel": ("for",),
}
"""Kinds of task on which an extension means something; the others fit on all."""


def build_task_extras(build: Build, node: Node, kind: str, enclosure: Enclosure) -> TaskExtras:
    """Extensions on a task; one that means nothing on its kind is refused."""
    extras = node.at("metadata", PREFIX)
    if not extras.is_map:
        return NO_EXTRAS
    for name, place in extras.members():
        kinds = _PLACES.get(name, (kind,))
        if kind not in kinds:
            words = " or ".join(f"`{name}`" for name in kinds)
            message = f"`{name}` means nothing on a `{kind}` task; it belongs on {words}."
            build.report.add(place.path, "misplaced", message, "Move it to the task that it is meant for.")
    allowed = enclosure.sees(BODY)
    retry = build_retry(build, extras.child("retry"), allowed) if extras.child("retry").text else None
    if retry is not None:
        _warn_product(build, extras.child("retry"), retry, enclosure)
    return TaskExtras(
        compensate=_build_compensation(build, extras.child("compensate"), enclosure),
        idempotency=_build_idempotency(build, extras.child("idempotency"), allowed),
        on_uncertain=_on_uncertain(extras.child("onUncertain")),
        on_fault=_on_fault(extras.child("onFault")),
        lookback=_fixed(build, extras.child("lookback")),
        parallel=extras.child("parallel").whole,
        retry=retry,
    )


def _build_compensation(build: Build, node: Node, enclosure: Enclosure) -> Task | None:
    name = node.text
    if name is not None:
        found = build.component("functions", node)
        return None if found is None else build_function(build, name, node, enclosure)
    if not node.is_map:
        return None
    # It runs after its scope has ended, so it sees its own input and nothing of the loops and catches around.
    alone = Enclosure(is_extended=enclosure.is_extended, depth=enclosure.depth)
    return build.make_task(build, node, "compensate", alone)


def _build_idempotency(build: Build, node: Node, allowed: frozenset[str]) -> IdempotencySpec | None:
    if not node.is_map:
        return None
    return IdempotencySpec(
        key=build.template_or_none(node.child("key"), allowed),
        header=node.child("header").text or "Idempotency-Key",
        per_attempt=node.child("scope").text == "attempt",
    )


def _fixed(build: Build, node: Node) -> Duration | None:
    duration = build.duration(node, None)
    if duration is not None and not isinstance(duration, Duration):
        build.report.add(node.path, "not-static", "This must be a fixed duration.")
        return None
    return duration


def _warn_product(build: Build, node: Node, retry: RetryPolicy, enclosure: Enclosure) -> None:
    if enclosure.attempts == 1:
        return
    inner = None if retry.attempt_count is None else retry.attempt_count + 1
    if enclosure.attempts is None or inner is None:
        total = "without a limit"
    else:
        total = f"up to {enclosure.attempts} x {inner} = {enclosure.attempts * inner} times"
    message = f"The call may be made {total}: a `try` around it retries too."
    build.report.warn(node.path, "retry-product", message, "Keep one of the two.")


def _on_fault(node: Node) -> OnFault | None:
    return OnFault(node.value) if node.value in ("fault", "pause") else None


def _on_uncertain(node: Node) -> OnUncertain | None:
    return OnUncertain(node.value) if node.value in ("repeat", "pause") else None


def build_workflow_extras(build: Build) -> WorkflowExtras:
    """Extensions on the document."""
    extras = build.root.at("document", "metadata", PREFIX)
    retries: dict[str, RetryPolicy] = {}
    for connector, reference in extras.child("retries").members():
        policy = build_retry(build, reference, BODY) if reference.text is not None else None
        if policy is not None:
            retries[connector] = policy
    schedule = extras.child("schedule")
    return WorkflowExtras(
        owner=extras.child("owner").text or "",
        criticality=extras.child("criticality").text or "",
        runbook=extras.child("runbook").text or "",
        on_fault=_on_fault(extras.child("onFault")) or OnFault.FAULT,
        on_uncertain=_on_uncertain(extras.child("onUncertain")),
        outcome=build.program(extras.child("outcome"), WORKFLOW_OUTPUT),
        start_key=build.program(extras.child("startKey"), WORKFLOW_INPUT),
        concurrency=_build_concurrency(build, extras.child("concurrency")),
        schedule=schedule.value if schedule.is_map else {},
        retries=retries,
    )


def _build_concurrency(build: Build, node: Node) -> Concurrency | None:
    if not node.is_map:
        return None
    key = build.program(node.child("key"), WORKFLOW_INPUT)
    return Concurrency(limit=node.child("limit").whole or 1, key=key)
