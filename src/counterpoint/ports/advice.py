"""Where, why, what to do next: one sentence each, for everything that faulted or paused.

The engine writes the answer into the run's row together with its end, so that lists, alerts and groups need
no history. Pure text from facts; no secrets, because a fault's detail is already masked when it gets here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from counterpoint.errors import STANDARD_FAULTS, Fault

MAX_DETAIL = 400
"""Longest part of a fault's detail that a sentence repeats, in characters."""


class Circumstance(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a run that faulted or paused.

    Attributes:
        code: `fault`, `inDoubt`, `nonDeterminism`, `operator`, `historyCorrupt` or `storageFull`.
        run_id: Public id of the run.
        namespace: Namespace of the workflow.
        workflow: Name of the workflow.
        pointer: Place of the task in the document, if a task caused it.
        task: Name of the task.
        step: Canonical step key.
        target: What was called.
        fault: The fault, if there is one.
        verdict: Class of the last attempt, such as `throttled` or `authentication`.
        attempts: Attempts made at the step.
        actor: Who caused it, for `operator`.
        reason: What the actor said, or a detail of the code.
        owner: Owner of the workflow.
        runbook: Address of the workflow's runbook.
    """

    code: str
    run_id: str
    namespace: str
    workflow: str
    pointer: str = ""
    task: str = ""
    step: str = ""
    target: str = ""
    fault: Fault | None = None
    verdict: str = ""
    attempts: int = 0
    actor: str = ""
    reason: str = ""
    owner: str = ""
    runbook: str = ""


class Cause(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Why a run faulted or paused, as stored with it.

    Attributes:
        code: Code of the circumstance.
        where: Place, in words.
        why: What happened.
        next: What to do.
        group: Digest that runs stuck for the same cause share: code, workflow, place, fault type and status.
        pointer: Place in the document.
        task: Name of the task.
        step: Canonical step key.
        fault: The fault.
    """

    code: str
    where: str
    why: str
    next: str
    group: str
    pointer: str = ""
    task: str = ""
    step: str = ""
    fault: Fault | None = None

    def as_json(self) -> dict[str, Any]:
        """The cause as a JSON object, without empty members."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def advise(facts: Circumstance) -> Cause:
    """Cause with its three sentences."""
    rule = _RULES.get(facts.code, _explain_unknown)
    why, following = rule(facts)
    if facts.runbook:
        following = f"{following} Runbook: {facts.runbook}."
    pointer = facts.pointer or (facts.fault.instance if facts.fault else "")
    return Cause(
        code=facts.code,
        where=_where(facts, pointer),
        why=why,
        next=following,
        group=group_of(facts.code, f"{facts.namespace}/{facts.workflow}", pointer, facts.fault),
        pointer=pointer,
        task=facts.task,
        step=facts.step,
        fault=facts.fault,
    )


def group_of(code: str, workflow: str, pointer: str, fault: Fault | None) -> str:
    """Name that runs stuck for the same cause share: 12 hex digits; `workflow` with its namespace."""
    kind = (error_name(fault.type), str(fault.status)) if fault else ("", "")
    return hashlib.sha256("\n".join((code, workflow, pointer, *kind)).encode()).hexdigest()[:12]


def error_name(error_type: str) -> str:
    """Name of a standard error type, such as `communication`; any other type as it is."""
    name = error_type.rstrip("/").rpartition("/")[2]
    return name if name in STANDARD_FAULTS else error_type


def _where(facts: Circumstance, pointer: str) -> str:
    name = facts.task or pointer.rpartition("/")[2]
    if not pointer:
        return f"Workflow {facts.workflow}, outside any task."
    calling = f", calling {facts.target}" if facts.target else ""
    return f"Workflow {facts.workflow}, task {name} ({pointer}){calling}."


def _tried(facts: Circumstance) -> str:
    if facts.attempts < 1:
        return ""
    return f" after {facts.attempts} attempt{'s' if facts.attempts > 1 else ''}"


def _what(facts: Circumstance) -> str:
    fault = facts.fault
    if fault is None:
        return facts.reason or "no detail is known"
    title = fault.title or error_name(fault.type)
    detail = fault.detail if len(fault.detail) <= MAX_DETAIL else fault.detail[:MAX_DETAIL] + "…"
    return f"{title} ({fault.status}): {detail}" if detail else f"{title} ({fault.status})"


def _target(facts: Circumstance) -> str:
    return facts.target or "the target"


def _explain_fault(facts: Circumstance) -> tuple[str, str]:
    why = f"It failed{_tried(facts)}: {_what(facts)}."
    by_verdict = _BY_VERDICT.get(facts.verdict)
    if by_verdict is not None:
        return why, by_verdict(facts)
    name = error_name(facts.fault.type) if facts.fault is not None else ""
    by_name = _BY_NAME.get(name)
    # A fault of a call has a step; the same type without one was raised by the document on purpose.
    if by_name is not None and (facts.step or name not in _FAULTS_OF_CALLS):
        return why, by_name(facts)
    return why, (
        "The document raised this fault itself: read its detail, then start a new run with the right input, "
        f"or change workflow {facts.workflow}."
    )


def _explain_doubt(facts: Circumstance) -> tuple[str, str]:
    return (
        f"A call of {_target(facts)} has no outcome: the effect may or may not have happened, and "
        "nothing tells which.",
        f"Look at {_target(facts)}. If the effect is not there, `counterpoint runs retry {facts.run_id}` "
        f"makes it; if it is, `counterpoint runs cancel {facts.run_id}` and finish by hand.",
    )


def _explain_divergence(facts: Circumstance) -> tuple[str, str]:
    return (
        f"Replay asked for something else than the history holds: {facts.reason or 'no detail is known'}. "
        "Nothing was called.",
        "Go back to the version of the product that the run started on and "
        f"`counterpoint runs resume {facts.run_id}`; report it as a defect with the output of "
        f"`counterpoint runs history {facts.run_id}`.",
    )


def _explain_operator(facts: Circumstance) -> tuple[str, str]:
    reason = f": {facts.reason}" if facts.reason else ""
    return (
        f"{facts.actor or 'An operator'} suspended it{reason}.",
        f"`counterpoint runs resume {facts.run_id}` lets it go on; "
        f"`counterpoint runs cancel {facts.run_id}` ends it.",
    )


def _explain_corruption(facts: Circumstance) -> tuple[str, str]:
    return (
        f"A stored record does not match its digest: {facts.reason or 'no detail is known'}. "
        "It is quarantined.",
        "Check the disk (`counterpoint doctor`), restore the last backup beside this data and compare "
        f"`counterpoint runs verify {facts.run_id}` in both.",
    )


def _explain_full(facts: Circumstance) -> tuple[str, str]:
    return (
        "The disk is full: the next step could not be written down, so it was not made.",
        "Free space in the data directory; the run goes on without a restart.",
    )


def _explain_unknown(facts: Circumstance) -> tuple[str, str]:
    return (
        f"It stopped with {facts.code}: {_what(facts)}.",
        f"`counterpoint runs explain {facts.run_id}` shows the path that led here.",
    )


def _retry(facts: Circumstance) -> str:
    return f"`counterpoint runs retry {facts.run_id}`"


def _owner(facts: Circumstance) -> str:
    return f"the owner ({facts.owner})" if facts.owner else "the owner of the connection"


def _next_authentication(facts: Circumstance) -> str:
    return f"Ask {_owner(facts)} to renew the credential for {_target(facts)}, then {_retry(facts)}."


def _next_throttled(facts: Circumstance) -> str:
    return (
        f"{facts.target or 'The target'} asks for fewer calls: wait, or lower the rate, then "
        f"{_retry(facts)}; for many runs `counterpoint runs retry --stuck` goes slowly, one first."
    )


def _next_communication(facts: Circumstance) -> str:
    fault = facts.fault
    if fault is not None and 400 <= fault.status < 500 and fault.status not in (408, 429):
        return (
            f"{facts.target or 'The target'} refuses this request, so the same one will fail again: "
            "correct the arguments in the document or the input, and start a new run."
        )
    return f"Check that {_target(facts)} is up and reachable, then {_retry(facts)}."


def _next_timeout(facts: Circumstance) -> str:
    return f"See whether {_target(facts)} is slow; then {_retry(facts)}, or give the task a longer `timeout`."


def _next_validation(facts: Circumstance) -> str:
    return (
        "The data does not fit the schema: start a new run with corrected input, or correct the schema "
        "and deploy it."
    )


def _next_expression(facts: Circumstance) -> str:
    return "Correct the expression, deploy the document under a new version, and start a new run."


def _next_configuration(facts: Circumstance) -> str:
    return (
        "Correct the document or the settings that it names, deploy it under a new version, "
        "and start a new run."
    )


def _next_authorization(facts: Circumstance) -> str:
    return f"Ask {_owner(facts)} for the right to do this at {_target(facts)}, then {_retry(facts)}."


def _next_runtime(facts: Circumstance) -> str:
    return (
        "Read the detail: a defect in an action wants a correction, a limit wants a smaller input; then "
        f"{_retry(facts)}."
    )


_Rule = Callable[[Circumstance], tuple[str, str]]

_RULES: dict[str, _Rule] = {
    "fault": _explain_fault,
    "inDoubt": _explain_doubt,
    "nonDeterminism": _explain_divergence,
    "operator": _explain_operator,
    "historyCorrupt": _explain_corruption,
    "storageFull": _explain_full,
}

_BY_VERDICT: dict[str, Callable[[Circumstance], str]] = {
    "throttled": _next_throttled,
    "authentication": _next_authentication,
}

_FAULTS_OF_CALLS = frozenset({"authentication", "authorization", "communication"})

_BY_NAME: dict[str, Callable[[Circumstance], str]] = {
    "authentication": _next_authentication,
    "authorization": _next_authorization,
    "communication": _next_communication,
    "configuration": _next_configuration,
    "expression": _next_expression,
    "runtime": _next_runtime,
    "timeout": _next_timeout,
    "validation": _next_validation,
}
