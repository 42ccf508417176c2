"""Being the owner of a data directory: the opened product, and the socket through which others use it."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from counterpoint.cli.bugs import record_bug
from counterpoint.cli.frames import SOCKET_NAME, listen_at
from counterpoint.cli.socket_server import SocketServer, actor_of_uid
from counterpoint.core.values import JsonValue
from counterpoint.settings import Settings


class Operations(Protocol):
    """The product's operations, as the socket and the commands use them."""

    async def call(self, name: str, params: dict[str, Any], actor: str) -> JsonValue:
        """Result of one operation."""
        ...

    def stream(self, name: str, params: dict[str, Any], actor: str) -> AsyncIterator[JsonValue]:
        """Items of a streaming operation."""
        ...


class Product(Protocol):
    """The opened product."""

    @property
    def operations(self) -> Operations:
        """What it can do."""
        ...

    async def authenticate(self, token: str) -> str:
        """Actor of a token.

        Raises:
            NotAuthenticated: No enabled actor has it.
        """
        ...

    async def close(self) -> None:
        """Let commits end and release the data directory."""
        ...


Opener = Callable[[Settings, bool], Awaitable[Product]]
"""Opens the product; the flag says whether to stay and work, or to answer one command."""


async def open_real_product(settings: Settings, serve: bool) -> Product:
    """The product as the settings describe it.

    Raises:
        LockLostError: Another process owns the data directory.
    """
    # Imported here: it brings every adapter along, and a command that finds an owner needs none of them.
    from counterpoint.wiring import open_product

    return await open_product(settings, serve=serve)


class Owner:
    """The owner of a data directory within this process; made by `open`.

    Attributes:
        actor: Who this process acts for.
    """

    is_local = True

    def __init__(self, product: Product, server: SocketServer, folder: Path, actor: str) -> None:
        self.actor = actor
        self._product = product
        self._server = server
        self._folder = folder

    @classmethod
    async def open(
        cls, settings: Settings, token: str = "", *, serve: bool = False, opener: Opener = open_real_product
    ) -> Owner:
        """Take the directory, open the product and listen.

        Args:
            settings: Where the directory is, and all else.
            token: Token of a local actor; empty for the operating-system user.
            serve: Whether to stay and work, or to answer one command.
            opener: Opens the product.

        Raises:
            LockLostError: Another process owns the directory.
            NotAuthenticated: The token is not known.
        """
        product = await opener(settings, serve)
        try:
            actor = await product.authenticate(token) if token else actor_of_uid(os.geteuid())
            record = partial(record_bug, folder=settings.data)
            server = SocketServer(product.operations, product.authenticate, record)
            await server.start(listen_at(settings.data))
        except BaseException:
            await product.close()
            raise
        return cls(product, server, settings.data, actor)

    async def call(self, name: str, params: dict[str, Any]) -> JsonValue:
        """Result of an operation."""
        return await self._product.operations.call(name, params, self.actor)

    async def stream(self, name: str, params: dict[str, Any]) -> AsyncGenerator[JsonValue, None]:
        """Items of a streaming operation."""
        async for item in self._product.operations.stream(name, params, self.actor):
            yield item

    async def close(self) -> None:
        """Hang up on all clients, then close the product; runs go on with the next owner."""
        # The name first and the lock last: whoever finds no socket waits for the lock, and no later owner
        # loses a socket of its own to this unlink.
        with suppress(FileNotFoundError):
            (self._folder / SOCKET_NAME).unlink()
        await self._server.close()
        await self._product.close()
