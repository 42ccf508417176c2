"""The owner's socket with real Unix sockets: requests, streams, and clients that break every rule."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from counterpoint.cli import frames, socket_server
from counterpoint.cli.context import run_loop
from counterpoint.cli.frames import MAX_FRAME, SOCKET_NAME, encode_frame, listen_at
from counterpoint.cli.socket_client import OwnerAbsent, SocketClient
from counterpoint.cli.socket_server import PeerRefused, SocketServer, actor_of_peer, actor_of_uid
from counterpoint.errors import (
    Conflict,
    DefinitionError,
    EngineError,
    InvalidRequest,
    LimitExceeded,
    LockLostError,
    NotAuthenticated,
    NotFound,
    Problem,
    StorageError,
)
from tests.unit.cli.scripted import ScriptedOperations

ME = actor_of_uid(os.geteuid())
STRANGER = 65_534


@asynccontextmanager
async def serving(
    folder: Path, operations: ScriptedOperations, **options: Any
) -> AsyncIterator[list[BaseException]]:
    bugs: list[BaseException] = []

    def record(bug: BaseException) -> str:
        bugs.append(bug)
        return "ref-1"

    server = SocketServer(operations, operations.authenticate, record, **options)
    await server.start(listen_at(folder))
    try:
        yield bugs
    finally:
        await server.close()


@asynccontextmanager
async def connected(folder: Path, token: str = "") -> AsyncIterator[SocketClient]:
    client = await SocketClient.connect(folder, token)
    try:
        yield client
    finally:
        await client.close()


class RawClient:
    """A client that may send anything."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.writer.write(chunk)
        await self.writer.drain()

    async def receive(self) -> Any:
        head = await self.reader.readexactly(4)
        return json.loads(await self.reader.readexactly(int.from_bytes(head, "big")))

    async def is_hung_up_on(self) -> bool:
        with suppress(ConnectionError):
            return await self.reader.read() == b""
        return True


@asynccontextmanager
async def raw(folder: Path, greet: bool = True) -> AsyncIterator[RawClient]:
    client = RawClient(*await asyncio.open_unix_connection(str(folder / SOCKET_NAME)))
    try:
        if greet:
            await client.send(encode_frame({"protocol": 1}))
            assert (await client.receive())["protocol"] == 1
        yield client
    finally:
        client.writer.close()
        with suppress(ConnectionError):
            await client.writer.wait_closed()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


async def test_a_call_returns_the_operations_result_and_carries_the_operating_system_user(
    folder: Path,
) -> None:
    operations = ScriptedOperations({"runs.show": lambda params: {"seen": params}})
    async with serving(folder, operations), connected(folder) as client:
        assert await client.call("runs.show", {"run": "abc"}) == {"seen": {"run": "abc"}}
    assert operations.asked == [("runs.show", {"run": "abc"}, ME)]


async def test_a_token_makes_its_actor_the_caller(folder: Path) -> None:
    operations = ScriptedOperations({"op": 1})
    async with serving(folder, operations), connected(folder, "good") as client:
        assert client.actor == "robot"
        await client.call("op", {})
    assert operations.asked[0][2] == "robot"


async def test_a_wrong_token_is_refused_with_its_hint(folder: Path) -> None:
    async with serving(folder, ScriptedOperations()):
        with pytest.raises(NotAuthenticated, match="token") as refusal:
            await SocketClient.connect(folder, "bad")
    assert refusal.value.hint == "Ask for a new one."


async def test_another_user_is_refused_before_it_may_say_anything(folder: Path) -> None:
    def refuse(_: Any) -> str:
        raise PeerRefused("user 4711")

    operations = ScriptedOperations({"op": 1})
    async with serving(folder, operations, peer_actor=refuse):
        with pytest.raises(NotAuthenticated, match="Another user"):
            await SocketClient.connect(folder, "good")
    assert operations.asked == []


def test_the_kernel_tells_who_is_at_the_other_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert actor_of_peer(ours) == ME


