"""When and whether a retry comes (DSL: Retry; A10, A15)."""

from __future__ import annotations

from counterpoint.core.dsl.model import Backoff, RetryPolicy
from counterpoint.core.values import Duration

_MAX_DELAY_MICROS = 366 * 86_400 * 1_000_000
_SPREAD = 1 << 64


def backoff_micros(policy: RetryPolicy, delay: Duration, number: int) -> int:
    """Wait before retry `number` (from 1), without jitter: d, d*n or d*f^(n-1), at most `maxDelay`."""
    base = delay.after(0)
    match policy.backoff:
        case Backoff.LINEAR:
            wait = int(base * number * (policy.factor or 1))
        case Backoff.EXPONENTIAL:
            wait = _grown(base, policy.factor or 2.0, number - 1)
        case _:
            wait = base
    ceiling = policy.max_delay.after(0) if policy.max_delay is not None else _MAX_DELAY_MICROS
    return min(wait, ceiling)


def _grown(base: int, factor: float, steps: int) -> int:
    wait = float(base)
    for _ in range(min(steps, 200)):
        wait *= factor
        if wait > _MAX_DELAY_MICROS:
            return _MAX_DELAY_MICROS
    return int(wait)


def jitter_micros(low: Duration, high: Duration, entropy: bytes) -> int:
    """A wait in [low, high], drawn from the run's entropy so that replay draws the same."""
    least, most = low.after(0), high.after(0)
    if most <= least:
        return least
    return least + (most - least) * int.from_bytes(entropy[:8], "big") // _SPREAD
