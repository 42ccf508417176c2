"""A real embedded engine in a folder, for benchmarks: the same parts that the product wires."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from counterpoint.connectors.http import HttpSettings
from counterpoint.connectors.hub import ConnectorHub
from counterpoint.core.values import Scope
from counterpoint.engines.embedded import EmbeddedEngine, Surroundings, SystemClock
from counterpoint.ports.expressions import ExpressionWorker
from counterpoint.ports.records import RevisionDraft
from counterpoint.sdk import Connector
from counterpoint.storage.database import SERVER, Database, open_database
from counterpoint.storage.readers import open_reader
from counterpoint.storage.writer import Writer
from counterpoint.stores.sqlite import SqliteRecordStore, SqliteRevisions

SCOPE = Scope("bench")


@dataclass
class Stand:
    """What a benchmark holds."""

    engine: EmbeddedEngine
    writer: Writer
    database: Database
    records: SqliteRecordStore


@asynccontextmanager
async def stand(
    folder: Path,
    documents: Iterable[str],
    connectors: Iterable[Connector] = (),
    worker: ExpressionWorker | None = None,
) -> AsyncIterator[Stand]:
    """An open engine with deployed documents; closed at the end."""
    loop = asyncio.get_running_loop()
    database = open_database(folder, SERVER)
    next_run_no = database.next_run_no()
    writer = Writer(database.committer(SERVER), loop.call_soon_threadsafe)
    readers = database.readers()
    connection = open_reader(database.path)
    revisions = SqliteRevisions(connection)
    clock = SystemClock()
    records = SqliteRecordStore(writer, readers, clock, revisions.forget)
    hub = ConnectorHub.of(connectors, HttpSettings(allow_private_hosts=("127.0.0.1",)))
    engine = EmbeddedEngine(
        Surroundings(writer, readers, database.blobs.read, revisions, hub, worker, next_run_no, clock=clock)
    )
    try:
        for document in documents:
            name, version = _identity(document)
            draft = RevisionDraft(name, version, name + version, document.encode(), {})
            await records.deploy(SCOPE, draft, "bench")
        await engine.open()
        yield Stand(engine, writer, database, records)
    finally:
        await engine.close()
        await hub.close()
        await asyncio.to_thread(writer.close)
        readers.close()
        connection.close()
        database.close()


def _identity(document: str) -> tuple[str, str]:
    found = {}
    for line in document.splitlines():
        key, _, value = line.strip().partition(": ")
        if key in ("name", "version") and key not in found:
            found[key] = value.strip("'\"")
    return found["name"], found["version"]
