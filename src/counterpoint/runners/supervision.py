"""One worker process as the engine sees it: started, asked, ended."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import msgspec

from counterpoint.errors import EngineError
from counterpoint.runners.jq_process import READY, REPLY, REQUEST

_MAIN = Path(__file__).with_name("jq_process.py")


class Limits(msgspec.Struct, frozen=True):
    """What one program may use.

    Attributes:
        timeout_s: Wall-clock time, in seconds.
        memory_bytes: Address space of the process.
        max_input: Longest input with variables, in bytes of JSON.
        max_output: Longest result, in bytes of JSON.
        start_timeout_s: Time until a new process must be ready, in seconds.
    """

    timeout_s: float = 1.0
    memory_bytes: int = 512 * 1024 * 1024
    max_input: int = 4 * 1024 * 1024
    max_output: int = 1024 * 1024
    start_timeout_s: float = 20.0


class WorkerGone(Exception):
    """The process ended before it answered.

    Attributes:
        signal: Number of the signal that ended it; 0 when it was none.
    """

    def __init__(self, returncode: int | None) -> None:
        self.signal = -returncode if returncode is not None and returncode < 0 else 0
        super().__init__(f"the worker process ended with {returncode}")


class JqChild:
    """A running worker process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Identifier of the process."""
        return self._process.pid

    @classmethod
    async def start(cls, limits: Limits) -> JqChild:
        """A process that is ready for requests.

        Raises:
            EngineError: It could not be started, or ended at once.
        """
        spec = find_spec("jq")
        if spec is None or spec.origin is None:
            raise EngineError("the expression worker could not start: the package `jq` is not installed")
        cpu_s = int(limits.timeout_s) + 1
        numbers = (str(limits.memory_bytes), str(limits.max_output), str(cpu_s))
        # -I and -S: no user settings, no site packages; an empty environment has nothing to leak.
        command = (sys.executable, "-I", "-S", "-B", str(_MAIN), spec.origin, *numbers)
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}, cwd="/", start_new_session=True
            )
        except OSError as error:
            raise EngineError(f"the expression worker could not start: {error.strerror}") from error
        child = cls(process)
        try:
            async with asyncio.timeout(limits.start_timeout_s):
                await child._read(len(READY))
        except (TimeoutError, WorkerGone) as error:
            await child.end()
            raise EngineError("the expression worker could not start: its process ended at once") from error
        except BaseException:
            await child.end()
            raise
        return child

    async def ask(self, program: str, value: bytes) -> tuple[bytes, bytes]:
        """Kind and body of the reply to one request.

        Raises:
            WorkerGone: The process ended before it answered.
        """
        assert self._process.stdin is not None
        text = program.encode()
        try:
            self._process.stdin.write(REQUEST.pack(len(text), len(value)) + text + value)
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise WorkerGone(await self._process.wait()) from None
        kind, size = REPLY.unpack(await self._read(REPLY.size))
        return kind, await self._read(size)

    async def _read(self, size: int) -> bytes:
        assert self._process.stdout is not None
        try:
            return await self._process.stdout.readexactly(size)
        except asyncio.IncompleteReadError:
            raise WorkerGone(await self._process.wait()) from None

    async def end(self) -> None:
        """Kill the process, if it still runs, and wait until it is gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()
