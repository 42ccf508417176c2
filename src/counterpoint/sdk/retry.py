"""How often a connector wants its calls attempted, as its author writes it."""

from __future__ import annotations

import msgspec

from counterpoint.core.dsl.model import Backoff, RetryPolicy
from counterpoint.core.values import MICROS_PER_S, Duration


class Retry(msgspec.Struct, frozen=True):
    """Attempts and waits of a connector's calls; a policy named in the document wins over it.

    Attributes:
        max_attempts: Attempts in all, the first included.
        delay_s: Wait before the second attempt, in seconds.
        backoff: `constant`, `linear` or `exponential`.
        max_delay_s: Longest wait, in seconds; None for no limit.
        jitter_s: Random wait of up to so many seconds on top.
    """

    max_attempts: int = 3
    delay_s: float = 1.0
    backoff: str = "exponential"
    max_delay_s: float | None = None
    jitter_s: float = 0.0

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ValueError(f"max_attempts is {self.max_attempts}; the first counts too: give at least 1")
        if self.delay_s < 0 or self.jitter_s < 0 or (self.max_delay_s or 0) < 0:
            raise ValueError("delay_s, max_delay_s and jitter_s are waits in seconds and cannot be negative")
        Backoff(self.backoff)

    def policy(self) -> RetryPolicy:
        """The same as a retry policy of the language."""
        return RetryPolicy(
            delay=_duration(self.delay_s),
            backoff=Backoff(self.backoff),
            max_delay=None if self.max_delay_s is None else _duration(self.max_delay_s),
            attempt_count=self.max_attempts - 1,
            jitter=(Duration(0), _duration(self.jitter_s)) if self.jitter_s else None,
        )


def _duration(seconds: float) -> Duration:
    return Duration(round(seconds * MICROS_PER_S))
