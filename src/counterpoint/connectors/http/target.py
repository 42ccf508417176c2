"""The target `http`: one request, one classified result.

The HTTP client takes as long to import as everything else together. It is loaded with the first call, in a
thread: a command that calls nothing does without it, and no run waits for it that does not call.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from counterpoint.connectors.http.guard import EgressGuard
from counterpoint.connectors.http.methods import READS
from counterpoint.connectors.http.settings import DEFAULTS, HttpSettings
from counterpoint.core.context import Invocation
from counterpoint.ports.connectors import ActionInfo, Attempt, AttemptResult, Idempotency

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver
    from yarl import URL

    from counterpoint.connectors.http.exchange import Exchange

_READ = ActionInfo(Idempotency.NATURAL, is_effect=False)
_REPEATABLE = ActionInfo(Idempotency.NATURAL)
_UNKNOWN = ActionInfo(Idempotency.NONE)
_INFOS = dict.fromkeys(READS, _READ) | {"PUT": _REPEATABLE, "DELETE": _REPEATABLE}


class HttpTarget:
    """Outgoing HTTP behind the port of connectors.

    Args:
        settings: Limits and permissions.
        rewrite: Maps the address of each request to the one that is called, for tests that stand in for a
            host on the internet; the `Host` header keeps the original.
        resolver: Resolves names, its answers are judged; the system's when None.

    Raises:
        DefinitionError: A setting is not usable.
    """

    def __init__(
        self,
        settings: HttpSettings = DEFAULTS,
        *,
        rewrite: Callable[[URL], URL] | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._settings = settings
        self._rewrite = rewrite
        self._guard = EgressGuard(settings.allow_private_hosts)
        self._resolver = resolver
        self._exchange: Exchange | None = None

    def describe(self, invocation: Invocation) -> ActionInfo | None:
        """See `ports.connectors.Connectors`; the method decides (RFC 9110: Idempotent Methods)."""
        return _INFOS.get(invocation.arguments.get("method"), _UNKNOWN)

    def perform(self, attempt: Attempt) -> Coroutine[Any, Any, AttemptResult]:
        """See `ports.connectors.Connectors`."""
        exchange = self._exchange
        return self._perform_first(attempt) if exchange is None else exchange.perform(attempt)

    async def confirm(self, attempt: Attempt) -> AttemptResult | None:
        """Nothing tells whether the effect of a plain request exists."""
        return None

    async def close(self) -> None:
        """Close all connections."""
        if self._exchange is not None:
            await self._exchange.close()

    async def _perform_first(self, attempt: Attempt) -> AttemptResult:
        made_by = _exchange_class() if "aiohttp" in sys.modules else await asyncio.to_thread(_exchange_class)
        # Several first calls may have waited for the import: they share one session all the same.
        if self._exchange is None:
            self._exchange = made_by(self._settings, self._guard, self._rewrite, self._resolver)
        return await self._exchange.perform(attempt)


def _exchange_class() -> type[Exchange]:
    from counterpoint.connectors.http.exchange import Exchange

    return Exchange
