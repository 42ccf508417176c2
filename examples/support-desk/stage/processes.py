"""The processes of the demonstration: the apps, and the engine that is killed and started again."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[1]
COMMAND = Path(sys.executable).parent / "counterpoint"

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10
PR_SET_PDEATHSIG = 1
"""`prctl`: the signal that a process gets when its parent dies (linux/prctl.h)."""


class Broken(Exception):
    """The demonstration cannot go on; the text says why."""


def _end_with_parent() -> None:
    """Ask the kernel to end this process when its parent dies, however that happens; Linux has this."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


async def stop(process: Process) -> None:
    """End a process that we started: politely, then for good."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class Apps:
    """The process of the apps.

    Args:
        folder: Where their database goes.
        seed: Seed of their failures.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._seed = seed
        self._process: Process | None = None
        self.base = ""

    async def start(self) -> None:
        """Start the apps and learn their address.

        Raises:
            Broken: They ended before they listened.
        """
        arguments = ["--database", str(self._folder / "apps.db"), "--seed", str(self._seed), "--with-parent"]
        with (self._folder / "apps.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "apps", *arguments),
                cwd=EXAMPLE,
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                start_new_session=True,
            )
        async with asyncio.timeout(START_TIMEOUT_S):
            line = await self._process.stdout.readline() if self._process.stdout else b""
        if not line:
            raise Broken(f"the apps did not start; see {self._folder / 'apps.log'}")
        self.base = f"http://127.0.0.1:{json.loads(line)['port']}"

    async def close(self) -> None:
        """End the apps."""
        if self._process is not None:
            await stop(self._process)


class Engine:
    """The process that owns the data directory.

    Attributes:
        data: The data directory.
        ready: Set while the engine takes commands.
    """

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.ready = asyncio.Event()
        self._log = folder / "engine.log"
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._is_killed = False

    @property
    def pid(self) -> int:
        """Process id, 0 when it does not run."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    async def start(self) -> int:
        """Start the engine; milliseconds until it took commands.

        Raises:
            Broken: It ended before it did.
        """
        began = time.monotonic()
        environment = {k: v for k, v in os.environ.items() if not k.startswith("COUNTERPOINT_")}
        self._is_killed = False
        self._process = await asyncio.create_subprocess_exec(
            *(COMMAND, "--data", str(self.data), "serve"),
            env={**environment, "COUNTERPOINT_LOG_FORMAT": "json"},
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
            preexec_fn=_end_with_parent,
            # In a session of its own, Ctrl-C reaches only the demonstration, which then ends all in order.
            start_new_session=True,
        )
        self._reading = asyncio.create_task(self._read_log(self._process))
        waiting = asyncio.create_task(self.ready.wait())
        async with asyncio.timeout(START_TIMEOUT_S):
            await asyncio.wait({waiting, self._reading}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not self.ready.is_set():
            raise Broken(f"the engine did not start; see {self._log}")
        return int((time.monotonic() - began) * 1000)

    async def kill(self) -> None:
        """Kill the engine in the middle of whatever it does."""
        self.ready.clear()
        self._is_killed = True
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        if self._reading is not None:
            await self._reading

    async def watch(self) -> None:
        """Return never, unless the engine ends although nobody killed it.

        Raises:
            Broken: It did.
        """
        while True:
            await self.ready.wait()
            process = self._process
            if process is None:
                return
            code = await process.wait()
            if not self._is_killed and process is self._process:
                raise Broken(f"the engine ended by itself with code {code}; see {self._log}")
            await asyncio.sleep(0)

    async def close(self) -> None:
        """End the engine in order."""
        self._is_killed = True
        if self._process is not None:
            await stop(self._process)
        if self._reading is not None:
            await self._reading

    async def _read_log(self, process: Process) -> None:
        with self._log.open("ab") as log:
            while process.stderr is not None and (line := await process.stderr.readline()):
                log.write(line)
                if b'"ready"' in line:
                    self.ready.set()
