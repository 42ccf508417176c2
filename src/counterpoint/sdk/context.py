"""What an action knows about the call that it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from counterpoint.core.values import Scope


class ActionContext(msgspec.Struct, frozen=True, gc=False):
    """First argument of every action.

    Attributes:
        run_id: Public id of the run.
        workflow: Name of the workflow.
        step: Canonical key of the step, unique in the run.
        attempt: Number of this attempt, from 1.
        lazy_key: The idempotency key, or what makes it.
        correlation_id: Id that all runs and events of one chain share.
        lazy_traceparent: The trace context, or what makes it.
        scope: Namespace and environment of the run.
    """

    run_id: str
    workflow: str
    step: str
    attempt: int
    lazy_key: str | Callable[[], str]
    correlation_id: str
    lazy_traceparent: str | Callable[[], str]
    scope: Scope

    @property
    def idempotency_key(self) -> str:
        """Same on every attempt of the step; send it to a target that recognises keys."""
        key = self.lazy_key
        return key if isinstance(key, str) else key()

    @property
    def traceparent(self) -> str:
        """W3C trace context; send it with what you call."""
        traceparent = self.lazy_traceparent
        return traceparent if isinstance(traceparent, str) else traceparent()

    @property
    def logger(self) -> Any:
        """A structlog logger that names run, step and attempt on each line."""
        # Imported here: most actions never log, and the import costs more than a call.
        import structlog

        return structlog.get_logger("counterpoint.action").bind(
            run=self.run_id, workflow=self.workflow, step=self.step, attempt=self.attempt
        )
