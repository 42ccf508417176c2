"""The outside world of the kill tests: a connector whose effects are lines of a file.

A line is written with one write and synced, so that a kill leaves it wholly or not at all. The file is the
world's memory, too: `keyed` and `asked` look a key up in it before they act.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from counterpoint import Connector, Retry
from counterpoint.errors import RetryableError
from counterpoint.sdk import ActionContext

outside = Connector("outside", retry=Retry(max_attempts=100, delay_s=0.05, backoff="constant"))


def _write(kind: str, context: ActionContext, action: str, value: Any) -> None:
    line = {
        "kind": kind,
        "run": context.run_id,
        "step": context.step,
        "attempt": context.attempt,
        "key": context.idempotency_key,
        "action": action,
        "value": value,
    }
    descriptor = os.open(os.environ["OUTSIDE_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, json.dumps(line).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lines() -> list[dict[str, Any]]:
    """All that happened."""
    path = Path(os.environ["OUTSIDE_LOG"])
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def _known(key: str) -> dict[str, Any] | None:
    found = (line for line in lines() if line["kind"] == "effect" and line["key"] == key)
    return next(found, None)


async def _act(context: ActionContext, action: str, value: Any) -> Any:
    _write("attempt", context, action, value)
    if context.attempt == 1 and action == "keyed" and value == 3:
        raise RetryableError("the first attempt at a three fails", status=503)
    await asyncio.sleep(0.002)
    known = _known(context.idempotency_key) if action == "keyed" else None
    if known is None:
        _write("effect", context, action, value)
    await asyncio.sleep(0.002)
    return value if known is None else known["value"]


@outside.action(idempotency="key")
async def keyed(ctx: ActionContext, value: Any) -> Any:
    """Act once per key."""
    return await _act(ctx, "keyed", value)


@outside.action()
async def once(ctx: ActionContext, value: Any) -> Any:
    """Act, whatever happened before."""
    return await _act(ctx, "once", value)


async def _confirm(ctx: ActionContext) -> Any:
    known = _known(ctx.idempotency_key)
    return None if known is None else known["value"]


@outside.action(confirm=_confirm)
async def asked(ctx: ActionContext, value: Any) -> Any:
    """Act; whoever is in doubt can ask."""
    return await _act(ctx, "asked", value)
