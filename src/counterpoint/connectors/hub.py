"""Everything that a call may reach, behind one port: HTTP, and the actions that were registered."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any

from counterpoint.connectors.actions import RegisteredActions
from counterpoint.connectors.http import DEFAULTS, HttpSettings, HttpTarget
from counterpoint.core.context import Invocation
from counterpoint.ports.connectors import ActionInfo, Attempt, AttemptResult
from counterpoint.sdk import Connector

HTTP = "http"
"""Target of `call: http`."""


class ConnectorHub:
    """Sends each invocation to what answers its target.

    Args:
        actions: Registered actions.
        http: Outgoing HTTP.
    """

    def __init__(self, actions: RegisteredActions, http: HttpTarget) -> None:
        self._actions = actions
        self._http = http

    @classmethod
    def of(cls, connectors: Iterable[Connector] = (), http_settings: HttpSettings = DEFAULTS) -> ConnectorHub:
        """A hub for connectors and settings.

        Raises:
            DefinitionError: Two connectors share a name, or a setting is not usable.
        """
        return cls(RegisteredActions(connectors), HttpTarget(http_settings))

    @property
    def names(self) -> list[str]:
        """All targets, sorted."""
        return sorted([HTTP, *self._actions.names])

    def describe(self, invocation: Invocation) -> ActionInfo | None:
        """See `ports.connectors.Connectors`."""
        return self._of(invocation).describe(invocation)

    def perform(self, attempt: Attempt) -> Coroutine[Any, Any, AttemptResult]:
        """See `ports.connectors.Connectors`; hands the coroutine on, so that no layer is added to a call."""
        return self._of(attempt.invocation).perform(attempt)

    def confirm(self, attempt: Attempt) -> Coroutine[Any, Any, AttemptResult | None]:
        """See `ports.connectors.Connectors`."""
        return self._of(attempt.invocation).confirm(attempt)

    async def close(self) -> None:
        """Release all connections."""
        await self._http.close()
        await self._actions.close()

    def _of(self, invocation: Invocation) -> HttpTarget | RegisteredActions:
        return self._http if invocation.target == HTTP else self._actions
