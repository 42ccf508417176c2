"""What the engine's logic needs from its surroundings.

The logic is a state machine driven by callbacks; it never touches a loop, a thread, a clock or the operating
system. In the product `AsyncioHost` stands here; in `counterpoint.testing` a seeded scheduler with a virtual
clock does, and drives the same logic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import apsw

from counterpoint.core.expr.program import Variables
from counterpoint.core.values import Instant, JsonValue
from counterpoint.ports.connectors import Attempt, AttemptResult


class Handle(Protocol):
    """Something under way that can be cancelled; cancelling twice, or too late, does nothing."""

    def cancel(self) -> None:
        """Stop it; its callback is then not called."""
        ...


class Host(Protocol):
    """Surroundings of the engine. All callbacks come on the engine's own thread, one at a time."""

    def now(self) -> Instant:
        """Wall-clock instant."""
        ...

    def monotonic_s(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def random(self, count: int) -> bytes:
        """Random bytes for identifiers, seeds and nonces."""
        ...

    def soon(self, callback: Callable[[], None]) -> None:
        """Call after what is ready now."""
        ...

    def later(self, delay_s: float, callback: Callable[[], None]) -> Handle:
        """Call after a delay."""
        ...

    def read(
        self, query: Callable[[apsw.Connection], Any], done: Callable[[Any, Exception | None], None]
    ) -> None:
        """Run a query on a snapshot of what is committed."""
        ...

    def perform(self, attempt: Attempt, done: Callable[[AttemptResult], None]) -> Handle:
        """Make one attempt of a call."""
        ...

    def confirm(
        self, attempt: Attempt, done: Callable[[AttemptResult | None, Exception | None], None]
    ) -> Handle:
        """Ask whether the effect of an attempt exists."""
        ...

    def evaluate(
        self,
        text: str,
        value: JsonValue,
        variables: Variables,
        done: Callable[[Any, BaseException | None], None],
    ) -> None:
        """Evaluate a foreign program in the expression worker."""
        ...
