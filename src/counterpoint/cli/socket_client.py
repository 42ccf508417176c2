"""Client of the owner's socket; what every command and every local program talks through.

Calls share one connection and may overlap. Each stream has a connection of its own, so that its back-pressure
is the kernel's: a reader that is slow slows the owner's sending and no other call.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from counterpoint.cli.frames import (
    GREETING_TIMEOUT_S,
    PROTOCOL,
    encode_frame,
    reachable_path,
    read_frame,
    send_frame,
)
from counterpoint.cli.problems import error_from
from counterpoint.core.values import JsonValue
from counterpoint.errors import CounterpointError, LockLostError

GONE = "The owner of the data directory ended before it answered."


class OwnerAbsent(Exception):
    """Private signal: nobody listens in the data directory."""


class SocketClient:
    """A greeted connection to the owner; made by `connect`.

    Attributes:
        actor: Who the owner takes us for.
        product: Version of the owner.
    """

    is_local = False

    def __init__(
        self, folder: Path, token: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.actor = ""
        self.product = ""
        self._folder = folder
        self._token = token
        self._reader = reader
        self._writer = writer
        self._next_id = 0
        self._answers: dict[int, asyncio.Future[JsonValue]] = {}
        self._is_over = False
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, folder: Path, token: str = "") -> SocketClient:
        """A client of the owner of a data directory.

        Args:
            folder: Data directory.
            token: Token of a local actor; empty for the operating-system user.

        Raises:
            OwnerAbsent: Nobody listens there.
            LockLostError: The owner ended during the greeting.
            NotAuthenticated: The token or the user is not known.
            Conflict: The owner speaks another version of the protocol.
        """
        client = cls(folder, token, *await _open(folder))
        try:
            await client._greet()
        except BaseException:
            await client.close()
            raise
        return client

    async def call(self, name: str, params: dict[str, Any]) -> JsonValue:
        """Result of an operation.

        Raises:
            LockLostError: The owner ended before it answered; whether the operation happened is unknown.
            CounterpointError: The owner refused; the class says why.
        """
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_answers())
        number = self._number()
        frame = encode_frame({"id": number, "op": name, "params": params})
        if self._is_over:
            raise LockLostError(GONE)
        answer: asyncio.Future[JsonValue] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            await self._send(frame)
            return await answer
        finally:
            self._answers.pop(number, None)

    async def stream(self, name: str, params: dict[str, Any]) -> AsyncGenerator[JsonValue, None]:
        """Items of a streaming operation; close the generator to end it.

        Raises:
            LockLostError: The owner ended before the stream did.
            CounterpointError: The owner refused; the class says why.
        """
        client = await SocketClient.connect(self._folder, self._token)
        try:
            await client._send(encode_frame({"id": 1, "op": name, "params": params, "stream": True}))
            while True:
                message = await client._read()
                if "error" in message:
                    raise error_from(message["error"])
                if message.get("end"):
                    return
                yield message.get("item")
        finally:
            await client.close()

    async def close(self) -> None:
        """Hang up; calls under way fail."""
        self._is_over = True
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading
        self._fail_all(LockLostError("The connection to the owner was closed."))
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _greet(self) -> None:
        await self._send(encode_frame({"protocol": PROTOCOL, "token": self._token}))
        try:
            async with asyncio.timeout(GREETING_TIMEOUT_S):
                greeting = await self._read()
        except TimeoutError as error:
            raise LockLostError("The owner of the data directory does not answer.") from error
        if "error" in greeting:
            raise error_from(greeting["error"])
        self.actor = str(greeting.get("actor", ""))
        self.product = str(greeting.get("product", ""))

    def _number(self) -> int:
        self._next_id += 1
        return self._next_id

    async def _send(self, frame: bytes) -> None:
        try:
            await send_frame(self._writer, frame)
        except (ConnectionError, TimeoutError) as error:
            raise LockLostError(GONE) from error

    async def _read(self) -> dict[str, Any]:
        try:
            body = await read_frame(self._reader)
        except TimeoutError as error:
            raise LockLostError(GONE) from error
        if body is None:
            raise LockLostError(GONE)
        try:
            return msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise LockLostError("The owner of the data directory sent no frame of the protocol.") from error

    async def _read_answers(self) -> None:
        """Hand each answer to who waits for it."""
        try:
            while True:
                message = await self._read()
                answer = self._answers.get(message.get("id", 0))
                if "error" in message and "id" not in message:
                    raise error_from(message["error"])
                if answer is None or answer.done():
                    continue  # its caller was cancelled
                if "error" in message:
                    answer.set_exception(error_from(message["error"]))
                else:
                    answer.set_result(message.get("result"))
        except CounterpointError as error:
            self._is_over = True
            self._fail_all(error)

    def _fail_all(self, error: CounterpointError) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(error)


async def _open(folder: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        with reachable_path(folder) as path:
            await asyncio.get_running_loop().sock_connect(connection, path)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        connection.close()
        raise OwnerAbsent from error
    except BaseException:
        connection.close()
        raise
    return await asyncio.open_unix_connection(sock=connection)