def test_a_stranger_is_refused_on_the_kernels_word(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        # Root may act as somebody else for a moment: the kernel remembers who made the pair.
        os.seteuid(STRANGER)
        try:
            ours, theirs = socket.socketpair()
        finally:
            os.seteuid(0)
    else:
        ours, theirs = socket.socketpair()
        monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    with ours, theirs, pytest.raises(PeerRefused):
        actor_of_peer(ours)


@pytest.mark.parametrize(
    "error",
    [
        NotFound("no run", "Look."),
        Conflict("taken", "Wait."),
        InvalidRequest("bad", "Mend.", [Problem("/a", "is wrong")]),
        DefinitionError(
            [Problem("/do/0", "wrong", 3, 5, "right", "type"), Problem("/x", "odd", is_warning=True)]
        ),
        StorageError("disk full", is_full=True),
        LimitExceeded("too many", "Later."),
    ],
    ids=lambda error: error.code,
)
async def test_an_error_arrives_as_the_class_that_was_raised(folder: Path, error: Any) -> None:
    async with serving(folder, ScriptedOperations({"op": error})), connected(folder) as client:
        with pytest.raises(type(error)) as caught:
            await client.call("op", {})
    assert str(caught.value) == str(error)
    assert {k: v for k, v in vars(caught.value).items() if k != "args"} == vars(error)


async def test_a_bug_in_an_operation_is_told_by_reference_only_and_ends_nothing(folder: Path) -> None:
    operations = ScriptedOperations({"op": ZeroDivisionError("secret detail"), "fine": 1})
    async with serving(folder, operations) as bugs, connected(folder) as client:
        with pytest.raises(EngineError, match="ref-1") as caught:
            await client.call("op", {})
        assert await client.call("fine", {}) == 1
    assert "secret" not in str(caught.value)
    assert [type(bug) for bug in bugs] == [ZeroDivisionError]


async def test_calls_of_one_client_overlap(folder: Path) -> None:
    operations = ScriptedOperations({"quick": 1})
    async with serving(folder, operations), connected(folder) as client:
        slow = asyncio.create_task(client.call("hang", {}))
        await operations.entered.wait()
        assert await client.call("quick", {}) == 1
        operations.hang.set()
        assert await slow == "released"


async def test_a_stream_gives_its_items_and_then_ends(folder: Path) -> None:
    operations = ScriptedOperations(streams={"runs.watch": [1, {"two": 2}, None]})
    async with serving(folder, operations), connected(folder) as client:
        assert [item async for item in client.stream("runs.watch", {})] == [1, {"two": 2}, None]


async def test_an_error_in_a_stream_comes_after_the_items_before_it(folder: Path) -> None:
    operations = ScriptedOperations(streams={"s": [1, NotFound("gone")]})
    async with serving(folder, operations), connected(folder) as client:
        stream = client.stream("s", {})
        assert await anext(stream) == 1
        with pytest.raises(NotFound, match="gone"):
            await anext(stream)


async def test_a_client_that_leaves_ends_its_stream_in_the_owner(folder: Path) -> None:
    operations = ScriptedOperations(streams={"s": [1, "hang"]})
    async with serving(folder, operations), connected(folder) as client:
        stream = client.stream("s", {})
        assert await anext(stream) == 1
        await operations.entered.wait()
        await stream.aclose()
        await operations.ended.wait()


async def test_a_client_that_leaves_ends_its_wait_and_never_its_change(folder: Path) -> None:
    waiting = ScriptedOperations({"runs.wait": "hang"})
    async with serving(folder, waiting), raw(folder) as client:
        await client.send(encode_frame({"id": 1, "op": "runs.wait"}))
        await waiting.entered.wait()
        client.writer.close()
        await waiting.ended.wait()
    changing = ScriptedOperations({"runs.start": "hang"})
    async with serving(folder, changing):
        async with raw(folder) as client:
            await client.send(encode_frame({"id": 1, "op": "runs.start"}))
            await changing.entered.wait()
        async with connected(folder) as other:
            with pytest.raises(NotFound):
                await other.call("probe", {})
        assert not changing.ended.is_set()
        changing.hang.set()
        await changing.ended.wait()


BAD_FRAMES: dict[str, bytes] = {
    "no JSON": b"\x00\x00\x00\x05hello",
    "no object": b"\x00\x00\x00\x02[]",
    "an empty frame": b"\x00\x00\x00\x00",
    "no id": encode_frame({"op": "x"}),
    "an unknown member": encode_frame({"id": 1, "op": "x", "sudo": True}),
    "parameters that are no object": encode_frame({"id": 1, "op": "x", "params": [1]}),
    "an id that is no number": encode_frame({"id": "one", "op": "x"}),
    "bytes that are no text": b"\x00\x00\x00\x04\xff\xfe\xfd\xfc",
    "hostile nesting": (200_000).to_bytes(4, "big") + b"[" * 200_000,
    "a length beyond the limit": (MAX_FRAME + 1).to_bytes(4, "big"),
    "the longest length that can be said": b"\xff\xff\xff\xff",
}


@pytest.mark.parametrize("frame", BAD_FRAMES.values(), ids=list(BAD_FRAMES))
async def test_a_bad_frame_costs_its_sender_the_connection_and_nobody_else(
    folder: Path, frame: bytes
) -> None:
    async with serving(folder, ScriptedOperations({"op": 1})) as bugs, connected(folder) as other:
        assert await other.call("op", {}) == 1
        async with raw(folder) as client:
            await client.send(frame)
            answer = await client.receive()
            assert answer["error"]["code"] in {"invalidRequest", "limitExceeded"}
            assert "id" not in answer
            assert await client.is_hung_up_on()
        assert await other.call("op", {}) == 1
    assert bugs == []


@pytest.mark.parametrize(
    "greeting", [b"\x00\x00\x00\x02{}", b"\x00\x00\x00\x02[]", b"GET / HTTP/1.1\r\n\r\n"]
)
async def test_a_greeting_of_another_protocol_is_refused(folder: Path, greeting: bytes) -> None:
    async with serving(folder, ScriptedOperations()), raw(folder, greet=False) as client:
        await client.send(greeting)
        assert (await client.receive())["error"]["code"] in {"invalidRequest", "limitExceeded"}
        assert await client.is_hung_up_on()


async def test_another_version_of_the_protocol_is_refused_by_name(folder: Path) -> None:
    async with serving(folder, ScriptedOperations()), raw(folder, greet=False) as client:
        await client.send(encode_frame({"protocol": 99}))
        error = (await client.receive())["error"]
    assert error["code"] == "conflict"
    assert "99" in error["detail"]


@pytest.mark.parametrize("cut", [b"", b"\x00\x00", b'\x00\x00\x00\x09{"id"'])
async def test_a_client_that_stops_in_the_middle_of_a_frame_is_forgotten(folder: Path, cut: bytes) -> None:
    async with serving(folder, ScriptedOperations({"op": 1})) as bugs:
        async with raw(folder) as client:
            await client.send(cut)
        async with connected(folder) as other:
            assert await other.call("op", {}) == 1
    assert bugs == []


async def test_an_answer_beyond_the_limit_becomes_an_error_of_its_request(folder: Path) -> None:
    operations = ScriptedOperations({"big": "x" * (MAX_FRAME + 1), "odd": {1, 2}, "small": 1})
    async with serving(folder, operations), connected(folder) as client:
        with pytest.raises(LimitExceeded, match="bytes"):
            await client.call("big", {})
        assert await client.call("small", {}) == 1


async def test_a_request_beyond_the_limit_is_refused_before_it_is_sent(folder: Path) -> None:
    async with serving(folder, ScriptedOperations({"op": 1})), connected(folder) as client:
        with pytest.raises(LimitExceeded):
            await client.call("op", {"input": "x" * MAX_FRAME})
        assert await client.call("op", {}) == 1


async def test_a_client_that_never_reads_is_hung_up_on_while_others_are_served(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "FRAME_TIMEOUT_S", 0.05)
    operations = ScriptedOperations({"op": 1}, {"flood": ["x" * 1_000_000] * 100})
    async with serving(folder, operations), raw(folder) as deaf:
        await deaf.send(encode_frame({"id": 1, "op": "flood", "stream": True}))
        async with connected(folder) as other:
            assert await other.call("op", {}) == 1
        await operations.ended.wait()


async def test_requests_in_flight_are_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_server, "MAX_IN_FLIGHT", 2)
    operations = ScriptedOperations()
    async with serving(folder, operations), connected(folder) as client:
        hanging = [asyncio.create_task(client.call("hang", {})) for _ in range(2)]
        await operations.entered.wait()
        with pytest.raises(LimitExceeded, match="under way"):
            await client.call("probe", {})
        operations.hang.set()
        assert await asyncio.gather(*hanging) == ["released", "released"]
        with pytest.raises(NotFound):
            await client.call("probe", {})


