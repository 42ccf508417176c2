"""A real embedded engine in a folder, with actions that a test can steer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from counterpoint.connectors.http import HttpSettings
from counterpoint.connectors.hub import ConnectorHub
from counterpoint.core.values import Scope
from counterpoint.engines.embedded import EmbeddedEngine, Surroundings, SystemClock
from counterpoint.errors import PermanentError, RetryableError
from counterpoint.ports.engine import RunResult, StartRun
from counterpoint.ports.records import RevisionDraft
from counterpoint.runners.jq_worker import JqWorker
from counterpoint.sdk import Connector
from counterpoint.storage.committer import WriteBatch
from counterpoint.storage.database import Database, open_database
from counterpoint.storage.readers import open_reader
from counterpoint.storage.writer import Writer
from counterpoint.stores.sqlite import SqliteRecordStore, SqliteRevisions

SCOPE = Scope("test")


@dataclass
class Steering:
    """What the actions do, and what they saw."""

    calls: list[tuple[str, int, str]] = field(default_factory=list)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    reached: dict[str, asyncio.Event] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    effects: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def gate(self, name: str) -> asyncio.Event:
        """Lets the `wait_for` actions of that name go on."""
        return self.gates.setdefault(name, asyncio.Event())

    def arrival(self, name: str) -> asyncio.Event:
        """Set once a `wait_for` action of that name was reached."""
        return self.reached.setdefault(name, asyncio.Event())

    def connector(self) -> Connector:
        """Connector `t`."""
        t = Connector("t")

        @t.action()
        async def echo(ctx, value=None):
            self.calls.append((ctx.step, ctx.attempt, ctx.idempotency_key))
            return value

        @t.action()
        async def fail(ctx, name, times=1_000, permanent=False):
            self.calls.append((ctx.step, ctx.attempt, ctx.idempotency_key))
            count = self.failures[name] = self.failures.get(name, 0) + 1
            if count <= times:
                kind = PermanentError if permanent else RetryableError
                raise kind(f"{name} failed", status=503)
            return "done"

        @t.action()
        async def wait_for(ctx, name):
            self.calls.append((ctx.step, ctx.attempt, ctx.idempotency_key))
            self.arrival(name).set()
            await self.gate(name).wait()
            return name

        @t.action(idempotency="key")
        async def keyed(ctx, name):
            self.calls.append((ctx.step, ctx.attempt, ctx.idempotency_key))
            self.arrival(name).set()
            await self.gate(name).wait()
            return name

        self._add_odd_ones(t)
        return t

    def _add_odd_ones(self, t: Connector) -> None:
        """Actions that can tell whether they happened, and some with bugs."""

        async def find(ctx, name):
            self.asked.append(name)
            found = self.effects.get(name)
            if isinstance(found, Exception):
                raise found
            return found

        @t.action(confirm=find)
        async def sure(ctx, name):
            self.calls.append((ctx.step, ctx.attempt, ctx.idempotency_key))
            self.arrival(name).set()
            await self.gate(name).wait()
            return name

        @t.action()
        async def bug(ctx, kind):
            if kind == "value":
                raise ValueError("a bug of the author")
            if kind == "exit":
                raise SystemExit(3)
            return object()


@dataclass
class Standing:
    """An open engine."""

    engine: EmbeddedEngine
    writer: Writer
    records: SqliteRecordStore
    steering: Steering
    database: Database

    async def change(self, sql: str, values: tuple[Any, ...] = ()) -> None:
        """Damage the database, or repair it."""
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        batch = WriteBatch(
            decisions=[lambda connection, _: connection.execute(sql, values).fetchall()],
            on_done=done.set_result,
        )
        self.writer.submit(batch)
        assert (await done).error is None

    async def start(self, name: str, value: Any = None) -> str:
        """Start a run; gives its id."""
        return (await self.engine.start(SCOPE, StartRun(name, value, "tester"))).run_id

    async def run(self, name: str, value: Any = None) -> RunResult:
        """Run a workflow to its end or pause."""
        return await self.engine.wait(SCOPE, await self.start(name, value))


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until something holds that has no signal of its own."""
    while not holds():  # noqa: ASYNC110 - see above
        await asyncio.sleep(0)


def document(name: str, body: dict[str, Any], extras: dict[str, Any] | None = None) -> str:
    """Text of a workflow document."""
    head: dict[str, Any] = {"dsl": "1.0.3", "namespace": "test", "name": name, "version": "1.0.0"}
    if extras:
        head["metadata"] = {"counterpoint": extras}
    return yaml.safe_dump({"document": head, **body}, sort_keys=False)


@asynccontextmanager
async def standing(
    folder: Path, documents: dict[str, str], steering: Steering | None = None
) -> AsyncIterator[Standing]:
    """An engine on a folder; opening the same folder again recovers.

    At the end attempts under way are cut off, as when the process dies.
    """
    steering = steering or Steering()
    loop = asyncio.get_running_loop()
    database = open_database(folder)
    next_run_no = database.next_run_no()
    writer = Writer(database.committer(), loop.call_soon_threadsafe)
    readers, connection, worker = database.readers(), open_reader(database.path), JqWorker()
    revisions = SqliteRevisions(connection)
    records = SqliteRecordStore(writer, readers, SystemClock(), revisions.forget)
    hub = ConnectorHub.of([steering.connector()], HttpSettings(allow_private_hosts=("127.0.0.1",)))
    engine = EmbeddedEngine(
        Surroundings(writer, readers, database.blobs.read, revisions, hub, worker, next_run_no)
    )
    try:
        for name, text in documents.items():
            draft = RevisionDraft(name, "1.0.0", name, text.encode(), {})
            await records.deploy(SCOPE, draft, "tester")
        await engine.open()
        yield Standing(engine, writer, records, steering, database)
    finally:
        await engine.close()
        await worker.close()
        await hub.close()
        await asyncio.to_thread(writer.close)
        readers.close()
        connection.close()
        database.close()
