"""A real database, its writer and the stores on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from counterpoint.core.values import Scope
from counterpoint.ports.records import RevisionDraft
from counterpoint.storage.committer import CommitResult, WriteBatch
from counterpoint.storage.database import Database, open_database
from counterpoint.storage.readers import ReaderPool
from counterpoint.storage.writer import Writer
from counterpoint.stores.sqlite import SqliteRecordStore, SqliteRevisions, SqliteStuckRuns
from counterpoint.testing.fakes import ManualClock

FINANCE = Scope("finance", "default")

DOCUMENT = """
document: {{dsl: '1.0.3', namespace: {namespace}, name: {name}, version: '{version}'}}
do:
  - first:
      set: {{greeting: {word}}}
"""


class House:
    """Stores on a database in a folder."""

    def __init__(self, folder: Path) -> None:
        self.database: Database = open_database(folder)
        loop = asyncio.get_running_loop()
        self.writer = Writer(self.database.committer(), loop.call_soon_threadsafe)
        self.reader: ReaderPool = self.database.readers()
        self.connection = apsw.Connection(str(self.database.path), flags=apsw.SQLITE_OPEN_READONLY)
        self.clock = ManualClock()
        self.revisions = SqliteRevisions(self.connection)
        self.records = SqliteRecordStore(self.writer, self.reader, self.clock, self.revisions.forget)
        self.stuck = SqliteStuckRuns(self.reader)
        self._run_no = 0

    async def deploy(self, name: str, version: str = "1.0.0", word: str = "hello", **more: Any) -> Any:
        """Deploy a small document under a name; `scope`, `is_dev` and `actor` may be given."""
        scope = more.get("scope", FINANCE)
        text = DOCUMENT.format(namespace=scope.namespace, name=name, version=version, word=word)
        draft = RevisionDraft(
            name, version, f"digest of {word}", text.encode(), {}, is_dev=more.get("is_dev", False)
        )
        return await self.records.deploy(scope, draft, more.get("actor", "os:ann"))

    async def write(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        """Write rows as the engine would."""
        done: asyncio.Future[CommitResult] = asyncio.get_running_loop().create_future()

        def decide(connection: apsw.Connection, commit_no: int) -> None:
            connection.executemany(sql, rows)

        self.writer.submit(WriteBatch(decisions=[decide], on_done=done.set_result))
        result = await done
        assert result.error is None
        assert result.results == [None], result.results

    async def add_runs(self, revision: Any, count: int, **more: Any) -> list[str]:
        """Store rows of runs of a revision; `status`, `cause`, `started`, `parent_no` may be given."""
        deployed = self.revisions.by_number(revision.revision_no)
        rows: list[tuple[Any, ...]] = []
        for _ in range(count):
            self._run_no += 1
            number = self._run_no
            started = more.get("started", 1_000_000 * number)
            row = (number, deployed.scope_no, f"run-{number:08}", deployed.workflow_no, deployed.revision_no)
            state = (more.get("status", 7), started, "os:ann", "corr", "trace")
            rows.append((*row, *state, more.get("cause"), more.get("parent_no")))
        await self.write(
            """INSERT INTO runs (run_no, scope_no, id, workflow_no, revision_no, status, started, actor,
                   correlation_id, trace_id, cause, parent_no) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            rows,
        )
        return [row[2] for row in rows]

    async def audit_actions(self, scope: Scope = FINANCE) -> list[tuple[str, str, str]]:
        """Action, target and actor of all changes, oldest first."""
        rows = await self.records.audit(scope)
        return [(row.action, row.target, row.actor) for row in reversed(rows)]

    def close(self) -> None:
        """Close everything."""
        self.connection.close()
        self.reader.close()
        self.writer.close()
        self.database.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Stores on an empty database."""
    house = House(tmp_path / "data")
    yield house
    house.close()
