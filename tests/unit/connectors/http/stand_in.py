"""A server on loopback that records what arrives, byte for byte, and answers as told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult

from counterpoint.core.values import encode_json


class Seen(msgspec.Struct):
    """One request as it came over the wire."""

    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        """Request line."""
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        """Headers by lower-case name."""
        lines = self.head.decode("utf-8").split("\r\n")[1:]
        return {
            name.lower(): value.strip(" \t") for name, _, value in (line.partition(":") for line in lines)
        }


Answer = bytes | None
"""Bytes to send; None closes the connection without an answer."""


def answer(status: int = 200, body: bytes = b"", *headers: str) -> bytes:
    """An HTTP response."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def json_answer(value: object, status: int = 200, *headers: str) -> bytes:
    """A JSON response."""
    return answer(status, encode_json(value), "Content-Type: application/json", *headers)


class StandIn:
    """The server; `reply` decides on each request."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self.reply: Callable[[Seen], Answer] = lambda seen: answer()
        self.hold: asyncio.Event | None = None
        self.arrived = asyncio.Event()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Root address."""
        return f"http://127.0.0.1:{self.port}"

    def answers(self, *replies: Answer) -> None:
        """Give these replies in order; the last one again and again."""
        queue = list(replies)
        self.reply = lambda seen: queue.pop(0) if len(queue) > 1 else queue[0]

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
                seen = Seen(head, b"")
                seen.body = await reader.readexactly(int(seen.headers.get("content-length", 0)))
                self.seen.append(seen)
                self.arrived.set()
                if self.hold is not None:
                    await self.hold.wait()
                reply = self.reply(seen)
                if reply is None:
                    break
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


class Loopback(AbstractResolver):
    """Resolves every name to this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The loopback address."""
        loopback = ResolveResult(
            hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0
        )
        return [loopback]

    async def close(self) -> None:
        """Nothing to release."""
