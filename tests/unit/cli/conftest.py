"""An owner with scripted operations in a thread, which commands reach as they would any other."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterpoint.cli.frames import listen_at
from counterpoint.cli.main import run
from counterpoint.cli.socket_server import SocketServer
from tests.unit.cli.scripted import ScriptedOperations


class CommandLine:
    """Runs commands against scripted operations and keeps what they said."""

    def __init__(
        self, folder: Path, operations: ScriptedOperations, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.folder = folder
        self.operations = operations
        self.out = ""
        self.err = ""
        self._capture = capture

    def __call__(self, *arguments: str) -> int:
        code = run(["--data", str(self.folder), *arguments])
        self.out, self.err = self._capture.readouterr()
        assert "Traceback" not in self.out + self.err
        return code

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def operations() -> ScriptedOperations:
    return ScriptedOperations()


@pytest.fixture
def cli(
    tmp_path: Path,
    operations: ScriptedOperations,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[CommandLine]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COUNTERPOINT_DATA", raising=False)
    folder = tmp_path / "data"
    folder.mkdir()
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        server = SocketServer(operations, operations.authenticate, lambda bug: "ref-1")
        await server.start(listen_at(folder))
        ready.set()
        await stop.wait()
        await server.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield CommandLine(folder, operations, capsys)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
