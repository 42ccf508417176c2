"""A session with the engine: through its owner's socket, or as the owner for the command's duration.

Exactly one process owns a data directory. A command first looks for the owner's socket; with nobody there it
takes the lock, opens the product, and offers the socket itself, so that other commands work meanwhile.
Between the two lies a moment in which the lock is held and the socket is not there yet, or not any more: the
session tries again for a while. When the owner ends in the middle, what may be asked twice is asked again, of
the next owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Protocol, Self

from counterpoint.cli.socket_client import OwnerAbsent, SocketClient
from counterpoint.core.values import JsonValue
from counterpoint.errors import LockLostError
from counterpoint.settings import Settings

PATIENCE_S = 10.0
"""Time for which a session waits for an owner that is starting or ending."""

PAUSE_S = 0.1
MAX_OWNERS_LOST = 20
"""Owners that may end under one request before it gives up."""

REPEATABLE = frozenset(
    {
        "workflows.validate",
        "workflows.list",
        "workflows.show",
        "runs.wait",
        "runs.list",
        "runs.show",
        "runs.watch",
        "runs.explain",
        "runs.effects",
        "runs.history",
        "runs.verify",
        "runs.stuck",
        "actors.list",
        "audit.list",
        "doctor.run",
        "system.info",
    }
)
"""Operations that change nothing, so that asking again is safe."""


class Link(Protocol):
    """One way to the operations: an owner in this process or in another."""

    actor: str
    is_local: bool

    async def call(self, name: str, params: dict[str, Any]) -> JsonValue:
        """Result of an operation."""
        ...

    def stream(self, name: str, params: dict[str, Any]) -> AsyncGenerator[JsonValue, None]:
        """Items of a streaming operation."""
        ...

    async def close(self) -> None:
        """Give the way up."""
        ...


OwnerOpener = Callable[[Settings, str], Awaitable[Link]]
"""Makes this process the owner; raises `LockLostError` when there is one."""


async def become_owner(settings: Settings, token: str) -> Link:
    """This process as the owner for a while."""
    # Imported here: it brings the server along, and a command that finds an owner needs none of it.
    from counterpoint.cli.logs import configure_logs_when_needed
    from counterpoint.cli.owner import Owner

    configure_logs_when_needed("text", "critical")
    return await Owner.open(settings, token)


class Session:
    """The way to the operations for one command; use it with `async with`.

    Args:
        settings: Where the data directory is.
        token: Token of a local actor; empty for the operating-system user.
        become: Makes this process the owner.
        patience_s: Time for which to wait for an owner that is starting or ending.
    """

    def __init__(
        self,
        settings: Settings,
        token: str = "",
        become: OwnerOpener = become_owner,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._settings = settings
        self._token = token
        self._become = become
        self._patience_s = patience_s
        self._link: Link | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._link = await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._link is not None:
            await self._link.close()

    @property
    def is_owner(self) -> bool:
        """Whether this process owns the data directory now."""
        return self._link is not None and self._link.is_local

    async def call(self, name: str, params: dict[str, Any]) -> JsonValue:
        """Result of an operation.

        Raises:
            LockLostError: The owner ended and the operation may not be asked twice, or no owner stays.
            CounterpointError: The operation was refused; the class says why.
        """
        for _ in range(MAX_OWNERS_LOST):
            link = self._current()
            try:
                return await link.call(name, params)
            except LockLostError as error:
                await self._after_loss(link, name, error)
        raise LockLostError(f"The owner of {self._settings.data} ended again and again.")

    async def stream(self, name: str, params: dict[str, Any]) -> AsyncGenerator[JsonValue, None]:
        """Items of a streaming operation; begun anew when the owner ends, if that is safe.

        Raises:
            LockLostError: As for `call`.
            CounterpointError: The operation was refused; the class says why.
        """
        for _ in range(MAX_OWNERS_LOST):
            link = self._current()
            try:
                async with aclosing(link.stream(name, params)) as items:
                    async for item in items:
                        yield item
                return
            except LockLostError as error:
                await self._after_loss(link, name, error)
        raise LockLostError(f"The owner of {self._settings.data} ended again and again.")

    def _current(self) -> Link:
        if self._link is None:
            raise LockLostError("The session is not open.")
        return self._link

    async def _after_loss(self, lost: Link, name: str, error: LockLostError) -> None:
        if lost.is_local:
            raise error
        if name not in REPEATABLE:
            raise LockLostError(
                f"The owner of the data directory ended during {name}; whether it was done is unknown. "
                "Look with `counterpoint runs list` or `counterpoint audit list`, then ask again if needed."
            ) from error
        async with self._opening:
            # Another request of this session may have found the next owner already.
            if self._link is lost:
                await lost.close()
                self._link = await self._open()

    async def _open(self) -> Link:
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience_s
        while True:
            try:
                return await SocketClient.connect(self._settings.data, self._token)
            except OwnerAbsent:
                pass
            except LockLostError as error:
                self._give_up_after(deadline - clock(), error)
            try:
                return await self._become(self._settings, self._token)
            except LockLostError as error:
                self._give_up_after(deadline - clock(), error)
            await asyncio.sleep(PAUSE_S)

    def _give_up_after(self, left_s: float, error: LockLostError) -> None:
        if left_s <= 0:
            raise LockLostError(
                f"{self._settings.data} belongs to another process that did not answer "
                f"for {self._patience_s:g} s. Stop that process or wait for it. ({error})"
            ) from error
