"""Sessions: finding the owner, becoming it, waiting for one that starts, outliving one that ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from counterpoint.app import Ports, build_operations
from counterpoint.cli.frames import SOCKET_NAME, listen_at
from counterpoint.cli.owner import Owner
from counterpoint.cli.session import REPEATABLE, Link, Session
from counterpoint.cli.socket_client import SocketClient
from counterpoint.cli.socket_server import SocketServer, actor_of_uid
from counterpoint.errors import LockLostError, NotAuthenticated, NotFound
from counterpoint.settings import Settings
from tests.unit.cli.scripted import ScriptedOperations, ScriptedProduct

ME = actor_of_uid(os.geteuid())


class Directory:
    """A data directory with a lock, and how often it was opened."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data=folder)
        self.operations = ScriptedOperations({"runs.wait": "done", "runs.start": "started"})
        self.is_locked = False
        self.attempts = 0
        self.refused_twice = asyncio.Event()
        self.product: ScriptedProduct | None = None

    async def open_product(self, settings: Settings, serve: bool) -> ScriptedProduct:
        self.attempts += 1
        if self.is_locked:
            if self.attempts == 2:
                self.refused_twice.set()
            raise LockLostError("process 4711 owns it")
        self.product = ScriptedProduct(self.operations)
        return self.product

    async def become(self, settings: Settings, token: str) -> Link:
        return await Owner.open(settings, token, opener=self.open_product)

    def session(self, token: str = "", patience_s: float = 5.0) -> Session:
        return Session(self.settings, token, self.become, patience_s)

    @asynccontextmanager
    async def owned_elsewhere(self) -> AsyncIterator[SocketServer]:
        server = SocketServer(self.operations, self.operations.authenticate, lambda bug: "ref-1")
        await server.start(listen_at(self.settings.data))
        self.is_locked = True
        try:
            yield server
        finally:
            await server.close()
            self.is_locked = False


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory(tmp_path)


async def test_without_an_owner_the_session_becomes_one_and_cleans_up(directory: Directory) -> None:
    async with directory.session() as session:
        assert session.is_owner
        assert await session.call("runs.wait", {"id": "a"}) == "done"
        assert (directory.settings.data / SOCKET_NAME).exists()
    assert directory.operations.asked == [("runs.wait", {"id": "a"}, ME)]
    assert directory.product is not None
    assert directory.product.is_closed
    assert not (directory.settings.data / SOCKET_NAME).exists()


async def test_an_owner_for_a_while_serves_other_commands_meanwhile(directory: Directory) -> None:
    async with directory.session():
        directory.is_locked = True
        async with directory.session() as other:
            assert not other.is_owner
            assert await other.call("runs.wait", {}) == "done"
    assert directory.attempts == 1


async def test_with_an_owner_the_session_goes_through_its_socket(directory: Directory) -> None:
    async with directory.owned_elsewhere(), directory.session("good") as session:
        assert not session.is_owner
        assert await session.call("runs.wait", {}) == "done"
    assert directory.attempts == 0
    assert directory.operations.asked[0][2] == "robot"


async def test_a_wrong_token_is_refused_on_both_ways_and_leaves_nothing_open(directory: Directory) -> None:
    with pytest.raises(NotAuthenticated):
        async with directory.session("bad"):
            pass
    assert directory.product is not None
    assert directory.product.is_closed
    async with directory.owned_elsewhere():
        with pytest.raises(NotAuthenticated):
            async with directory.session("bad"):
                pass


async def test_an_owner_that_is_starting_is_waited_for(directory: Directory) -> None:
    directory.is_locked = True
    opening = asyncio.create_task(directory.session().__aenter__())
    await directory.refused_twice.wait()
    async with directory.owned_elsewhere():
        session = await opening
        assert not session.is_owner
        await session.__aexit__(None, None, None)


async def test_a_lock_without_an_answer_is_given_up_with_the_reason(directory: Directory) -> None:
    directory.is_locked = True
    with pytest.raises(LockLostError, match="process 4711 owns it"):
        async with directory.session(patience_s=0):
            pass


