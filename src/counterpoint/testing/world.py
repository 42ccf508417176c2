"""An outside world for simulations: actions with effects, an idempotency-aware memory, and trouble.

Every attempt takes virtual time before and after its effect, so that a death can fall on either side. The
action says by its name how it behaves: `world.keyed` remembers the results of idempotency keys,
`world.natural` sets a value (setting the same again is no effect), `world.once` has neither, `world.asked`
can be asked by `confirm`, `world.barred` is like `world.keyed` but may say no for good.
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
    "world.barred": ActionInfo(Idempotency.KEY),
}


_KEYED = ("world.keyed", "world.barred")


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
        bars: Share of attempts at `world.barred` that fail for good.

    Attributes:
        attempts: What was seen, in order.
        effects: Effects made, by `RUN/STEP`.
        on_attempt: Told when an attempt begins.
    """

    def __init__(self, time: VirtualTime | None = None, trouble: float = 0.0, bars: float = 0.0) -> None:
        self.time = time
        self.trouble = trouble
        self.bars = bars
        self.attempts: list[Performed] = []
        self.effects: dict[str, int] = defaultdict(int)
        self._remembered: dict[str, JsonValue] = {}
        self._settings: dict[str, tuple[JsonValue]] = {}
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
        if attempt.invocation.target == "world.barred" and self._chance(self.bars):
            fault = standard_fault("communication", "the world says no", status=403)
            return AttemptResult(Verdict.PERMANENT, fault=fault)
        value = self._result(attempt)
        made = (not fails or loses_reply) and self._make_effect(attempt, value)
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
        return AttemptResult(Verdict.DONE, value)

    async def confirm(self, attempt: Attempt) -> AttemptResult | None:
        """Whether the effect of an attempt is remembered."""
        await Pause(self._delay())
        if attempt.key in self._remembered:
            return AttemptResult(Verdict.DONE, self._remembered[attempt.key])
        return None

    async def close(self) -> None:
        """Nothing to release."""

    def _result(self, attempt: Attempt) -> JsonValue:
        """A function of the arguments alone, for a model to predict; by key, that of the first call."""
        value = _value(attempt)
        if attempt.invocation.target in _KEYED:
            return self._remembered.get(attempt.key, value)
        return value

    def _make_effect(self, attempt: Attempt, value: JsonValue) -> bool:
        """Whether anything changed."""
        target, place = attempt.invocation.target, f"{attempt.run_id}/{attempt.step}"
        if target in _KEYED and attempt.key in self._remembered:
            return False
        if target == "world.natural" and self._settings.get(place, ()) == (value,):
            return False
        if target == "world.natural":
            self._settings[place] = (value,)
        elif target != "world.once":
            self._remembered[attempt.key] = value
        self.effects[place] += 1
        return True

    def _delay(self) -> float:
        return self.time.random.expovariate(200) if self.time is not None else 0.0

    def _chance(self, share: float) -> bool:
        return self.time is not None and share > 0 and self.time.random.random() < share


def _value(attempt: Attempt) -> JsonValue:
    arguments: Any = attempt.invocation.arguments
    return arguments.get("value") if isinstance(arguments, dict) else arguments
