"""Port of what calls the outside: one attempt in, one classified result out."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol, TypeAlias

import msgspec

from counterpoint.core.context import Invocation
from counterpoint.core.dsl.model import RetryPolicy
from counterpoint.core.values import JsonValue, Scope
from counterpoint.errors import Fault


class Idempotency(Enum):
    """What a repeated call does at the target."""

    NATURAL = "natural"
    """Repeating changes nothing (a read, a PUT)."""
    KEY = "key"
    """The target recognises our idempotency key."""
    NONE = "none"
    """Repeating may do it twice."""


class ActionInfo(msgspec.Struct, frozen=True):
    """What an action declares.

    Attributes:
        idempotency: What a repeated call does.
        has_confirm: Whether `confirm` can tell if an effect exists.
        retry: Policy of the connector, used when the document names none.
        is_effect: Whether the action changes anything outside (false for reads).
    """

    idempotency: Idempotency = Idempotency.NONE
    has_confirm: bool = False
    retry: RetryPolicy | None = None
    is_effect: bool = True


Text: TypeAlias = str | Callable[[], str]
"""A text, or what makes it: most actions never look at their key or trace."""


class Attempt:
    """One attempt of a call.

    Attributes:
        scope: Namespace and environment of the run.
        run_id: Public id of the run.
        workflow: Name of the workflow.
        step: Canonical step key.
        number: Number of the attempt, from 1.
        invocation: Target and arguments.
        key_header: Header for the key over HTTP.
        correlation_id: Correlation id of the run.
        lazy_key: The idempotency key, or what makes it.
        lazy_traceparent: The trace context, or what makes it.
    """

    __slots__ = (
        "correlation_id",
        "invocation",
        "key_header",
        "lazy_key",
        "lazy_traceparent",
        "number",
        "run_id",
        "scope",
        "step",
        "workflow",
    )

    def __init__(  # noqa: PLR0913 - a record; made in one place
        self,
        scope: Scope,
        run_id: str,
        workflow: str,
        step: str,
        number: int,
        invocation: Invocation,
        key: Text,
        key_header: str,
        correlation_id: str,
        traceparent: Text,
    ) -> None:
        self.scope = scope
        self.run_id = run_id
        self.workflow = workflow
        self.step = step
        self.number = number
        self.invocation = invocation
        self.lazy_key = key
        self.key_header = key_header
        self.correlation_id = correlation_id
        self.lazy_traceparent = traceparent

    @property
    def key(self) -> str:
        """Idempotency key: the same for all attempts of the step."""
        key = self.lazy_key
        return key if isinstance(key, str) else key()

    @property
    def traceparent(self) -> str:
        """W3C trace context to send along."""
        traceparent = self.lazy_traceparent
        return traceparent if isinstance(traceparent, str) else traceparent()


class Verdict(Enum):
    """What an attempt's result means for the next one."""

    DONE = "done"
    RETRYABLE = "retryable"
    THROTTLED = "throttled"
    AUTHENTICATION = "authentication"
    PERMANENT = "permanent"


class AttemptResult(msgspec.Struct, frozen=True):
    """Result of one attempt.

    Attributes:
        verdict: Class of the result.
        value: JSON result when `DONE`.
        fault: Fault otherwise.
        retry_after_s: Wait that the target asks for, in seconds.
        is_uncertain: Whether the effect may have happened although the attempt failed.
    """

    verdict: Verdict
    value: JsonValue = None
    fault: Fault | None = None
    retry_after_s: float | None = None
    is_uncertain: bool = False


class Connectors(Protocol):
    """Everything that a call may reach."""

    def describe(self, invocation: Invocation) -> ActionInfo | None:
        """What the target declares for these arguments; None when nothing has that name. Cheap."""
        ...

    async def perform(self, attempt: Attempt) -> AttemptResult:
        """Make one attempt. Raises nothing but cancellation: a bug in an action is a `PERMANENT` fault."""
        ...

    async def confirm(self, attempt: Attempt) -> AttemptResult | None:
        """Whether the effect of an earlier attempt exists: its result, or None when it does not."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
