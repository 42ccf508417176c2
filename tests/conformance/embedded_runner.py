"""Runs cases on the embedded engine as the product assembles it, with the waits taken out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from counterpoint.app.deploy import Definitions, DeployRequest
from counterpoint.core.dsl.loader import load
from counterpoint.core.dsl.model import Workflow
from counterpoint.core.values import Instant, JsonValue, Scope
from counterpoint.engines.embedded import EmbeddedEngine, Surroundings
from counterpoint.errors import DefinitionError, NotFound, RequestError
from counterpoint.ports.engine import RunResult, StartRun
from counterpoint.ports.records import RunRecord
from counterpoint.runners.jq_worker import JqWorker
from counterpoint.storage.database import SHORT, open_database
from counterpoint.storage.readers import open_reader
from counterpoint.storage.writer import Writer
from counterpoint.stores.sqlite import SqliteRecordStore, SqliteRevisions
from counterpoint.testing.conformance import Case, Observed, Signal
from counterpoint.testing.stand_ins import StandIns
from counterpoint.testing.stub_http import StubHttp
from counterpoint.testing.tracing import traced
from counterpoint.testing.virtual_loop import (
    Bustle,
    CountedConnectors,
    CountedJournal,
    CountedReader,
    CountedWorker,
    VirtualClock,
    VirtualLoop,
)
from tests.conformance.surroundings import START, http_target, refusal_of

ACTOR = "tester"
MAX_JUMPS = 5_000
"""Timers that one case may wait for."""


class GivenResources:
    """What lies behind the addresses of a case (`ports.fetch.Fetcher`)."""

    def __init__(self) -> None:
        self.resources: dict[str, JsonValue] = {}

    async def fetch(self, address: str, folder: str) -> bytes:
        """See `Fetcher.fetch`."""
        if address not in self.resources:
            raise NotFound(f"there is nothing at {address}")
        return msgspec.json.encode(self.resources[address])


class EmbeddedRunner:
    """Implements `ConformanceRunner`; made, used and closed on a `VirtualLoop`.

    Attributes:
        replaces: Whether a document takes the place of one with the same name and version.
        engine: The engine that it drives.
        records: What it has stored.
    """

    def __init__(self, folder: Path, loop: VirtualLoop) -> None:
        self.replaces = False
        self._loop = loop
        self._clock = VirtualClock(START)
        self._trace: list[str] = []
        self._stand_ins = StandIns({})
        self._bustle = Bustle(loop, lambda: self._stand_ins.hanging)
        self._connectors = CountedConnectors(self._stand_ins, self._bustle)
        self._resources = GivenResources()
        self._jq = JqWorker()
        self._database = open_database(folder, SHORT)
        next_run_no = self._database.next_run_no()
        self._writer = Writer(self._database.committer(SHORT), loop.call_soon_threadsafe, _fail)
        self._pool = self._database.readers()
        self._reader = CountedReader(self._pool, self._bustle)
        self._connection = open_reader(self._database.path)
        revisions = SqliteRevisions(self._connection, self._compile)
        journal = CountedJournal(self._writer, self._bustle)
        self.records = SqliteRecordStore(journal, self._reader, self._clock, revisions.forget)
        self._definitions = Definitions(
            self.records, self._resources, lambda *name: self._stand_ins.has_action(*name)
        )
        self.engine = EmbeddedEngine(
            Surroundings(
                journal=journal,
                reader=self._reader,
                blob=self._database.blobs.read,
                revisions=revisions,
                connectors=self._connectors,
                worker=CountedWorker(self._jq, self._bustle),
                next_run_no=next_run_no,
                clock=self._clock,
            )
        )

    async def open(self) -> None:
        """Take work."""
        await self.engine.open()

    async def close(self) -> None:
        """Release everything."""
        await self.engine.close()
        await self._jq.close()
        await asyncio.to_thread(self._writer.close)
        self._pool.close()
        self._connection.close()
        self._database.close()

    def surround(self, stand_ins: StandIns) -> None:
        """Let calls reach these stand-ins from now on."""
        self._stand_ins = stand_ins
        self._connectors.inner = stand_ins

    async def settle(self) -> None:
        """Return once everything rests."""
        await self._bustle.settle()

    async def run(self, case: Case) -> Observed:
        """See `ConformanceRunner`."""
        async with StubHttp(case.http) as stub:
            self.surround(StandIns(case.actions, http_target(stub)))
            self._resources.resources = case.resources
            self._trace.clear()
            try:
                for text in case.other_documents():
                    await self.deploy(text)
                main, warnings = await self.deploy(case.main_document())
            except DefinitionError as refused:
                return refusal_of(refused)
            seen = await self._observe(case, main)
            await self._stand_ins.close()
            seen.warnings = warnings
            seen.calls = stub.calls
            seen.action_calls = self._stand_ins.calls
            seen.trace = list(self._trace)
            return seen

    def _compile(self, text: bytes, resources: Any) -> Workflow:
        return traced(load(text, resources), self._trace.append)

    async def deploy(self, text: str) -> tuple[tuple[Scope, str, str], list[str]]:
        """Deploy a document; its place (scope, name, version) and the pointers of its warnings."""
        deployment = await self._definitions.deploy(
            DeployRequest(text=text, environment="default", actor=ACTOR, is_dev=self.replaces)
        )
        place = (Scope(deployment.namespace), deployment.name, deployment.version)
        return place, [warning.pointer for warning in deployment.warnings]

    async def _observe(self, case: Case, main: tuple[Scope, str, str]) -> Observed:
        scope, name, version = main
        began = self._clock.now()
        request = StartRun(name, case.input, ACTOR, version)
        started = [await self.engine.start(scope, request) for _ in range(case.starts)]
        runs = list(dict.fromkeys(each.run_id for each in started))
        complaints = []
        for number, signal in enumerate(case.control):
            complaints += [f"signal {number}: {text}" for text in await self._signal(scope, runs[0], signal)]
        await self.pass_time(scope, runs)
        records = [await self.records.run(scope, run) for run in runs]
        last = records[-1]
        seen = Observed(status=last.status, complaints=complaints)
        seen.elapsed_ms = (max(r.ended or self._clock.now() for r in records) - began) / 1000
        if last.status in ("completed", "faulted"):
            _tell(seen, await self.engine.wait(scope, last.id))
        return seen

    async def _signal(self, scope: Scope, run: str, signal: Signal) -> list[str]:
        await self._bustle.settle()
        complaints = []
        if signal.status and (status := (await self._record(scope, run)).status) != signal.status:
            complaints.append(f"expected {signal.status}, was {status}")
        if signal.action_calls is not None and (made := len(self._stand_ins.calls)) != signal.action_calls:
            complaints.append(f"expected {signal.action_calls} calls, were {made}")
        if signal.advance_ms:
            await self._advance(self._clock.now() + signal.advance_ms * 1000)
        try:
            match signal.do:
                case "suspend":
                    await self.engine.suspend(scope, run, ACTOR)
                case "resume":
                    await self.engine.resume(scope, run, ACTOR)
                case "cancel":
                    await self.engine.cancel(scope, run, ACTOR)
        except RequestError as refused:
            complaints.append(f"{signal.do} was refused: {refused}")
        await self._bustle.settle()
        return complaints

    async def pass_time(self, scope: Scope, runs: list[str]) -> None:
        """Move the clock from timer to timer until all runs have ended, or nothing is left to wait for."""
        for _ in range(MAX_JUMPS):
            await self._bustle.settle()
            statuses = [(await self._record(scope, run)).status for run in runs]
            due = await self._next_due()
            if due is None or all(s in ("completed", "faulted", "cancelled") for s in statuses):
                return
            await self._jump(due)

    async def _advance(self, until: Instant) -> None:
        while (due := await self._next_due()) is not None and due <= until:
            await self._jump(due)
        await self._jump(until)

    async def _jump(self, instant: Instant) -> None:
        self._clock.instant = max(instant, self._clock.instant)
        self._loop.ring()
        await self._bustle.settle()

    async def _next_due(self) -> Instant | None:
        """Instant of the next timer in the future: those of suspended runs stay behind."""
        rows = await self._pool.query("SELECT min(due) FROM timers WHERE due > ?", (self._clock.now(),))
        due: Instant | None = rows[0][0]
        return due

    async def _record(self, scope: Scope, run: str) -> RunRecord:
        return await self.records.run(scope, run)


def _tell(seen: Observed, result: RunResult) -> None:
    plain = msgspec.json.decode(msgspec.json.encode(result))
    seen.output = plain.get("output")
    seen.outcome = plain.get("outcome")
    seen.fault = result.fault.as_json() if result.fault is not None else {}


def _fail(error: Exception) -> None:
    raise error
