"""Use case: deploy a document as a closed revision, or only say what would happen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from counterpoint.app.actors import SYSTEM_PREFIX
from counterpoint.app.places import find_workflow
from counterpoint.app.pointers import located
from counterpoint.core.dsl.bundle import Resource, bundle_json, make_resource, resource_values
from counterpoint.core.dsl.loader import check, document_digest, load, unsupported
from counterpoint.core.dsl.model import RunWorkflowTask, Workflow
from counterpoint.core.dsl.walk import tasks_of
from counterpoint.core.dsl.yaml_reader import read
from counterpoint.core.values import JsonValue, Scope
from counterpoint.errors import Conflict, CounterpointError, DefinitionError, NotFound, Problem
from counterpoint.ports.fetch import MAX_RESOURCE_BYTES, Fetcher
from counterpoint.ports.records import RecordStore, Revision, RevisionDraft

MAX_RESOURCES = 64
"""External resources that one document may name."""

HasAction = Callable[[str, str, str], bool]
"""Whether an action exists: its target, version and catalog."""


class DeployRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to deploy.

    Attributes:
        text: The document, YAML or JSON.
        environment: Where to.
        actor: Who deploys.
        folder: Absolute path of the document's folder, for resources named by file; empty for none.
        is_dev: Whether to replace the same version with other content.
        is_dry_run: Whether to store nothing.
    """

    text: str
    environment: str
    actor: str
    folder: str = ""
    is_dev: bool = False
    is_dry_run: bool = False


