"""The owner's socket: all other commands reach the engine through it.

Each connection has its own task and its own queue in the kernel; a slow, broken or hostile client costs its
own connection and nothing else. Frames, requests in flight and connections are bounded. A client that goes
away ends its streams and waits; a change that it had asked for is finished, because half a change is worse
than an unread answer.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any, Protocol

import msgspec

from counterpoint import __version__
from counterpoint.cli.frames import (
    FRAME_TIMEOUT_S,
    GREETING_TIMEOUT_S,
    PROTOCOL,
    Greeting,
    Request,
    encode_frame,
    read_frame,
    send_frame,
)
from counterpoint.cli.problems import internal_problem, problem_of
from counterpoint.core.values import JsonValue
from counterpoint.errors import Conflict, CounterpointError, InvalidRequest, LimitExceeded, NotAuthenticated
from counterpoint.ports.logs import Log

MAX_CONNECTIONS = 256
"""Clients at once."""

MAX_IN_FLIGHT = 1024
"""Requests of one connection that may be under way."""

CLOSE_TIMEOUT_S = 5.0
"""Time that requests under way get to end when the owner stops."""

WAITS = frozenset({"runs.wait"})
"""Calls that change nothing and may take for ever: they end with their client."""

_log = Log("counterpoint.socket")


class OperationTable(Protocol):
    """What the socket offers: the product's operations."""

    async def call(self, name: str, params: dict[str, Any], actor: str) -> JsonValue:
        """Result of one operation."""
        ...

    def stream(self, name: str, params: dict[str, Any], actor: str) -> AsyncIterator[JsonValue]:
        """Items of a streaming operation."""
        ...


class PeerRefused(Exception):
    """Private signal: the process at the other end may not connect."""


def actor_of_uid(uid: int) -> str:
    """Actor of an operating-system user: `os:NAME`, or `os:uid-N` without a name."""
    try:
        return f"os:{pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"os:uid-{uid}"


