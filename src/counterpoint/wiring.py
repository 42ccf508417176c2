"""Builds the object graph from settings; the only module that knows every adapter."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import apsw

from counterpoint import __version__
from counterpoint.app.actors import Actors
from counterpoint.app.operations import Operations
from counterpoint.app.table import Ports, build_operations
from counterpoint.connectors.http import HttpSettings
from counterpoint.connectors.hub import ConnectorHub
from counterpoint.connectors.loading import load_connectors
from counterpoint.connectors.resources import ResourceFetcher
from counterpoint.core.values import Instant
from counterpoint.engines.embedded import EmbeddedEngine, Surroundings, SystemClock
from counterpoint.errors import StorageError, treatment_of
from counterpoint.ports.logs import Log
from counterpoint.ports.maintenance import BackupProgress, Finding, SystemInfo
from counterpoint.runners.jq_worker import JqWorker
from counterpoint.runners.supervision import Limits
from counterpoint.settings import Settings
from counterpoint.storage.backup import back_up
from counterpoint.storage.database import SERVER, SHORT, Database, open_database
from counterpoint.storage.doctor import examine
from counterpoint.storage.housekeeping import Housekeeping
from counterpoint.storage.readers import ReaderPool, open_reader
from counterpoint.storage.writer import Writer
from counterpoint.stores.sqlite import SqliteRecordStore, SqliteRevisions, SqliteStuckRuns

log = Log("counterpoint")

DRAIN_S = 20.0
"""How long a closing product waits for attempts under way: an attempt cut off is in doubt afterwards."""

GC_THRESHOLDS = (50_000, 20, 100)
"""Collections of cyclic garbage.

The default of 700 objects runs thousands of times a second under load and costs a quarter of the throughput;
what the engine drops is mostly freed by reference counts.
"""


class DataMaintenance:
    """Looks after the data directory (`ports.maintenance.Maintenance`)."""

    def __init__(self, database: Database, writer: Writer, opened: Instant) -> None:
        self._database = database
        self._writer = writer
        self._opened = opened

    def backup(self, target: str) -> AsyncIterator[BackupProgress]:
        """Copy everything while work goes on."""
        return back_up(self._database.folder, Path(target))

    async def examine(self) -> list[Finding]:
        """Look at database, disk and clock."""
        return await asyncio.to_thread(examine, self._database.folder)

    async def info(self) -> SystemInfo:
        """Who serves, since when, from where."""
        stats = self._writer.stats
        figures = {
            "commits": stats.commits,
            "batches": stats.batches,
            "rows": stats.rows,
            "refused": stats.failures,
        }
        folder = str(self._database.folder.resolve())
        return SystemInfo(__version__, folder, self._opened, os.getpid(), self._database.epoch, dict(figures))


class Product:
    """The opened product; made by `open_product`.

    Attributes:
        operations: What it can do.
        settings: As given.
    """

    def __init__(self, settings: Settings, operations: Operations, actors: Actors, parts: _Parts) -> None:
        self.settings = settings
        self.operations = operations
        self._actors = actors
        self._parts = parts

    async def authenticate(self, token: str) -> str:
        """Actor of a token; see `app.actors`."""
        return await self._actors.authenticate(token)

    async def close(self) -> None:
        """Let commits end and release the data directory."""
        await self._parts.close()


class _Parts:
    """Everything that must be closed, in the order in which it is."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        readers: ReaderPool,
        connection: apsw.Connection,
        next_run_no: int,
    ) -> None:
        self.database = database
        self.writer = writer
        self.readers = readers
        self.connection = connection
        self.next_run_no = next_run_no
        self.engine: EmbeddedEngine | None = None
        self.hub: ConnectorHub | None = None
        self.worker: JqWorker | None = None
        self.housekeeping: Housekeeping | None = None

    async def close(self) -> None:
        if self.housekeeping is not None:
            await self.housekeeping.close()
        if self.engine is not None:
            await self.engine.close()
        if self.worker is not None:
            await self.worker.close()
        if self.hub is not None:
            await self.hub.close()
        await asyncio.to_thread(self.writer.close)
        self.readers.close()
        self.connection.close()
        self.database.close()


