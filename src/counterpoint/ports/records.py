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


class ActorRecord(msgspec.Struct, frozen=True, rename="camel"):
    """A local actor, without its token."""

    name: str
    created: Instant
    created_by: str
    is_disabled: bool


class StuckGroup(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Faulted and paused runs that share a cause.

    Attributes:
        group: Name of the group, made of code, workflow, place, fault type and status.
        code: Code of the cause, such as `fault` or `inDoubt`.
        workflow: Name of the workflow.
        pointer: Place in the document.
        task: Name of the task.
        error: Type of the fault.
        status: Status of the fault.
        count: Number of runs.
        oldest: Start of the oldest of them.
        example: Id of the oldest of them.
        why: What happened to that one.
        next: What to do about that one.
    """

    group: str
    code: str
    namespace: str
    workflow: str
    count: int
    oldest: Instant
    example: str
    pointer: str = ""
    task: str = ""
    error: str = ""
    status: int = 0
    why: str = ""
    next: str = ""


class StuckReport(msgspec.Struct, frozen=True, rename="camel"):
    """Groups, the largest first; `is_complete` is false when there are more runs than one look may read."""

    groups: list[StuckGroup]
    is_complete: bool = True


class StuckRuns(Protocol):
    """Finds what is stuck: runs that faulted or paused."""

    async def groups(self, scope: Scope) -> StuckReport:
        """Stuck runs grouped by cause."""
        ...

    async def members(self, scope: Scope, group: str, after: int = 0, limit: int = 500) -> list[RunRecord]:
        """Runs of one group, the oldest first, from the one after run number `after`."""
        ...


class RecordStore(Protocol):
    """Records of the control plane. Every change writes its audit row in the same transaction.

    Reading methods take `*` as the namespace of the scope for all namespaces of its environment.
    """

    async def deploy(self, scope: Scope, draft: RevisionDraft, actor: str) -> Revision:
        """Store a revision and make the highest release active; the same content gives the same revision.

        Raises:
            Conflict: The version exists with other content; neither it nor the draft is for development.
        """
        ...

    async def workflows(self, scope: Scope) -> list[Revision]:
        """Active revision of each workflow."""
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

    async def disable_actor(self, name: str, actor: str) -> None:
        """Make an actor's token worthless.

        Raises:
            NotFound: No such actor.
        """
        ...

    async def actor_by_token(self, token_digest: bytes) -> str | None:
        """Name of the enabled actor with that token."""
        ...

    async def actors(self) -> list[ActorRecord]:
        """All local actors by name."""
        ...

    async def audit(self, scope: Scope, before: int = 0, limit: int = 100) -> list[AuditEntry]:
        """Audit rows, newest first."""
        ...
