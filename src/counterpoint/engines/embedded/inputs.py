"""Inputs of a run on their way into its history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from counterpoint.core.values import Instant, JsonValue
from counterpoint.ports.history import InputKind


class Input:
    """Something that reached a run.

    Attributes:
        kind: What it is.
        at: Instant.
        step: Step that it concerns, or empty.
        payload: What the row stores.
        value: The JSON value of a successful result (the payload holds its bytes).
        actor: Who caused it.
        inbox_no: Row of the inbox that it consumes, or 0.
        audit: Action to record for the control plane, or empty.
        done: Called when the row is durable, or with the error that refused it.
    """

    __slots__ = ("actor", "at", "audit", "done", "inbox_no", "kind", "payload", "step", "value")

    def __init__(
        self,
        kind: InputKind,
        at: Instant,
        step: str = "",
        payload: JsonValue = None,
        *,
        value: JsonValue = None,
        actor: str = "",
        inbox_no: int = 0,
        audit: str = "",
        done: Callable[[Exception | None], None] | None = None,
    ) -> None:
        self.kind = kind
        self.at = at
        self.step = step
        self.payload: Any = payload
        self.value = value
        self.actor = actor
        self.inbox_no = inbox_no
        self.audit = audit
        self.done = done
