"""Changes of the control plane, each with its audit row in the same transaction.

A change is a decision: a function that the writer runs in a savepoint of a group commit. An exception is its
answer and undoes it alone. A crash before the commit leaves neither change nor audit row; one after it, both.
"""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from counterpoint.core.dsl.versions import highest
from counterpoint.core.values import Instant, JsonValue, Scope, encode_json
from counterpoint.errors import Conflict, NotFound
from counterpoint.ports.records import Revision, RevisionDraft

SYSTEM_SCOPE = Scope("", "")
"""Scope of audit rows about what has none, such as actors."""


class DeployRevision(msgspec.Struct, frozen=True):
    """Store a revision and choose the workflow's active one; gives the revision."""

    scope: Scope
    draft: RevisionDraft
    actor: str
    at: Instant

    def __call__(self, connection: apsw.Connection, commit_no: int) -> Revision:
        """Run in the writer's savepoint.

        Raises:
            Conflict: The version is released with other content.
        """
        scope_no = scope_number(connection, self.scope)
        workflow_no = self._workflow_number(connection, scope_no)
        current = self._current(connection, workflow_no)
        is_same = current is not None and current[1] == self.draft.digest
        if current is not None and is_same and (self.draft.is_dev or not current[2]):
            # Nothing changes: a released revision stays so when its content comes again for development.
            return self._revision(connection, workflow_no, current[0], is_new=False)
        revision_no, action = self._place(connection, scope_no, workflow_no, current)
        self._activate(connection, workflow_no)
        detail = {"version": self.draft.version, "digest": self.draft.digest, "isDev": self.draft.is_dev}
        if current is not None and current[0] != revision_no:
            detail["replaces"] = current[0]
        record_change(
            connection, commit_no, Change(self.scope, self.at, self.actor, action, self._target, detail)
        )
        is_new = current is None or current[0] != revision_no
        return self._revision(connection, workflow_no, revision_no, is_new=is_new)

    @property
    def _target(self) -> str:
        return f"{self.scope.namespace}/{self.draft.name}"

    def _workflow_number(self, connection: apsw.Connection, scope_no: int) -> int:
        key = (scope_no, self.draft.name)
        connection.execute("INSERT OR IGNORE INTO workflows (scope_no, name) VALUES (?, ?)", key)
        sql = "SELECT workflow_no FROM workflows WHERE scope_no = ? AND name = ?"
        return int(_one(connection, sql, key)[0])

    def _current(self, connection: apsw.Connection, workflow_no: int) -> tuple[Any, ...] | None:
        sql = """SELECT revision_no, digest, is_dev FROM revisions
                 WHERE workflow_no = ? AND version = ? AND replaced_by IS NULL"""
        return connection.execute(sql, (workflow_no, self.draft.version)).fetchone()

    def _place(
        self, connection: apsw.Connection, scope_no: int, workflow_no: int, current: tuple[Any, ...] | None
    ) -> tuple[int, str]:
        """Number of the row that holds the draft from now on, and the word of the audit row for it."""
        if current is None:
            return self._store(connection, scope_no, workflow_no), "workflow.deploy"
        if current[1] == self.draft.digest:
            connection.execute("UPDATE revisions SET is_dev = 0 WHERE revision_no = ?", (current[0],))
            return int(current[0]), "workflow.release"
        if not current[2]:
            # Also for development: whoever tries a file must not change what others run under that version.
            raise Conflict(
                f"version {self.draft.version} of {self._target} is released with other content",
                "A released version keeps its content for ever: raise `document.version`.",
            )
        revision_no = self._store(connection, scope_no, workflow_no)
        connection.execute(
            "UPDATE revisions SET replaced_by = ? WHERE revision_no = ?", (revision_no, current[0])
        )
        return revision_no, "workflow.replace"

    def _store(self, connection: apsw.Connection, scope_no: int, workflow_no: int) -> int:
        draft = self.draft
        # Content that was replaced and comes back takes its old row again: a row is its content.
        sql = """INSERT INTO revisions (scope_no, workflow_no, version, digest, deployed, actor, owner,
                     criticality, is_dev, document, bundle)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (workflow_no, version, digest) DO UPDATE SET replaced_by = NULL,
                     deployed = excluded.deployed, actor = excluded.actor, is_dev = excluded.is_dev
                 RETURNING revision_no"""
        values = (
            *(scope_no, workflow_no, draft.version, draft.digest, self.at, self.actor, draft.owner),
            *(draft.criticality, int(draft.is_dev), draft.document, encode_json(draft.bundle)),
        )
        return int(_one(connection, sql, values)[0])

    def _activate(self, connection: apsw.Connection, workflow_no: int) -> None:
        sql = "SELECT version, revision_no FROM revisions WHERE workflow_no = ? AND replaced_by IS NULL"
        rows: list[Any] = connection.execute(sql, (workflow_no,)).fetchall()
        numbers: dict[str, int] = dict(rows)
        chosen = highest(numbers)
        connection.execute(
            "UPDATE workflows SET active_revision = ? WHERE workflow_no = ?",
            (numbers[chosen] if chosen is not None else None, workflow_no),
        )

    def _revision(
        self, connection: apsw.Connection, workflow_no: int, revision_no: int, *, is_new: bool
    ) -> Revision:
        sql = """SELECT r.version, r.digest, r.deployed, r.actor, r.owner, r.criticality, r.is_dev,
                     w.active_revision = r.revision_no
                 FROM revisions r JOIN workflows w ON w.workflow_no = r.workflow_no
                 WHERE r.revision_no = ? AND w.workflow_no = ?"""
        row = _one(connection, sql, (revision_no, workflow_no))
        return Revision(
            revision_no=revision_no,
            namespace=self.scope.namespace,
            name=self.draft.name,
            version=row[0],
            digest=row[1],
            deployed=row[2],
            actor=row[3],
            owner=row[4],
            criticality=row[5],
            is_dev=bool(row[6]),
            is_active=bool(row[7]),
            is_new=is_new,
        )