async def test_connections_are_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_server, "MAX_CONNECTIONS", 1)
    async with serving(folder, ScriptedOperations()), connected(folder):
        with pytest.raises(LimitExceeded, match="serves 1 clients"):
            await SocketClient.connect(folder)


async def test_when_the_owner_stops_its_clients_are_told(folder: Path) -> None:
    operations = ScriptedOperations(streams={"s": [1, "hang"]})
    async with serving(folder, operations):
        client = await SocketClient.connect(folder)
        call = asyncio.create_task(client.call("runs.wait", {}))
        stream = client.stream("s", {})
        assert await anext(stream) == 1
    with pytest.raises((LockLostError, NotFound)):
        await call
    with pytest.raises(LockLostError):
        await anext(stream)
    with pytest.raises(LockLostError):
        await client.call("op", {})
    await client.close()


async def test_nobody_there_is_not_an_error_but_an_absence(folder: Path) -> None:
    with pytest.raises(OwnerAbsent):
        await SocketClient.connect(folder)
    listen_at(folder).close()
    with pytest.raises(OwnerAbsent):  # the file of a dead owner
        await SocketClient.connect(folder)


async def test_the_socket_is_for_its_owner_alone_and_replaces_a_dead_one(folder: Path) -> None:
    listen_at(folder).close()
    async with serving(folder, ScriptedOperations({"op": 1})):
        mode = (folder / SOCKET_NAME).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
        async with connected(folder) as client:
            assert await client.call("op", {}) == 1


def test_a_file_in_the_sockets_place_is_never_removed(folder: Path) -> None:
    (folder / SOCKET_NAME).write_text("precious")
    with pytest.raises(StorageError, match="in the way"):
        listen_at(folder)
    assert (folder / SOCKET_NAME).read_text() == "precious"


async def test_a_data_directory_with_a_very_long_path_has_a_socket_too(folder: Path) -> None:
    deep = folder / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    async with serving(deep, ScriptedOperations({"op": 1})), connected(deep) as client:
        assert await client.call("op", {}) == 1


def test_no_descriptor_is_left_open(folder: Path) -> None:
    async def visit() -> None:
        async with serving(folder, ScriptedOperations({"op": 1})), connected(folder) as client:
            await client.call("op", {})

    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    asyncio.run(visit())
    before = count()
    asyncio.run(visit())
    assert count() == before


def test_the_fast_loop_serves_and_checks_its_peers_too(folder: Path) -> None:
    async def visit() -> str:
        operations = ScriptedOperations({"op": 1}, {"s": [1, 2]})
        async with serving(folder, operations), connected(folder) as client:
            assert await client.call("op", {}) == 1
            assert [item async for item in client.stream("s", {})] == [1, 2]
            return client.actor

    assert run_loop(visit()) == ME
