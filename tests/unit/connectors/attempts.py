"""Attempts as the engine makes them."""

from __future__ import annotations

from typing import Any

from counterpoint.core.context import Invocation
from counterpoint.core.values import Scope
from counterpoint.ports.connectors import Attempt

KEY = "mfrggzdfmztwq2lknnwg23tpobyxe43u"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
POINTER = "/do/0/notify"


def attempt(target: str, arguments: Any, *, number: int = 1, key_header: str = "Idempotency-Key") -> Attempt:
    """An attempt of a call."""
    return Attempt(
        scope=Scope("support"),
        run_id="run-1",
        workflow="tickets",
        step="notify",
        number=number,
        invocation=Invocation(target, arguments, POINTER, "notify"),
        key=KEY,
        key_header=key_header,
        correlation_id="chain-1",
        traceparent=TRACEPARENT,
    )