def actor_of_peer(connection: socket.socket) -> str:
    """Actor of the process at the other end: the owner's own user or root.

    Raises:
        PeerRefused: It is someone else, or the system does not tell.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        # Without the option the file's mode (600) is the check: only the same user could connect.
        return actor_of_uid(os.geteuid())
    raw = connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", raw)
    if uid not in (0, os.geteuid()):
        raise PeerRefused(f"user {uid} does not own this data directory")
    return actor_of_uid(uid)


class SocketServer:
    """Serves operations on a listening Unix socket.

    Args:
        operations: What is offered.
        authenticate: Gives the actor of a token; raises `NotAuthenticated`.
        record_bug: Keeps what is known of an unexpected exception; gives its reference.
        peer_actor: Gives the actor of a connected process; raises `PeerRefused`.
    """

    def __init__(
        self,
        operations: OperationTable,
        authenticate: Callable[[str], Awaitable[str]],
        record_bug: Callable[[BaseException], str],
        peer_actor: Callable[[socket.socket], str] = actor_of_peer,
    ) -> None:
        self._operations = operations
        self._record_bug = record_bug
        self._authenticate = authenticate
        self._peer_actor = peer_actor
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, listener: socket.socket) -> None:
        """Accept clients from now on."""
        self._server = await asyncio.start_unix_server(self._accepted, sock=listener)

    async def close(self) -> None:
        """Accept nobody, let changes under way end, then hang up."""
        if self._server is None:
            return
        self._server.close()
        connections = list(self._connections)
        for task in connections:
            task.cancel()
        if connections:
            await asyncio.wait(connections, timeout=CLOSE_TIMEOUT_S + FRAME_TIMEOUT_S)
        self._server = None

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, TimeoutError) as error:
            _log.debug("client left", reason=type(error).__name__)
        except asyncio.CancelledError:
            # The owner stops; the loop's own bookkeeping would log a cancelled handler as an error.
            _log.debug("client hung up on")
        finally:
            self._connections.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if len(self._connections) > MAX_CONNECTIONS:
                message = f"The owner serves {MAX_CONNECTIONS} clients already."
                raise LimitExceeded(message, "Try again later.")
            async with asyncio.timeout(GREETING_TIMEOUT_S):
                actor = await self._greet(reader, writer)
            if actor is None:
                return
        except CounterpointError as error:
            await send_frame(writer, encode_frame({"error": problem_of(error)}))
            return
        connection = _Connection(self._operations, actor, writer, self._record_bug)
        try:
            with suppress(_ClientGone):
                await connection.run(reader)
        finally:
            await connection.end()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
        """Actor of the client after both have greeted; None when it left."""
        try:
            actor = self._peer_actor(writer.get_extra_info("socket"))
        except PeerRefused as refusal:
            _log.warning("client refused", reason=str(refusal))
            raise NotAuthenticated(
                "Another user owns this data directory.",
                "Run the command as its owner, or use your own with --data.",
            ) from refusal
        body = await read_frame(reader)
        if body is None:
            return None
        greeting = _decode(body, Greeting)
        if greeting.protocol != PROTOCOL:
            raise Conflict(
                f"The owner speaks protocol {PROTOCOL} (Counterpoint {__version__}), "
                f"the client protocol {greeting.protocol}.",
                "Use the same version of Counterpoint for both.",
            )
        if greeting.token:
            actor = await self._authenticate(greeting.token)
        await send_frame(writer, encode_frame({"protocol": PROTOCOL, "product": __version__, "actor": actor}))
        return actor


class _Connection:
    """The requests of one client."""

    def __init__(
        self,
        operations: OperationTable,
        actor: str,
        writer: asyncio.StreamWriter,
        record_bug: Callable[[BaseException], str],
    ) -> None:
        self._operations = operations
        self._record_bug = record_bug
        self._actor = actor
        self._writer = writer
        self._sending = asyncio.Lock()
        self._waits: set[asyncio.Task[None]] = set()
        self._changes: set[asyncio.Task[None]] = set()

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Take requests until the client leaves or breaks the protocol."""
        while True:
            try:
                body = await read_frame(reader)
                if body is None:
                    return
                request = _decode(body, Request)
            except CounterpointError as error:
                # Where the next frame begins is not known any more, so nothing else can be read.
                await self._send({"error": problem_of(error)})
                return
            if len(self._waits) + len(self._changes) >= MAX_IN_FLIGHT:
                refusal = LimitExceeded(
                    f"{MAX_IN_FLIGHT} requests of this connection are under way.", "Wait for answers."
                )
                await self._send({"id": request.id, "error": problem_of(refusal)})
                continue
            group = self._waits if request.stream or request.op in WAITS else self._changes
            task = asyncio.create_task(self._answer(request))
            group.add(task)
            task.add_done_callback(group.discard)

    async def end(self) -> None:
        """End streams and waits; let the rest finish for a while."""
        for task in list(self._waits):
            task.cancel()
        pending = [*self._waits, *self._changes]
        if pending:
            await asyncio.wait(pending, timeout=CLOSE_TIMEOUT_S)

    async def _answer(self, request: Request) -> None:
        """Answer one request; the boundary of a request, so that its failure stays its own."""
        try:
            if request.stream:
                items = self._operations.stream(request.op, request.params, self._actor)
                await self._pass_on(request.id, items)
            else:
                result = await self._operations.call(request.op, request.params, self._actor)
                await self._send({"id": request.id, "result": result})
        except _ClientGone:
            return
        except CounterpointError as error:
            await self._send_error(request.id, problem_of(error))
        except Exception as error:  # noqa: BLE001 - a bug in one request must not end the owner
            await self._send_error(request.id, internal_problem(self._record_bug(error)))

    async def _pass_on(self, number: int, items: AsyncIterator[JsonValue]) -> None:
        # A client that leaves must end the operation at once, not when its items are collected as garbage.
        async with aclosing(_closable(items)) as stream:
            async for item in stream:
                await self._send({"id": number, "item": item})
        await self._send({"id": number, "end": True})

    async def _send_error(self, number: int, problem: dict[str, JsonValue]) -> None:
        with suppress(_ClientGone):
            await self._send({"id": number, "error": problem})

    async def _send(self, message: dict[str, JsonValue]) -> None:
        frame = encode_frame(message)
        try:
            async with self._sending:
                await send_frame(self._writer, frame)
        except (ConnectionError, TimeoutError, RuntimeError) as error:
            # RuntimeError is how uvloop says that the transport is closed already.
            # It left, or does not read: hang up, so that its other requests end too.
            self._writer.transport.abort()
            raise _ClientGone from error


class _ClientGone(Exception):
    """Private signal: the client left or does not read."""


def _closable(items: AsyncIterator[JsonValue]) -> AsyncGenerator[JsonValue, None]:
    return items if isinstance(items, AsyncGenerator) else _as_generator(items)


async def _as_generator(items: AsyncIterator[JsonValue]) -> AsyncGenerator[JsonValue, None]:
    async for item in items:
        yield item


def _decode(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidRequest("The frame is no request of this protocol.", str(error)) from error
