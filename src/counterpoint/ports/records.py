"""Port of the control-plane records: workflows, revisions, runs as rows, actors, audit."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from counterpoint.core.values import Instant, JsonValue, Scope


class RevisionDraft(msgspec.Struct, frozen=True):
    """A revision about to be deployed.

    Attributes:
        name: Workflow name.
        version: Semantic version.
        digest: SHA-256 (hex) over document and bundle.
        document: Source text of the document, UTF-8.
        bundle: Fetched resources by address: digest and text.
        owner: Owner, or empty.
        criticality: Criticality, or empty.
        is_dev: Whether it may replace the same version with other content.
    """

    name: str
    version: str
    digest: str
    document: bytes
    bundle: dict[str, JsonValue]
    owner: str = ""
    criticality: str = ""
    is_dev: bool = False


class Revision(msgspec.Struct, frozen=True, rename="camel"):
    """A deployed revision as a record (without its document)."""

    revision_no: int
    namespace: str
    name: str
    version: str
    digest: str
    deployed: Instant
    actor: str
    owner: str
    criticality: str
    is_active: bool
    is_dev: bool = False
    is_new: bool = True


class RunRecord(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A run as a row.

    Attributes:
        cause: Of a paused or faulted run: `where`, `why`, `next`, `code`, `fault`, `step`.
    """

    id: str
    run_no: int
    namespace: str
    environment: str
    workflow: str
    version: str
    revision_no: int
    status: str
    started: Instant
    actor: str
    correlation_id: str
    trace_id: str
    ended: Instant | None = None
    start_key: str | None = None
    parent_id: str | None = None
    outcome: str | None = None
    cause: dict[str, Any] | None = None


class RunQuery(msgspec.Struct, frozen=True):
    """Which runs to list, newest first; `before` is the cursor of the page before."""

    workflow: str = ""
    status: str = ""
    before: str = ""
    limit: int = 50


class Page(msgspec.Struct, frozen=True):
    """Items and the cursor of the next page, empty at the end."""

    items: list[Any]
    next: str = ""


class AuditEntry(msgspec.Struct, frozen=True, rename="camel"):
    """One recorded change."""

    audit_no: int
    at: Instant
    actor: str
    action: str
    target: str
    detail: dict[str, JsonValue]


class RecordStore(Protocol):
    """Records of the control plane. Every change writes its audit row in the same transaction."""

    async def deploy(self, scope: Scope, draft: RevisionDraft, actor: str) -> Revision:
        """Store a revision and make the highest release active. The same content again gives the same revision.

        Raises:
            Conflict: The version exists with other content, and is no development revision.
        """
        ...

    async def workflows(self, scope: Scope) -> list[Revision]:
        """Active revision of each workflow of the environment (all namespaces when the scope's is `*`)."""
        ...

    async def revisions(self, scope: Scope, name: str) -> list[Revision]:
        """All revisions of a workflow, newest first."""
        ...

    async def document(self, revision_no: int) -> tuple[bytes, dict[str, JsonValue]]:
        """Document and bundle of a revision."""
        ...

    async def run(self, scope: Scope, run_id: str) -> RunRecord:
        """A run by id, or by a unique prefix of at least 6 characters.

        Raises:
            NotFound: No such run; or the prefix fits several.
        """
        ...

    async def runs(self, scope: Scope, query: RunQuery) -> Page:
        """A page of runs."""
        ...

    async def children(self, scope: Scope, run_id: str) -> list[RunRecord]:
        """Child runs."""
        ...

    async def add_actor(self, name: str, token_digest: bytes, actor: str) -> None:
        """Add a local actor.

        Raises:
            Conflict: The name is taken.
        """
        ...

    async def actor_by_token(self, token_digest: bytes) -> str | None:
        """Name of the enabled actor with that token."""
        ...

    async def actors(self) -> list[str]:
        """Names of all actors."""
        ...

    async def audit(self, scope: Scope, before: int = 0, limit: int = 100) -> list[AuditEntry]:
        """Audit rows, newest first."""
        ...
