"""Control-plane records on the one SQLite database: changes through the writer, reads through readers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import apsw

from counterpoint.core.dsl.versions import precedence
from counterpoint.core.values import JsonValue, Scope, decode_json
from counterpoint.errors import NotFound
from counterpoint.ports.clock import Clock
from counterpoint.ports.records import (
    ActorRecord,
    AuditEntry,
    Page,
    Revision,
    RevisionDraft,
    RunQuery,
    RunRecord,
)
from counterpoint.storage.committer import CommitResult, WriteBatch
from counterpoint.storage.readers import Reader
from counterpoint.storage.writer import Journal
from counterpoint.stores.sqlite.changes import AddActor, DeployRevision, DisableActor
from counterpoint.stores.sqlite.queries import IN_SCOPE, scope_values
from counterpoint.stores.sqlite.run_lists import MAX_PAGE, page_of_runs, read_runs

MIN_PREFIX = 6
"""Fewest characters of a run id that may stand for it."""

_REVISION = f"""SELECT r.revision_no, s.namespace, w.name, r.version, r.digest, r.deployed, r.actor, r.owner,
    r.criticality, w.active_revision = r.revision_no, r.is_dev
    FROM revisions r JOIN workflows w ON w.workflow_no = r.workflow_no
    JOIN scopes s ON s.scope_no = w.scope_no WHERE {IN_SCOPE} AND r.replaced_by IS NULL"""

T = TypeVar("T")


class SqliteRecordStore:
    """Records of the control plane (`ports.records.RecordStore`).

    Args:
        journal: The writer.
        reader: Read-only queries.
        clock: Time of changes.
        on_deploy: Told the scope and name of a workflow after a deploy, so that caches forget it.
    """

    def __init__(
        self, journal: Journal, reader: Reader, clock: Clock, on_deploy: Callable[[Scope, str], None]
    ) -> None:
        self._journal = journal
        self._reader = reader
        self._clock = clock
        self._on_deploy = on_deploy

    async def deploy(self, scope: Scope, draft: RevisionDraft, actor: str) -> Revision:
        """Store a revision."""
        revision = await self._change(DeployRevision(scope, draft, actor, self._clock.now()))
        self._on_deploy(scope, draft.name)
        return revision

    async def workflows(self, scope: Scope) -> list[Revision]:
        """Active revision of each workflow."""
        sql = f"{_REVISION} AND w.active_revision = r.revision_no ORDER BY s.namespace, w.name"
        return [_revision(row) for row in await self._reader.query(sql, scope_values(scope))]

    async def revisions(self, scope: Scope, name: str) -> list[Revision]:
        """All revisions of a workflow, highest version first."""
        sql = f"{_REVISION} AND w.name = ?"
        found = [_revision(row) for row in await self._reader.query(sql, (*scope_values(scope), name))]
        return sorted(found, key=lambda revision: precedence(revision.version), reverse=True)

    async def document(self, revision_no: int) -> tuple[bytes, dict[str, JsonValue]]:
        """Document and bundle of a revision."""
        sql = "SELECT document, bundle FROM revisions WHERE revision_no = ?"
        rows = await self._reader.query(sql, (revision_no,))
        if not rows:
            raise NotFound(f"no revision number {revision_no}")
        return rows[0][0], decode_json(rows[0][1])

    async def run(self, scope: Scope, run_id: str) -> RunRecord:
        """A run by id or prefix; the rows of two runs are enough to know that a prefix fits several."""
        sql = f"""SELECT r.run_no FROM runs r JOIN scopes s ON s.scope_no = r.scope_no
                  WHERE r.id >= ? AND r.id < ? AND {IN_SCOPE} ORDER BY r.id LIMIT 2"""
        past = run_id + "\uffff" if len(run_id) >= MIN_PREFIX else run_id + "\x00"
        rows = await self._reader.query(sql, (run_id, past, *scope_values(scope)))
        found = await read_runs(self._reader, [row[0] for row in rows])
        if not found:
            raise NotFound(f"no run {run_id!r}", "`counterpoint runs list` shows the newest.")
        if len(found) > 1 and found[0].id != run_id:
            raise NotFound(
                f"{run_id!r} is the beginning of several run ids", "Give more characters of the id."
            )
        return found[0]

    async def runs(self, scope: Scope, query: RunQuery) -> Page:
        """A page of runs."""
        return await page_of_runs(self._reader, scope, query)

    async def children(self, scope: Scope, run_id: str) -> list[RunRecord]:
        """The first child runs, in the order of their start."""
        sql = f"""SELECT c.run_no FROM runs p JOIN runs c ON c.parent_no = p.run_no
                  JOIN scopes s ON s.scope_no = p.scope_no
                  WHERE p.id = ? AND {IN_SCOPE} ORDER BY c.run_no LIMIT ?"""
        rows = await self._reader.query(sql, (run_id, *scope_values(scope), MAX_PAGE))
        return await read_runs(self._reader, [row[0] for row in rows])

    async def add_actor(self, name: str, token_digest: bytes, actor: str) -> None:
        """Add a local actor."""
        await self._change(AddActor(name, token_digest, actor, self._clock.now()))

    async def disable_actor(self, name: str, actor: str) -> None:
        """Make an actor's token worthless."""
        await self._change(DisableActor(name, actor, self._clock.now()))

    async def actor_by_token(self, token_digest: bytes) -> str | None:
        """Name of the enabled actor with that token."""
        sql = "SELECT name FROM actors WHERE token_digest = ? AND is_disabled = 0"
        rows = await self._reader.query(sql, (token_digest,))
        return rows[0][0] if rows else None

    async def actors(self) -> list[ActorRecord]:
        """All local actors by name."""
        sql = "SELECT name, created, created_by, is_disabled FROM actors ORDER BY name"
        return [ActorRecord(n, at, by, bool(off)) for n, at, by, off in await self._reader.query(sql)]

    async def audit(self, scope: Scope, before: int = 0, limit: int = 100) -> list[AuditEntry]:
        """Audit rows, newest first; changes without a scope are shown in every environment."""
        sql = f"""SELECT a.audit_no, a.at, a.actor, a.action, a.target, a.detail
                  FROM audit a JOIN scopes s ON s.scope_no = a.scope_no
                  WHERE (? = 0 OR a.audit_no < ?)
                      AND (({IN_SCOPE}) OR (s.namespace = '' AND s.environment = ''))
                  ORDER BY a.audit_no DESC LIMIT ?"""
        rows = await self._reader.query(sql, (before, before, *scope_values(scope), min(limit, MAX_PAGE)))
        return [
            AuditEntry(number, at, actor, action, target, decode_json(detail))
            for number, at, actor, action, target, detail in rows
        ]

    async def _change(self, decision: Callable[[apsw.Connection, int], T]) -> T:
        """Hand a decision to the writer; returns after its commit."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def answer_with(result: CommitResult) -> None:
            # Whoever waited may be gone; the change is made all the same.
            if answer.done():
                return
            outcome = result.error or result.results[0]
            if isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

        self._journal.submit(WriteBatch(decisions=[decision], on_done=answer_with))
        return await answer


def _revision(row: tuple[Any, ...]) -> Revision:
    number, namespace, name, version, digest, deployed, actor, owner, criticality, is_active, is_dev = row
    return Revision(
        revision_no=number,
        namespace=namespace,
        name=name,
        version=version,
        digest=digest,
        deployed=deployed,
        actor=actor,
        owner=owner,
        criticality=criticality,
        is_active=bool(is_active),
        is_dev=bool(is_dev),
        is_new=False,
    )
