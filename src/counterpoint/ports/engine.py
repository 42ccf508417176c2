"""Port of the durable engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from counterpoint.core.dsl.model import Workflow
from counterpoint.core.values import Instant, JsonValue, Scope
from counterpoint.errors import Fault


class StartRun(msgspec.Struct, frozen=True):
    """A request to start a run.

    Attributes:
        workflow: Name of the workflow.
        input: Raw input.
        actor: Who asks.
        version: Version to run; empty for the active one.
        trigger: What led to it: `cli`, `socket`, `child`.
        correlation_id: Correlation to join; empty for a new one.
        traceparent: W3C trace context to join; empty for a new one.
    """

    workflow: str
    input: JsonValue
    actor: str
    version: str = ""
    trigger: str = "cli"
    correlation_id: str = ""
    traceparent: str = ""


class Started(msgspec.Struct, frozen=True, rename="camel"):
    """Answer to a start: durable when given. `is_new` is false when the start key named an existing run."""

    run_id: str
    is_new: bool = True


class RunResult(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """How a run stands when it ended or paused."""

    run_id: str
    status: str
    output: JsonValue = None
    fault: Fault | None = None
    cause: str = ""
    outcome: JsonValue = None


class RunEvent(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A piece of live progress.

    Attributes:
        run_id: Public id of the run.
        at: Instant.
        kind: `runStarted`, `attemptStarted`, `attemptEnded`, `timerSet`, `timerFired`, `childStarted`,
            `childEnded`,
            `decision`, `runEnded`, `runSuspended`, `runResumed`.
        step: Canonical step key.
        task: Name of the task.
        pointer: Place in the document.
        number: Attempt.
        status: Verdict or status word.
        detail: One sentence for people.
        due: Instant of a timer or of the next attempt.
    """

    run_id: str
    at: Instant
    kind: str
    step: str = ""
    task: str = ""
    pointer: str = ""
    number: int = 0
    status: str = ""
    detail: str = ""
    due: Instant = 0


class Deployed(msgspec.Struct, frozen=True):
    """A compiled revision with its numbers."""

    scope: Scope
    scope_no: int
    workflow_no: int
    revision_no: int
    workflow: Workflow


class Revisions(Protocol):
    """Where the engine finds compiled revisions; cached, so that both cost nothing when warm.

    Compiling a large document takes up to a second: a thread may do it, so all methods are thread-safe.
    """

    def is_warm(self, scope: Scope, name: str, version: str = "") -> bool:
        """Whether `resolve` would answer from memory."""
        ...

    def resolve(self, scope: Scope, name: str, version: str = "") -> Deployed:
        """Revision of a workflow: the active one, or that of a version (`latest`: highest release).

        Raises:
            NotFound: No such workflow or version; the hint lists what there is.
        """
        ...

    def by_number(self, revision_no: int) -> Deployed:
        """Revision that a run started on."""
        ...


class Engine(Protocol):
    """Runs workflows durably."""

    async def open(self) -> None:
        """Recover what was running; returns when new work can be taken."""
        ...

    async def close(self) -> None:
        """Stop taking work, let commits end; runs go on at the next `open`."""
        ...

    async def start(self, scope: Scope, request: StartRun) -> Started:
        """Start a run; when this returns the start is durable.

        Raises:
            NotFound: No such workflow or version.
            LimitExceeded: Too many open runs, or the disk is full.
        """
        ...

    async def wait(self, scope: Scope, run_id: str) -> RunResult:
        """Result of a run once it ended or paused."""
        ...

    def watch(self, scope: Scope, run_id: str) -> AsyncIterator[RunEvent]:
        """Live progress from now on until the run ends or pauses."""
        ...

    async def cancel(self, scope: Scope, run_id: str, actor: str, reason: str = "") -> None:
        """Cancel a run; children that it awaits are cancelled too.

        Raises:
            NotFound: No such run.
            Conflict: It has ended.
        """
        ...

    async def suspend(self, scope: Scope, run_id: str, actor: str, reason: str = "") -> None:
        """Halt a run until `resume`; attempts under way end and are recorded, nothing follows them."""
        ...

    async def resume(self, scope: Scope, run_id: str, actor: str) -> None:
        """Let a suspended run go on. A run paused by a fault or a doubt tries the step again."""
        ...

    async def retry(self, scope: Scope, run_id: str, actor: str) -> None:
        """Go on with a faulted or paused run: its failed steps are tried again, with the same keys.

        Raises:
            Conflict: The run did not fault, or the document itself raised the fault.
        """
        ...
