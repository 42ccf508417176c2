"""Resolves names for the HTTP client; every answer is judged before a connection is made."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from counterpoint.connectors.http.guard import EgressGuard


class GuardedResolver(AbstractResolver):
    """Resolves names and refuses an answer that holds any forbidden address."""

    def __init__(self, guard: EgressGuard, resolver: AbstractResolver | None = None) -> None:
        self._guard = guard
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of a host, all of them judged."""
        found = await self._resolver.resolve(host, port, family)
        for result in found:
            self._guard.check_address(host, port, result["host"])
        return found

    async def close(self) -> None:
        """Release the resolver."""
        await self._resolver.close()
