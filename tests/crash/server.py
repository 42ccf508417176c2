"""A real server as a process of its own, which fail-points and tests kill, and a client of it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from counterpoint.cli.socket_client import OwnerAbsent, SocketClient
from counterpoint.errors import LockLostError
from counterpoint.testing.failpoints import VARIABLE

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


class Server:
    """One life of the server.

    Attributes:
        log: What it wrote to its log, the last lines.
    """

    def __init__(self, data: Path, failpoint: str = "") -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OUTSIDE_LOG": str(data.parent / "outside.log"),
            "COUNTERPOINT_CONNECTORS_MODULES": str(HERE / "outside.py"),
            VARIABLE: failpoint,
        }
        self.log: list[str] = []
        self._data = data
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._is_ready = self._has_ended = False
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "serve.py"), "--data", str(data), "serve", "--json"],
            env=environment,
            cwd=data.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    async def client(self) -> SocketClient | None:
        """A connection once the server is ready; None when it died before."""
        while not self._is_ready and not self._has_ended:
            self._changed.clear()
            await self._changed.wait()
        if not self._is_ready:
            return None
        try:
            return await SocketClient.connect(self._data)
        except (OwnerAbsent, LockLostError):
            return None

    def kill(self) -> None:
        """SIGKILL, if it still lives."""
        self._process.kill()

    async def end(self) -> int:
        """How it ended: the negative number of the signal that killed it."""
        while not self._has_ended:
            self._changed.clear()
            await self._changed.wait()
        self._reader.join()
        return self._process.wait()

    async def stop(self) -> int:
        """SIGTERM, and how it ended."""
        self._process.terminate()
        return await self.end()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.log = [*self.log[-30:], line]
            if '"ready"' in line and json.loads(line).get("event") == "ready":
                self._is_ready = True
                self._loop.call_soon_threadsafe(self._changed.set)
        self._process.stderr.close()
        self._process.wait()
        self._has_ended = True
        self._loop.call_soon_threadsafe(self._changed.set)


async def call(client: SocketClient, name: str, **params: Any) -> Any:
    """Result of an operation."""
    return await client.call(name, params)
