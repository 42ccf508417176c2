"""Frames of the owner's socket: how requests and answers are written, with their limits.

A frame is four bytes of length, big-endian, and so many bytes of JSON, an object. A connection opens with a
greeting from the client, `{"protocol": 1, "token": "..."}`, and one from the owner, `{"protocol": 1,
"product": "0.1.0", "actor": "os:ada"}`. Then the client sends requests, `{"id": 7, "op": "runs.show",
"params": {...}, "stream": false}`, several at once if it likes; each is answered under its id, in any order:
by `result`, or for a stream by any number of `item` and one `end`; or by `error`, a JSON problem. An `error`
without an id ends the connection.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from counterpoint.core.values import JsonValue, is_too_deep
from counterpoint.errors import InvalidRequest, LimitExceeded, StorageError, Unsupported

PROTOCOL = 1
SOCKET_NAME = "counterpoint.sock"
MAX_FRAME = 16 * 1024 * 1024
"""Bytes of the longest frame, in both directions."""

FRAME_TIMEOUT_S = 30.0
"""Time in which a frame that has begun must be complete, in both directions."""

GREETING_TIMEOUT_S = 10.0
"""Time in which both sides must have greeted."""

FRAME_DEPTH = 160
"""Deepest nesting of a frame: a value of the core's limit inside the envelope and an answer's structure."""

_PATH_LIMIT = 100
"""Bytes that a socket's path may have everywhere (the kernel allows 107)."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request as the client sends it."""

    id: int
    op: str
    params: dict[str, Any] = {}
    stream: bool = False


class Greeting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """First frame of a client."""

    protocol: int
    token: str = ""


def encode_frame(message: dict[str, JsonValue]) -> bytes:
    """Bytes of a frame.

    Raises:
        LimitExceeded: It would be longer than a frame may be.
        InvalidRequest: The message is no JSON.
    """
    try:
        body = msgspec.json.encode(message)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest("The message cannot be written as JSON.", "Send JSON values only.") from error
    if len(body) > MAX_FRAME:
        raise LimitExceeded(
            f"The message has {len(body):,} bytes; one may have {MAX_FRAME:,}.",
            "Ask for less at once, for example with --limit, or pass a reference to the data.",
        )
    return len(body).to_bytes(4, "big") + body


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """Body of the next frame; None at the end of the stream, also in the middle of a frame.

    Raises:
        LimitExceeded: The frame is longer than one may be, or it nests too deep.
        TimeoutError: The frame began and did not end in time.
    """
    try:
        head = await reader.readexactly(4)
        length = int.from_bytes(head, "big")
        if length > MAX_FRAME:
            message = f"The frame has {length:,} bytes; one may have {MAX_FRAME:,}."
            raise LimitExceeded(message, "Send less at once.")
        async with asyncio.timeout(FRAME_TIMEOUT_S):
            body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    if _is_too_deep(body):
        raise LimitExceeded(f"The frame nests deeper than {FRAME_DEPTH} levels.", "Send flatter data.")
    return body


def _is_too_deep(body: bytes) -> bool:
    try:
        return is_too_deep(body, FRAME_DEPTH)
    except RecursionError:
        return True
    except msgspec.DecodeError:
        return False  # no JSON at all: the caller's decoding says so


async def send_frame(writer: asyncio.StreamWriter, frame: bytes) -> None:
    """Write a frame and wait until the other side keeps up.

    Raises:
        ConnectionError: The other side is gone.
        TimeoutError: It reads too slowly.
    """
    writer.write(frame)
    async with asyncio.timeout(FRAME_TIMEOUT_S):
        await writer.drain()


def listen_at(folder: Path) -> socket.socket:
    """A listening socket in the data directory, for its owner alone (mode 600).

    Only the holder of the directory's lock may call this: a socket file found there is a dead owner's and is
    removed.

    Raises:
        StorageError: Something else has the socket's name.
        Unsupported: The system has no Unix sockets.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise Unsupported("This system has no Unix sockets.", "Run the commands without a separate owner.")
    path = folder / SOCKET_NAME
    if os.path.lexists(path):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise StorageError(f"{path} is in the way of the owner's socket: it is no socket.")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old_mask = os.umask(0o177)
    try:
        with reachable_path(folder) as name:
            listener.bind(name)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(old_mask)
    listener.listen(128)
    listener.setblocking(False)
    return listener


@contextmanager
def reachable_path(folder: Path) -> Iterator[str]:
    """A name of the folder's socket that is short enough for the kernel.

    Raises:
        Unsupported: The path is too long and the system has no way around it.
    """
    path = str(folder / SOCKET_NAME)
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        yield path
        return
    if not Path("/proc/self/fd").is_dir():
        message = f"The path of the data directory is too long for a socket: {folder}"
        raise Unsupported(message, "Choose a shorter one with --data.")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET_NAME}"
    finally:
        os.close(descriptor)
