"""Stand-ins for functions: what a conformance case or a flow test says that they do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import UNSET

from counterpoint.core.context import Invocation
from counterpoint.errors import standard_fault
from counterpoint.ports.connectors import ActionInfo, Attempt, AttemptResult, Connectors, Verdict
from counterpoint.testing.conformance import ActionCall, Behaviour

_INFO = ActionInfo()


class StandIns:
    """Implements the port of connectors: named functions here, everything else behind `others`.

    Args:
        behaviours: By the function's name, one for each call; the last one repeats.
        others: Connectors for targets that have no stand-in.
        forever: What a function that hangs waits for.

    Attributes:
        calls: Every attempt that reached a stand-in, in order.
        hanging: Number of attempts that will never answer.
    """

    def __init__(
        self,
        behaviours: Mapping[str, Sequence[Behaviour]],
        others: Connectors | None = None,
        forever: Callable[[], Awaitable[object]] = lambda: asyncio.Event().wait(),
    ) -> None:
        self._behaviours = {name: list(each) for name, each in behaviours.items()}
        self._others = others
        self._forever = forever
        self._made: dict[str, int] = {}
        self.calls: list[ActionCall] = []
        self.hanging = 0

    def has_action(self, target: str, version: str, catalog: str) -> bool:
        """Whether a stand-in has that name; the runtime's own catalog is called `default`."""
        return target in self._behaviours and catalog in ("", "default")

    def describe(self, invocation: Invocation) -> ActionInfo | None:
        """See `ports.connectors.Connectors`."""
        if invocation.target in self._behaviours:
            return _INFO
        return self._others.describe(invocation) if self._others is not None else None

    async def perform(self, attempt: Attempt) -> AttemptResult:
        """See `ports.connectors.Connectors`."""
        invocation = attempt.invocation
        behaviours = self._behaviours.get(invocation.target)
        if behaviours is None:
            if self._others is not None:
                return await self._others.perform(attempt)
            detail = f"nothing stands in for {invocation.target}"
            fault = standard_fault("configuration", detail, invocation.pointer)
            return AttemptResult(Verdict.PERMANENT, fault=fault)
        number = self._made.get(invocation.target, 0)
        self._made[invocation.target] = number + 1
        self.calls.append(ActionCall(invocation.target, invocation.arguments))
        return await self._behave(behaviours[min(number, len(behaviours) - 1)], invocation)

    async def confirm(self, attempt: Attempt) -> AttemptResult | None:
        """A stand-in cannot tell whether an effect exists."""
        return None

    async def close(self) -> None:
        """See `ports.connectors.Connectors`."""
        if self._others is not None:
            await self._others.close()

    async def _behave(self, behaviour: Behaviour, invocation: Invocation) -> AttemptResult:
        if behaviour.hang:
            self.hanging += 1
            try:
                await self._forever()
            finally:
                self.hanging -= 1
        if behaviour.fail:
            detail = f"{invocation.target} stands in for a failing function"
            fault = standard_fault("communication", detail, invocation.pointer, behaviour.status)
            return AttemptResult(Verdict(behaviour.fail), fault=fault)
        if behaviour.echo:
            return AttemptResult(Verdict.DONE, invocation.arguments)
        return AttemptResult(Verdict.DONE, None if behaviour.value is UNSET else behaviour.value)