def _stop_process(error: StorageError) -> None:
    """A failed fsync stops the process at once: what it would still acknowledge might not be there.

    No orderly end: closing would write again. The exit code tells a supervisor to start anew.
    """
    log.critical("storage failed; the process stops", reason=str(error))
    hint = "Look at the disk with `counterpoint doctor`; everything that was acknowledged is there."
    sys.stderr.write(f"counterpoint: {error}. The process stops. {hint}\n")
    sys.stderr.flush()
    os._exit(treatment_of(error).exit_code)


async def open_product(settings: Settings, *, serve: bool) -> Product:
    """Open the product in a data directory, as its owner.

    Args:
        settings: All settings.
        serve: Whether to stay and work, or to answer one command.

    Raises:
        LockLostError: Another process owns the directory.
        DefinitionError: A connector cannot be loaded.
        StorageError: The database cannot be used.
    """
    hub = ConnectorHub.of(load_connectors(settings.connectors.modules), _http_settings(settings))
    try:
        parts = await _open_storage(settings, serve)
    except BaseException:
        await hub.close()
        raise
    parts.hub = hub
    try:
        return await _assemble(settings, serve, parts, hub)
    except BaseException:
        await parts.close()
        raise


async def _open_storage(settings: Settings, serve: bool) -> _Parts:
    tuning = SERVER if serve else SHORT
    database = open_database(settings.data, tuning)
    next_run_no = database.next_run_no()
    writer = Writer(
        database.committer(tuning), asyncio.get_running_loop().call_soon_threadsafe, _stop_process
    )
    return _Parts(database, writer, database.readers(), open_reader(database.path), next_run_no)


async def _assemble(settings: Settings, serve: bool, parts: _Parts, hub: ConnectorHub) -> Product:
    gc.set_threshold(*GC_THRESHOLDS)
    clock = SystemClock()
    database, writer, readers = parts.database, parts.writer, parts.readers
    limits = settings.expressions
    parts.worker = worker = JqWorker(
        Limits(
            timeout_s=limits.timeout_s,
            memory_bytes=limits.memory_mb * 1024 * 1024,
            max_output=limits.max_output_bytes,
        ),
        limits.workers,
    )
    revisions = SqliteRevisions(parts.connection)
    engine = EmbeddedEngine(
        Surroundings(
            journal=writer,
            reader=readers,
            blob=database.blobs.read,
            revisions=revisions,
            connectors=hub,
            worker=worker,
            next_run_no=parts.next_run_no,
            clock=clock,
            max_open_runs=settings.engine.max_open_runs,
            max_attempts=settings.engine.max_attempts_in_flight,
            drives=serve,
            drain_s=DRAIN_S,
        )
    )
    parts.engine = engine
    records = SqliteRecordStore(writer, readers, clock, revisions.forget)
    ports = Ports(
        records=records,
        stuck=SqliteStuckRuns(readers),
        engine=engine,
        histories=engine.histories,
        connectors=hub,
        maintenance=DataMaintenance(database, writer, clock.now()),
        fetcher=ResourceFetcher(hub),
        has_action=lambda target, version, catalog: target in hub.names,
        action_names=tuple(hub.names),
    )
    await engine.open()
    if serve:
        parts.housekeeping = Housekeeping(writer, readers, clock.now, settings.engine.retention_days)
        parts.housekeeping.start()
    return Product(settings, build_operations(ports), Actors(records), parts)


def _http_settings(settings: Settings) -> HttpSettings:
    http = settings.http
    return HttpSettings(
        allow_private_hosts=http.allow_private_hosts,
        timeout_s=http.timeout_s,
        connect_timeout_s=http.connect_timeout_s,
        max_response_bytes=http.max_response_bytes,
    )
