"""An outside world for simulations: actions with effects, an idempotency-aware memory, and trouble.

Every attempt takes virtual time before and after its effect, so that a death can fall on either side. The
action says by its name how it behaves: `world.keyed` remembers idempotency keys, `world.natural` sets a
value, `world.once` has neither, `world.asked` can be asked by `confirm`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

from counterpoint.core.context import Invocation
from counterpoint.core.values import JsonValue
from counterpoint.errors import standard_fault
from counterpoint.ports.connectors import ActionInfo, Attempt, AttemptResult, Idempotency, Verdict
from counterpoint.testing.virtual_host import Pause, VirtualTime

INFOS: dict[str, ActionInfo] = {
    "world.keyed": ActionInfo(Idempotency.KEY),
    "world.natural": ActionInfo(Idempotency.NATURAL),
    "world.once": ActionInfo(Idempotency.NONE),
    "world.asked": ActionInfo(Idempotency.NONE, has_confirm=True),
}


class Performed(msgspec.Struct, frozen=True):
    """One attempt that the world saw."""

    run_id: str
    step: str
    number: int
    key: str
    target: str
    made_effect: bool
    failed: bool


class World:
    """What calls reach in a simulation.

    Args:
        time: Virtual time; delays and troubles are drawn from its source.
        trouble: Share of attempts that fail, a third of them after the effect (a lost reply).
    """

    def __init__(self, time: VirtualTime | None = None, trouble: float = 0.0) -> None:
        self.time = time
        self.trouble = trouble
        self.attempts: list[Performed] = []
        self.effects: dict[str, int] = defaultdict(int)
        self._remembered: dict[str, JsonValue] = {}
        self.on_attempt: Callable[[Attempt], None] = lambda attempt: None

    def describe(self, invocation: Invocation) -> ActionInfo | None:
        """See `ports.connectors.Connectors`."""
        return INFOS.get(invocation.target)

    async def perform(self, attempt: Attempt) -> AttemptResult:
        """Make the effect, unless its key is remembered; then perhaps lose the reply."""
        self.on_attempt(attempt)
        await Pause(self._delay())
        fails = self._chance(self.trouble)
        loses_reply = fails and self._chance(0.33)
        is_keyed = attempt.invocation.target == "world.keyed"
        made = (not fails or loses_reply) and not (is_keyed and attempt.key in self._remembered)
        if made:
            self.effects[f"{attempt.run_id}/{attempt.step}"] += 1
        if made and attempt.invocation.target in ("world.keyed", "world.asked"):
            self._remembered[attempt.key] = _value(attempt)
        self.attempts.append(
            Performed(
                attempt.run_id,
                attempt.step,
                attempt.number,
                attempt.key,
                attempt.invocation.target,
                made,
                fails,
            )
        )
        await Pause(self._delay())
        if fails:
            fault = standard_fault("communication", "trouble in the world", status=503)
            return AttemptResult(Verdict.RETRYABLE, fault=fault, is_uncertain=loses_reply)
        return AttemptResult(Verdict.DONE, _value(attempt))

    async def confirm(self, attempt: Attempt) -> AttemptResult | None:
        """Whether the effect of an attempt is remembered."""
        await Pause(self._delay())
        if attempt.key in self._remembered:
            return AttemptResult(Verdict.DONE, self._remembered[attempt.key])
        return None

    async def close(self) -> None:
        """Nothing to release."""

    def _delay(self) -> float:
        return self.time.random.expovariate(200) if self.time is not None else 0.0

    def _chance(self, share: float) -> bool:
        return self.time is not None and share > 0 and self.time.random.random() < share


def _value(attempt: Attempt) -> JsonValue:
    """Result of an action: a function of its arguments alone, so that a model can predict it."""
    arguments: Any = attempt.invocation.arguments
    return arguments.get("value") if isinstance(arguments, dict) else arguments
