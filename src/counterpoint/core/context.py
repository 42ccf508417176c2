"""The durable context: all that the interpreter may ask of an engine.

The interpreter is `async` code without a clock, randomness, tasks or I/O. It runs unchanged wherever this
protocol is
implemented: the embedded engine drives its coroutines by hand, Temporal by its workflow loop, the simulation
    by a seeded scheduler. What an implementation must keep (see `docs/explanation/durable-context.md`): keys
    instead of positions, inputs in order, a fingerprint on each command, outcome before effect, pure work
    recomputed.

Events (`emit`, `listen`) join this protocol with the event log; nothing else changes for them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from enum import Enum
from typing import Any, Protocol, TypeAlias

import msgspec

from counterpoint.core.dsl.model import OnUncertain, RetryPolicy
from counterpoint.core.expr.program import Program, Variables
from counterpoint.core.values import Instant, JsonValue, StepKey


class RunInfo(msgspec.Struct, frozen=True):
    """What is fixed for a run.

    Attributes:
        id: Public identifier.
        input: Raw workflow input (`$workflow.input`).
        started: Instant of the start.
        correlation_id: Identifier that all runs and events of one chain share.
        trace_id: W3C trace id, 32 hex characters.
        runtime: `$runtime`: name, version, metadata.
        flags: Names of interpretation changes in force when the run started.
    """

    id: str
    input: JsonValue
    started: Instant
    correlation_id: str
    trace_id: str
    runtime: dict[str, JsonValue]
    flags: frozenset[str] = frozenset()


class Invocation(msgspec.Struct, frozen=True):
    """A call outside the core: what to call and with what, already evaluated.

    Attributes:
        target: `http`, or `CONNECTOR.ACTION`.
        arguments: Arguments; their digest is the step's fingerprint.
        pointer: Place of the task in the document.
        task: Name of the task, for people.
    """

    target: str
    arguments: JsonValue
    pointer: str
    task: str


class CallPolicy(msgspec.Struct, frozen=True):
    """How often and how a call may be attempted.

    Attributes:
        retry: Policy that the document names for this call; None leaves it to the connector, unless
            `is_inside_retry`: then a call has one attempt.
        is_inside_retry: Whether a `try` with `retry` encloses the call, so that layers never multiply.
        on_uncertain: What to do when an attempt has no outcome; None takes the default of the criticality.
        idempotency_key: Key given by the document, or None for the step's own.
        idempotency_header: Header that carries the key over HTTP.
        key_per_attempt: Whether each attempt gets a key of its own.
        is_idempotent: Whether the document says that the target honours the key.
    """

    retry: RetryPolicy | None = None
    is_inside_retry: bool = False
    on_uncertain: OnUncertain | None = None
    idempotency_key: str | None = None
    idempotency_header: str = "Idempotency-Key"
    key_per_attempt: bool = False
    is_idempotent: bool = False


PLAIN_CALL = CallPolicy()


class ChildStart(msgspec.Struct, frozen=True):
    """A workflow to run as a child."""

    namespace: str
    name: str
    version: str
    input: JsonValue
    is_awaited: bool
    pointer: str
    task: str


class JoinMode(Enum):
    """When a join is over: all branches done; the first that succeeded; the first that ended in any way."""

    ALL = "all"
    FIRST_SUCCESS = "firstSuccess"
    FIRST_END = "firstEnd"


Branch: TypeAlias = tuple[StepKey, Callable[[], Coroutine[Any, Any, Any]]]
"""Key of a branch and a function that makes its coroutine."""


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """A choice that pure work made, kept so that "why was this called" has an answer.

    Attributes:
        pointer: Task that decided.
        kind: `if`, `case`, `catch`, `retry`, `while`, `skip`, `timeout`.
        choice: What was chosen, such as the name of the case.
        expression: Text of the deciding expression, if any.
        value: Its value, if small.
        step: Canonical key of the visit.
    """

    pointer: str
    kind: str
    choice: JsonValue
    expression: str = ""
    value: JsonValue = None
    step: str = ""


class Settled(msgspec.Struct, frozen=True):
    """Where a sequence stands once everything before has settled, so that its past can be forgotten.

    Attributes:
        position: Where to go on: index of the next task, item or attempt, and what the sequence needs to
            know.
        output: Data so far.
        context: `$context` so far.
    """

    position: JsonValue
    output: JsonValue
    context: JsonValue


class DurableContext(Protocol):
    """All that the interpreter may ask of an engine."""

    run: RunInfo

    @property
    def now(self) -> Instant:
        """Instant of the last input applied; never goes back, costs no write."""
        ...

    def call(self, step: StepKey, invocation: Invocation, policy: CallPolicy) -> Awaitable[JsonValue]:
        """Run a function outside the core, at least once, and record its result.

        Returns:
            The recorded result, the same on every replay.

        Raises:
            FaultRaised: The function failed for good; its attempts are spent.
        """
        ...

    def sleep(self, step: StepKey, until: Instant) -> Awaitable[None]:
        """Wait until an instant, once, whatever restarts in between; never early."""
        ...

    def start_child(self, step: StepKey, child: ChildStart) -> Awaitable[JsonValue]:
        """Start a child run; gives its output, or None at once when it is not awaited.

        Raises:
            FaultRaised: The child faulted, was cancelled, or could not be started.
        """
        ...

    def evaluate(self, program: Program, value: JsonValue, variables: Variables) -> Awaitable[JsonValue]:
        """Value of a program outside the native subset; pure, so it is recomputed on replay.

        Raises:
            ExpressionFailed: The program failed or passed a limit.
        """
        ...

    def join(
        self, step: StepKey, branches: Sequence[Branch], mode: JoinMode, limit: int = 0
    ) -> Awaitable[list[Any]]:
        """Run branches concurrently, at most `limit` at once (0: all); results in the order of the branches.

        A branch that did not finish because the join was over has None. Losers are cancelled before it
        returns.

        Raises:
            FaultRaised: `ALL` or `FIRST_END`: the first fault. `FIRST_SUCCESS`: the last one, when all
                failed.
        """
        ...

    def entropy(self, step: StepKey) -> bytes:
        """32 bytes that depend on the run's seed and the key alone; for jitter and identifiers."""
        ...

    def recall(self, sequence: StepKey) -> Awaitable[Settled] | None:
        """Where a sequence stood when it was last settled; asked before entering it; None if it never was.

        The answer comes once a replay has reached the place where it was settled, so that what follows has
        the instant, and the place among the inputs, that it had then.
        """
        ...

    def settle(self, sequence: StepKey, settled: Callable[[], Settled]) -> None:
        """Offer the engine to forget the past of a sequence; it calls `settled` if it takes the offer."""
        ...

    def tick(self) -> bool:
        """Count one pure task; true when the interpreter must `give_way`.

        Raises:
            FaultRaised: Too many pure tasks without an input.
        """
        ...

    def is_due(self) -> bool:
        """Whether the interpreter must `give_way` now; asked after work that may have taken long."""
        ...

    def give_way(self) -> Awaitable[None]:
        """Let other runs go on."""
        ...

    def note(self, decision: Decision) -> None:
        """Remember a decision with the next row that is written."""
        ...