async def test_a_question_outlives_the_owner_that_was_asked(directory: Directory) -> None:
    directory.operations.answers["runs.wait"] = "hang"
    async with directory.owned_elsewhere():
        session = await directory.session().__aenter__()
        question = asyncio.create_task(session.call("runs.wait", {}))
        await directory.operations.entered.wait()
    directory.operations.answers["runs.wait"] = "answered by the next"
    assert await question == "answered by the next"
    assert session.is_owner
    await session.__aexit__(None, None, None)


async def test_a_stream_outlives_its_owner_too(directory: Directory) -> None:
    directory.operations.streams["runs.watch"] = [1, "hang"]
    async with directory.owned_elsewhere():
        session = await directory.session().__aenter__()
        stream = session.stream("runs.watch", {})
        assert await anext(stream) == 1
    directory.operations.streams["runs.watch"] = [2]
    assert [item async for item in stream] == [2]
    await session.__aexit__(None, None, None)


async def test_a_change_is_never_repeated_but_told_as_unknown(directory: Directory) -> None:
    released = asyncio.Event()

    class DyingClient:
        """Stands for the network between the owner and us: the owner is gone before the answer."""

        actor, is_local = ME, False

        async def call(self, name: str, params: dict[str, Any]) -> Any:
            released.set()
            raise LockLostError("The owner ended.")

        async def close(self) -> None:
            pass

    session = await directory.session().__aenter__()
    own = session._link
    session._link = DyingClient()  # type: ignore[assignment]
    with pytest.raises(LockLostError, match="whether it was done is unknown"):
        await session.call("runs.start", {})
    assert released.is_set()
    assert directory.operations.asked == []
    session._link = own
    await session.__aexit__(None, None, None)


async def test_two_requests_that_lose_their_owner_find_the_next_one_once(directory: Directory) -> None:
    directory.operations.answers["runs.wait"] = "hang"
    async with directory.owned_elsewhere():
        session = await directory.session().__aenter__()
        questions = [asyncio.create_task(session.call("runs.wait", {"n": n})) for n in range(3)]
        await directory.operations.asked_thrice.wait()
    directory.operations.answers["runs.wait"] = "ok"
    assert await asyncio.gather(*questions) == ["ok"] * 3
    assert directory.attempts == 1
    await session.__aexit__(None, None, None)


async def test_an_error_of_the_operation_is_no_loss_of_the_owner(directory: Directory) -> None:
    directory.operations.answers["runs.show"] = NotFound("no run")
    async with directory.session() as session:
        with pytest.raises(NotFound):
            await session.call("runs.show", {})
        with pytest.raises(NotFound):
            await session.call("unknown", {})


async def test_an_owner_that_loses_its_own_lock_says_so_at_once(directory: Directory) -> None:
    directory.operations.answers["runs.list"] = LockLostError("fenced off")
    async with directory.session() as session:
        with pytest.raises(LockLostError, match="fenced off"):
            await session.call("runs.list", {})


async def test_a_product_that_cannot_listen_is_closed_again(directory: Directory) -> None:
    (directory.settings.data / SOCKET_NAME).write_text("in the way")
    with pytest.raises(Exception, match="in the way"):
        await directory.become(directory.settings, "")
    assert directory.product is not None
    assert directory.product.is_closed


def test_exactly_the_operations_that_change_nothing_are_repeated() -> None:
    table = build_operations(Ports(*[None] * 8))._table
    assert {name for name, operation in table.items() if not operation.is_change} == REPEATABLE


async def test_the_client_of_a_silent_owner_does_not_wait_for_ever(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("counterpoint.cli.socket_client.GREETING_TIMEOUT_S", 0.01)
    listener = listen_at(directory.settings.data)
    with pytest.raises(LockLostError, match="does not answer"):
        await SocketClient.connect(directory.settings.data)
    listener.close()