class Deployment(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What a deploy did, or would do.

    Attributes:
        digest: Digest of document and resources.
        revision: The stored revision; None for a dry run.
        resources: Digest of each fetched resource by address.
    """

    namespace: str
    name: str
    version: str
    digest: str
    revision: Revision | None = None
    warnings: list[Problem] = []
    resources: dict[str, str] = {}


class Validation(msgspec.Struct, frozen=True, rename="camel"):
    """Problems and warnings of a document; valid when all of them are warnings."""

    is_valid: bool
    problems: list[Problem]


class WorkflowDetail(msgspec.Struct, frozen=True, rename="camel"):
    """A revision with its document and all revisions of its workflow, highest version first."""

    revision: Revision
    revisions: list[Revision]
    document: str


class Definitions:
    """Everything that concerns documents: validate, deploy, show.

    Args:
        records: Where revisions are kept.
        fetcher: Reads external resources, once.
        has_action: Tells which functions can be called.
        action_names: Names of the functions that can be called, for hints.
    """

    def __init__(
        self,
        records: RecordStore,
        fetcher: Fetcher,
        has_action: HasAction,
        action_names: Sequence[str] = (),
    ) -> None:
        self._records = records
        self._fetcher = fetcher
        self._has_action = has_action
        self._action_names = tuple(action_names)

    async def validate(self, text: str) -> Validation:
        """All problems of a document at once, without deploying it; unknown functions count."""
        problems = await asyncio.to_thread(check, text)
        if all(problem.is_warning for problem in problems):
            problems.extend(self._unsupported(await asyncio.to_thread(load, text), text))
        return Validation(all(problem.is_warning for problem in problems), problems)

    async def deploy(self, request: DeployRequest) -> Deployment:
        """Check a document, fetch what it names, and store both as a revision.

        Raises:
            DefinitionError: The document has problems, or something that this version does not run.
            Conflict: The version is deployed with other content; names the tasks that differ.
        """
        # A large document takes up to a second of computing: the loop must not wait for it.
        draft = await asyncio.to_thread(load, request.text)
        resources = await self._fetch(draft, request)
        bundle = bundle_json(resources)
        workflow = await asyncio.to_thread(load, request.text, resource_values(bundle)) if bundle else draft
        problems = self._unsupported(workflow, request.text)
        if any(not problem.is_warning for problem in problems):
            raise DefinitionError(problems)
        deployment = Deployment(
            namespace=workflow.namespace,
            name=workflow.name,
            version=workflow.version,
            digest=document_digest(request.text, bundle),
            warnings=[*workflow.warnings, *problems, *await self._missing_children(workflow, request)],
            resources={address: resource.digest for address, resource in resources.items()},
        )
        if request.is_dry_run:
            await self._refuse_conflict(workflow, deployment, request)
            return deployment
        revision = await self._store(workflow, deployment, bundle, request)
        return msgspec.structs.replace(deployment, revision=revision)

    async def active(self, environment: str) -> list[Revision]:
        """Active revision of each workflow of an environment."""
        return await self._records.workflows(Scope("*", environment))

    async def show(self, environment: str, name: str, version: str = "") -> WorkflowDetail:
        """A revision, the active one if no version is given.

        Raises:
            NotFound: No such workflow or version.
        """
        active = await find_workflow(self._records, environment, name)
        revisions = await self._records.revisions(Scope(active.namespace, environment), active.name)
        found = next((r for r in revisions if r.version == version), None) if version else active
        if found is None:
            versions = ", ".join(revision.version for revision in revisions[:10])
            raise NotFound(f"workflow {name!r} has no version {version!r}", f"There is {versions}.")
        document, _ = await self._records.document(found.revision_no)
        return WorkflowDetail(found, revisions, document.decode())

    def _unsupported(self, workflow: Workflow, text: str) -> list[Problem]:
        return located(unsupported(workflow, self._has_action, self._action_names), text)

    async def _missing_children(self, workflow: Workflow, request: DeployRequest) -> list[Problem]:
        """Warnings for child workflows that are not there yet; they may come before a run needs them."""
        found: list[Problem] = []
        for task in tasks_of(workflow):
            if isinstance(task, RunWorkflowTask):
                known = await self._records.revisions(
                    Scope(task.namespace, request.environment), task.workflow
                )
                is_itself = (task.namespace, task.workflow) == (workflow.namespace, workflow.name)
                if not known and not is_itself:
                    message = f"workflow {task.namespace}/{task.workflow} is not deployed yet"
                    found.append(Problem(task.pointer, message, code="missing-child", is_warning=True))
        return located(found, request.text)

    async def _fetch(self, workflow: Workflow, request: DeployRequest) -> dict[str, Resource]:
        addresses = list(dict.fromkeys(workflow.resources))
        if len(addresses) > MAX_RESOURCES:
            raise DefinitionError(
                [Problem("", f"{len(addresses)} external resources; at most {MAX_RESOURCES}")]
            )
        # A token says nothing about the rights of its bearer on the files of this system.
        folder = request.folder if request.actor.startswith(SYSTEM_PREFIX) else ""
        found: dict[str, Resource] = {}
        problems: list[Problem] = []
        for address in addresses:
            try:
                found[address] = _resource(await self._fetcher.fetch(address, folder))
            except CounterpointError as error:
                problems.append(Problem("", f"resource {address} cannot be used: {error}", code="resource"))
        if problems:
            raise DefinitionError(problems)
        return found

    async def _store(
        self, workflow: Workflow, deployment: Deployment, bundle: dict[str, JsonValue], request: DeployRequest
    ) -> Revision:
        draft = RevisionDraft(
            name=workflow.name,
            version=workflow.version,
            digest=deployment.digest,
            document=request.text.encode(),
            bundle=bundle,
            owner=workflow.extras.owner,
            criticality=workflow.extras.criticality,
            is_dev=request.is_dev,
        )
        scope = Scope(workflow.namespace, request.environment)
        try:
            return await self._records.deploy(scope, draft, request.actor)
        except Conflict as error:
            differing = await self._differences(scope, workflow)
            raise Conflict(f"{error}{differing}", error.hint) from error

    async def _refuse_conflict(
        self, workflow: Workflow, deployment: Deployment, request: DeployRequest
    ) -> None:
        scope = Scope(workflow.namespace, request.environment)
        name = f"{workflow.namespace}/{workflow.name}"
        for revision in await self._records.revisions(scope, workflow.name):
            is_same_version = revision.version == workflow.version
            if (
                is_same_version
                and revision.digest != deployment.digest
                and not (revision.is_dev or request.is_dev)
            ):
                differing = await self._differences(scope, workflow)
                raise Conflict(
                    f"version {workflow.version} of {name} is deployed with other content{differing}",
                    "Raise `document.version`, or deploy for development to replace it.",
                )

    async def _differences(self, scope: Scope, workflow: Workflow) -> str:
        for revision in await self._records.revisions(scope, workflow.name):
            if revision.version == workflow.version:
                document, bundle = await self._records.document(revision.revision_no)
                stored = await asyncio.to_thread(load, document, resource_values(bundle))
                return describe_differences(stored.definition, workflow.definition)
        return ""


def describe_differences(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> str:
    """Clause that names what differs between two documents: top-level tasks, else parts of the document."""
    before, after = _tasks(old), _tasks(new)
    changes = [f"{name} (new)" for name in after if name not in before]
    changes += [f"{name} (removed)" for name in before if name not in after]
    changes += [f"{name} (changed)" for name in after if name in before and before[name] != after[name]]
    if not changes and list(before) != list(after):
        changes = ["the order of the tasks"]
    parts = sorted(key for key in {*old, *new} - {"do"} if old.get(key) != new.get(key))
    changes += [f"`{key}`" for key in parts]
    if not changes:
        return "; it differs in its text or its resources"
    return f"; it differs in {', '.join(changes)}"


def _tasks(definition: Mapping[str, JsonValue]) -> dict[str, Any]:
    return {name: task for item in definition.get("do", []) for name, task in item.items()}


def _resource(content: bytes) -> Resource:
    if len(content) > MAX_RESOURCE_BYTES:
        raise DefinitionError([Problem("", f"it is larger than {MAX_RESOURCE_BYTES:,} bytes")])
    source = read(content)
    return make_resource(content.decode(), source.value)
