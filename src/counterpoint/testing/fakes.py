"""Small stand-ins for ports, for tests of what stands on them; each keeps its contract in small."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from counterpoint.core.context import Invocation
from counterpoint.core.values import MICROS_PER_S, Instant, Scope
from counterpoint.errors import NotFound
from counterpoint.ports.connectors import ActionInfo, Attempt, AttemptResult, Verdict
from counterpoint.ports.engine import RunEvent, RunResult, Started, StartRun
from counterpoint.ports.history import HistoryEntry, Verification
from counterpoint.ports.maintenance import BackupProgress, Finding, SystemInfo


class ManualClock:
    """A clock that moves when told; starts at 2026-01-01T00:00:00Z."""

    def __init__(self, start: Instant = 1_767_225_600 * MICROS_PER_S) -> None:
        self._now = start

    def now(self) -> Instant:
        """The instant that it stands at."""
        return self._now

    def monotonic_s(self) -> float:
        """Seconds since 1970 at the instant that it stands at."""
        return self._now / MICROS_PER_S

    def advance(self, seconds: float) -> None:
        """Move on."""
        self._now += round(seconds * MICROS_PER_S)


class ScriptedEngine:
    """An engine that writes down what it is told and ends runs as scripted.

    Attributes:
        on_command: Called with verb, run id and actor for each command; may raise what an engine raises.
        commands: Verb, run id, actor and reason of each command, in order.
        starts: Requests to start a run, in order.
        results: How a run stands, by id; `wait` waits for one to appear.
        events: Live progress by run id; `watch` gives what is there, then waits for more until None.
    """

    def __init__(self) -> None:
        self.commands: list[tuple[str, str, str, str]] = []
        self.starts: list[tuple[Scope, StartRun]] = []
        self.results: dict[str, asyncio.Future[RunResult]] = {}
        self.events: dict[str, asyncio.Queue[RunEvent | None]] = {}
        self.on_command: Callable[[str, str, str], Awaitable[None]] | None = None

    async def open(self) -> None:
        """Nothing to recover."""

    async def close(self) -> None:
        """Nothing to end."""

    async def start(self, scope: Scope, request: StartRun) -> Started:
        """Write the request down."""
        self.starts.append((scope, request))
        return Started(f"run-{len(self.starts):06}")

    async def wait(self, scope: Scope, run_id: str) -> RunResult:
        """The scripted result, once there is one."""
        return await asyncio.shield(self._result(run_id))

    async def watch(self, scope: Scope, run_id: str) -> AsyncIterator[RunEvent]:
        """The scripted events."""
        queue = self.events.setdefault(run_id, asyncio.Queue())
        while (event := await queue.get()) is not None:
            yield event

    async def cancel(self, scope: Scope, run_id: str, actor: str, reason: str = "") -> None:
        """Write the command down."""
        await self._command("cancel", run_id, actor, reason)

    async def suspend(self, scope: Scope, run_id: str, actor: str, reason: str = "") -> None:
        """Write the command down."""
        await self._command("suspend", run_id, actor, reason)

    async def resume(self, scope: Scope, run_id: str, actor: str) -> None:
        """Write the command down."""
        await self._command("resume", run_id, actor)

    async def retry(self, scope: Scope, run_id: str, actor: str) -> None:
        """Write the command down."""
        await self._command("retry", run_id, actor)

    def script_result(self, result: RunResult) -> None:
        """Let `wait` return for a run."""
        self._result(result.run_id).set_result(result)

    def script_event(self, event: RunEvent) -> None:
        """Add a piece of live progress."""
        self.events.setdefault(event.run_id, asyncio.Queue()).put_nowait(event)

    def script_end(self, run_id: str) -> None:
        """End the live progress of a run."""
        self.events.setdefault(run_id, asyncio.Queue()).put_nowait(None)

    def _result(self, run_id: str) -> asyncio.Future[RunResult]:
        if run_id not in self.results:
            self.results[run_id] = asyncio.get_running_loop().create_future()
        return self.results[run_id]

    async def _command(self, verb: str, run_id: str, actor: str, reason: str = "") -> None:
        self.commands.append((verb, run_id, actor, reason))
        if self.on_command is not None:
            await self.on_command(verb, run_id, actor)


class GivenHistories:
    """Histories given by hand, by run id."""

    def __init__(self, rows: Mapping[str, Sequence[HistoryEntry]]) -> None:
        self._rows = dict(rows)

    def give(self, run_id: str, rows: Sequence[HistoryEntry]) -> None:
        """Set the rows of a run."""
        self._rows[run_id] = rows

    async def entries(
        self, scope: Scope, run_id: str, after: int = 0, limit: int = 1000
    ) -> list[HistoryEntry]:
        """The given rows."""
        if run_id not in self._rows:
            raise NotFound(f"no run {run_id!r}")
        return [row for row in self._rows[run_id] if row.seq > after][:limit]

    async def verify(self, scope: Scope, run_id: str) -> Verification:
        """Always intact: there is no chain."""
        return Verification(is_intact=True, rows=len(await self.entries(scope, run_id)), head="")


class GivenActions:
    """Connectors that declare what is given and answer every call with its arguments."""

    def __init__(self, infos: Mapping[str, ActionInfo]) -> None:
        self._infos = dict(infos)

    def describe(self, invocation: Invocation) -> ActionInfo | None:
        """What is given for the target."""
        return self._infos.get(invocation.target)

    async def perform(self, attempt: Attempt) -> AttemptResult:
        """The arguments."""
        return AttemptResult(Verdict.DONE, attempt.invocation.arguments)

    async def confirm(self, attempt: Attempt) -> AttemptResult | None:
        """Nothing is known."""
        return None

    async def close(self) -> None:
        """Nothing to release."""


class GivenResources:
    """Resources given by address."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = dict(contents)
        self.fetched: list[tuple[str, str]] = []

    def replace(self, address: str, content: bytes) -> None:
        """Give other content from now on."""
        self._contents[address] = content

    async def fetch(self, address: str, folder: str) -> bytes:
        """The given content."""
        self.fetched.append((address, folder))
        if address not in self._contents:
            raise NotFound("nothing is there")
        return self._contents[address]


class QuietMaintenance:
    """A data directory in which all is well."""

    async def backup(self, target: str) -> AsyncIterator[BackupProgress]:
        """Two steps."""
        yield BackupProgress("database", 1, 1)
        yield BackupProgress("done", target=target)

    async def examine(self) -> list[Finding]:
        """One finding."""
        return [Finding("SQLite", "3.54.0", is_ok=True)]

    async def info(self) -> SystemInfo:
        """Fixed figures."""
        return SystemInfo("0.1.0", "/data", 0, 1, 1)
