"""Results as the use cases give them, made from their own types so that a change of a shape shows here."""

from __future__ import annotations

from typing import Any

import msgspec

from counterpoint.app.deploy import Deployment, Validation, WorkflowDetail
from counterpoint.app.effects import Effect, EffectReport, EffectState
from counterpoint.app.explain import Explanation, Standing, Trigger
from counterpoint.app.inspect import HistoryPage, RunDetail
from counterpoint.app.timeline import AttemptLine, Moment, StepLine
from counterpoint.errors import Fault, Problem, standard_fault
from counterpoint.ports.engine import RunEvent, RunResult
from counterpoint.ports.history import Command, HistoryEntry, InputKind, RunEnd
from counterpoint.ports.records import Page, Revision, RunRecord, StuckGroup, StuckReport

AT = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z"""

EVIL = "\x1b]0;owned\x07\x1b[2Jname\u202e"
"""Text that would clear a terminal, retitle it and turn its text around."""

FAULT: Fault = standard_fault("communication", "POST https://crm.test/accounts gave 503", "/do/0/enrich", 503)
CAUSE: dict[str, Any] = {
    "code": "fault",
    "where": "Task enrich at /do/0/enrich.",
    "why": "3 attempts failed with 503.",
    "next": "Retry when the CRM is back.",
    "group": "0a1b2c3d",
}


def wire(value: Any) -> Any:
    return msgspec.to_builtins(value)


def record(status: str = "completed", **changes: Any) -> RunRecord:
    values: dict[str, Any] = {
        "id": "run-0001",
        "run_no": 1,
        "namespace": "support",
        "environment": "default",
        "workflow": "triage",
        "version": "1.0.0",
        "revision_no": 1,
        "status": status,
        "started": AT,
        "actor": "os:ada",
        "correlation_id": "corr-1",
        "trace_id": "0" * 32,
        "ended": AT + 1_500_000,
    }
    return RunRecord(**(values | changes))


def revision(**changes: Any) -> Revision:
    values: dict[str, Any] = {
        "revision_no": 1,
        "namespace": "support",
        "name": "triage",
        "version": "1.0.0",
        "digest": "d" * 64,
        "deployed": AT,
        "actor": "os:ada",
        "owner": "team-a",
        "criticality": "internal",
        "is_active": True,
    }
    return Revision(**(values | changes))


def step(**changes: Any) -> StepLine:
    values: dict[str, Any] = {
        "step": "enrich",
        "identity": "enrich",
        "kind": "call",
        "task": "enrich",
        "pointer": "/do/0/enrich",
        "target": "http",
        "state": "done",
        "started": AT,
        "ended": AT + 20_000,
        "attempts": [
            AttemptLine(1, AT, AT + 10_000, "retryable", FAULT, due=AT + 12_000),
            AttemptLine(2, AT + 12_000, AT + 20_000, "done"),
        ],
    }
    return StepLine(**(values | changes))


def run_page() -> Any:
    runs = [
        record(),
        record("faulted", id="run-0002", cause=CAUSE),
        record("running", id="run-0003", ended=None),
    ]
    return wire(Page([wire(run) for run in runs], "cursor-9"))


def run_detail(status: str = "faulted") -> Any:
    waiting = step(
        step="pause", task="pause", kind="timer", purpose="wait", state="waiting", ended=0, due=AT + 5
    )
    child = step(
        step="sub", task="sub", kind="child", child="run-0009", state="waiting", ended=0, attempts=[]
    )
    detail = RunDetail(
        run=record(status, cause=CAUSE),
        trigger="cli",
        steps=[step(), waiting, child],
        moments=[Moment(AT, "started", "os:ada", "cli")],
        children=[record("waiting", id="run-0009")],
        input={"ticket": 7},
        fault=FAULT,
    )
    return wire(detail)


def explanation() -> Any:
    return wire(
        Explanation(
            run=record("faulted", cause=CAUSE),
            trigger=Trigger("cli", "os:ada", AT),
            path=[],
            steps=[step()],
            moments=[],
            now=Standing("faulted", CAUSE["where"], CAUSE["why"], CAUSE["next"]),
            sentences=[
                "It was started by os:ada.",
                "Task enrich called http.",
                "It faulted.",
                "Next: retry.",
            ],
        )
    )


def effect_report() -> Any:
    effects = [
        Effect(
            "a",
            "create",
            "/do/0/create",
            "tickets.create",
            EffectState.DONE,
            1,
            "key",
            "k1",
            AT,
            next="Nothing.",
        ),
        Effect("b", "tell", "/do/1/tell", "http", EffectState.UNKNOWN, 2, "none", "k2", next="Look at http."),
        Effect("c", "open", "/do/2/open", "http", EffectState.NOT_DONE, 3, "natural", "k3", next="Retry."),
        Effect("d", "x", "/do/3/x", "http", EffectState.DONE, 2, "none", "k4", AT, may_have_run_twice=True),
    ]
    return wire(EffectReport(record("faulted"), "partial", effects, 2, 1, 1))


def history_page() -> Any:
    rows = [
        HistoryEntry(
            1, AT, 10, InputKind.STARTED, commands=(Command("attempt", "enrich", target="http", number=1),)
        ),
        HistoryEntry(2, AT + 5, 11, InputKind.RESULT, "enrich", {"number": 1}, end=RunEnd("completed")),
    ]
    return wire(HistoryPage("run-0001", rows, 2))


def stuck_report() -> Any:
    group = StuckGroup(
        "0a1b2c3d",
        "fault",
        "support",
        "triage",
        12,
        AT,
        "run-0002",
        "/do/0/enrich",
        "enrich",
        FAULT.type,
        503,
        CAUSE["why"],
        CAUSE["next"],
    )
    return wire(StuckReport([group]))


def deployment(**changes: Any) -> Any:
    warning = Problem(
        "/do/0", "looks like an expression", 5, 3, "Wrap it.", "bare-expression", is_warning=True
    )
    values: dict[str, Any] = {
        "namespace": "support",
        "name": "triage",
        "version": "1.0.0",
        "digest": "d" * 64,
        "revision": revision(),
        "warnings": [warning],
    }
    return wire(Deployment(**(values | changes)))


def validation(*problems: Problem) -> Any:
    return wire(Validation(all(p.is_warning for p in problems), list(problems)))


def workflow_detail() -> Any:
    return wire(
        WorkflowDetail(revision(), [revision(), revision(version="0.9.0", is_active=False)], "do: []\n")
    )


def result(status: str = "completed", **changes: Any) -> Any:
    return wire(RunResult("run-0001", status, **changes))


def event(kind: str, **changes: Any) -> Any:
    return wire(RunEvent("run-0001", AT, kind, **changes))
