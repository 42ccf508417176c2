"""Inputs of a run on their way into its history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from counterpoint.core.values import Instant, JsonValue
from counterpoint.ports.history import InputKind, RunEnd


class Input(msgspec.Struct):
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

    kind: InputKind
    at: Instant
    step: str = ""
    payload: Any = None
    value: JsonValue = None
    actor: str = ""
    inbox_no: int = 0
    audit: str = ""
    done: Callable[[Exception | None], None] | None = None


def is_late(end: RunEnd, given: Input) -> bool:
    """Whether an input that waited in line concerns a run no more that ended or paused meanwhile.

    What an attempt gave while its run pauses is in doubt, as if it had arrived after the run left memory.
    """
    if given.kind is InputKind.RETRY:
        return False
    return end.status != "suspended" or given.kind is not InputKind.CANCEL
