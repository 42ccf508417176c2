"""Compiled revisions for the engine: a look-up in memory when warm, one short read when cold."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from threading import RLock
from typing import Any, Protocol

import apsw

from counterpoint.core.dsl.bundle import resource_values
from counterpoint.core.dsl.loader import load
from counterpoint.core.dsl.model import Workflow
from counterpoint.core.dsl.versions import highest_release, precedence
from counterpoint.core.values import JsonValue, Scope, decode_json
from counterpoint.errors import NotFound
from counterpoint.ports.engine import Deployed

MAX_COMPILED = 1_000
"""Compiled revisions kept in memory; the oldest goes first."""

MAX_NAMES = 10_000
"""Names of versions kept in memory."""

LATEST = "latest"
"""Version that stands for the highest release."""

_BY_NUMBER = """SELECT s.namespace, s.environment, r.scope_no, r.workflow_no, r.document, r.bundle
    FROM revisions r JOIN scopes s ON s.scope_no = r.scope_no WHERE r.revision_no = ?"""

_WORKFLOW = """SELECT w.workflow_no, w.active_revision FROM workflows w
    JOIN scopes s ON s.scope_no = w.scope_no WHERE s.namespace = ? AND s.environment = ? AND w.name = ?"""


class Compiler(Protocol):
    """Compiles a document with its resources."""

    def __call__(self, text: bytes, resources: Mapping[str, JsonValue]) -> Workflow:
        """The compiled document."""
        ...


class SqliteRevisions:
    """Compiled revisions (`ports.engine.Revisions`).

    Args:
        connection: Read-only connection of its own; used by one thread at a time.
        compiler: Compiles a document; the loader unless a test counts its calls.
    """

    def __init__(self, connection: apsw.Connection, compiler: Compiler = load) -> None:
        self._connection = connection
        self._compiler = compiler
        self._names: dict[tuple[Scope, str, str], Deployed] = {}
        self._compiled: OrderedDict[int, Deployed] = OrderedDict()
        # One thread compiles at a time, so that a document that many wait for is compiled once.
        self._cold = RLock()
        self._changes = 0

    def is_warm(self, scope: Scope, name: str, version: str = "") -> bool:
        """Whether a look-up needs neither the database nor the compiler."""
        return (scope, name, version) in self._names

    def resolve(self, scope: Scope, name: str, version: str = "") -> Deployed:
        """Revision of a workflow."""
        key = (scope, name, version)
        known = self._names.get(key)
        if known is not None:
            return known
        with self._cold:
            changes = self._changes
            found = self.by_number(self._number(scope, name, version))
            if len(self._names) >= MAX_NAMES:
                self._names.clear()
            # What was deployed while a thread compiled must be found by the next look-up.
            if changes == self._changes:
                self._names[key] = found
        return found

    def by_number(self, revision_no: int) -> Deployed:
        """Revision that a run started on."""
        known = self._compiled.get(revision_no)
        if known is not None:
            return known
        with self._cold:
            return self._compiled.get(revision_no) or self._compile(revision_no)

    def _compile(self, revision_no: int) -> Deployed:
        rows = self._rows(_BY_NUMBER, (revision_no,))
        if not rows:
            raise NotFound(f"no revision number {revision_no}")
        namespace, environment, scope_no, workflow_no, document, bundle = rows[0]
        workflow = self._compiler(document, resource_values(decode_json(bundle)))
        found = Deployed(Scope(namespace, environment), scope_no, workflow_no, revision_no, workflow)
        self._compiled[revision_no] = found
        if len(self._compiled) > MAX_COMPILED:
            self._compiled.popitem(last=False)
        return found

    def forget(self, scope: Scope, name: str) -> None:
        """Look a workflow up again the next time: something was deployed under its name."""
        self._changes += 1
        for key in [key for key in self._names if key[0] == scope and key[1] == name]:
            del self._names[key]

    def _number(self, scope: Scope, name: str, version: str) -> int:
        rows = self._rows(_WORKFLOW, (scope.namespace, scope.environment, name))
        if not rows:
            raise NotFound(
                f"no workflow {name!r} in namespace {scope.namespace!r}, environment {scope.environment!r}",
                _nearest_hint(name, self._known_names(scope)),
            )
        workflow_no, active = rows[0]
        if not version and active is not None:
            return int(active)
        sql = "SELECT version, revision_no FROM revisions WHERE workflow_no = ? AND replaced_by IS NULL"
        numbers: dict[str, int] = dict(self._rows(sql, (workflow_no,)))
        wanted = highest_release(numbers) if version == LATEST else version
        if wanted not in numbers:
            versions = sorted(numbers, key=precedence, reverse=True)
            raise NotFound(
                f"workflow {name!r} has no version {version!r}", f"There is {', '.join(versions[:10])}."
            )
        return numbers[wanted]

    def _known_names(self, scope: Scope) -> list[str]:
        sql = """SELECT w.name FROM workflows w JOIN scopes s ON s.scope_no = w.scope_no
                 WHERE s.namespace = ? AND s.environment = ? ORDER BY w.name LIMIT 1000"""
        return [row[0] for row in self._rows(sql, (scope.namespace, scope.environment))]

    def _rows(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()


def _nearest_hint(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"There is {', '.join(known[:10])}." if known else "Nothing is deployed there yet."