class AddActor(msgspec.Struct, frozen=True):
    """Add a local actor with the digest of a token."""

    name: str
    token_digest: bytes
    actor: str
    at: Instant

    def __call__(self, connection: apsw.Connection, commit_no: int) -> None:
        """Run in the writer's savepoint.

        Raises:
            Conflict: The name is taken.
        """
        sql = """INSERT INTO actors (name, token_digest, created, created_by) VALUES (?, ?, ?, ?)
                 ON CONFLICT (name) DO NOTHING RETURNING actor_no"""
        values = (self.name, self.token_digest, self.at, self.actor)
        if connection.execute(sql, values).fetchone() is None:
            raise Conflict(f"there is an actor {self.name!r} already", "Choose another name.")
        change = Change(SYSTEM_SCOPE, self.at, self.actor, "actor.add", self.name, {})
        record_change(connection, commit_no, change)


class DisableActor(msgspec.Struct, frozen=True):
    """Make the token of an actor worthless."""

    name: str
    actor: str
    at: Instant

    def __call__(self, connection: apsw.Connection, commit_no: int) -> None:
        """Run in the writer's savepoint.

        Raises:
            NotFound: No such actor.
        """
        sql = "UPDATE actors SET is_disabled = 1 WHERE name = ? RETURNING actor_no"
        if connection.execute(sql, (self.name,)).fetchone() is None:
            raise NotFound(f"no actor {self.name!r}", "`counterpoint actors list` shows all.")
        change = Change(SYSTEM_SCOPE, self.at, self.actor, "actor.disable", self.name, {})
        record_change(connection, commit_no, change)


class Change(msgspec.Struct, frozen=True):
    """What an audit row says."""

    scope: Scope
    at: Instant
    actor: str
    action: str
    target: str
    detail: dict[str, JsonValue]


def record_change(connection: apsw.Connection, commit_no: int, change: Change) -> None:
    """Write the audit row of a change, in the transaction of the change."""
    scope_no = scope_number(connection, change.scope)
    detail = encode_json(change.detail).decode()
    sql = """INSERT INTO audit (scope_no, commit_no, at, actor, action, target, detail)
             VALUES (?, ?, ?, ?, ?, ?, ?)"""
    values = (scope_no, commit_no, change.at, change.actor, change.action, change.target, detail)
    connection.execute(sql, values)


def scope_number(connection: apsw.Connection, scope: Scope) -> int:
    """Number of a scope; new scopes get one."""
    key = (scope.namespace, scope.environment)
    connection.execute("INSERT OR IGNORE INTO scopes (namespace, environment) VALUES (?, ?)", key)
    return int(
        _one(connection, "SELECT scope_no FROM scopes WHERE namespace = ? AND environment = ?", key)[0]
    )


def _one(connection: apsw.Connection, sql: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = connection.execute(sql, values).fetchone()
    if row is None:
        raise LookupError(f"no row for: {sql}")
    return row
