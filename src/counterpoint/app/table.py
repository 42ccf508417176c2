"""The table of all operations: what each takes and which use case handles it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import PurePath
from typing import Any

import msgspec

from counterpoint.app import params as shapes
from counterpoint.app.actors import Actors
from counterpoint.app.bulk import BulkProgress, BulkRetry, StuckControl
from counterpoint.app.control import RunControl
from counterpoint.app.deploy import Definitions, Deployment, DeployRequest, HasAction
from counterpoint.app.effects import Effects
from counterpoint.app.explain import Explain
from counterpoint.app.inspect import Inspection
from counterpoint.app.operations import Operation, Operations
from counterpoint.app.places import everywhere, find_run, scope_of
from counterpoint.errors import InvalidRequest
from counterpoint.ports.connectors import Connectors
from counterpoint.ports.engine import Engine, RunEvent, Started, StartRun
from counterpoint.ports.fetch import Fetcher
from counterpoint.ports.history import Histories
from counterpoint.ports.maintenance import BackupProgress, Maintenance
from counterpoint.ports.records import RecordStore, RunQuery, StuckRuns


class Ports(msgspec.Struct, frozen=True):
    """All that the use cases stand on.

    Attributes:
        has_action: Whether an action exists: target, version, catalog.
        action_names: Names of all actions, for hints.
    """

    records: RecordStore
    stuck: StuckRuns
    engine: Engine
    histories: Histories
    connectors: Connectors
    maintenance: Maintenance
    fetcher: Fetcher
    has_action: HasAction
    action_names: tuple[str, ...] = ()


def build_operations(ports: Ports) -> Operations:
    """All operations on the given ports."""
    return Operations(
        {
            **_definitions(ports),
            **_control(ports),
            **_inspection(ports),
            **_stuck(ports),
            **_house(ports),
        }
    )


def _definitions(ports: Ports) -> dict[str, Operation]:
    definitions = Definitions(ports.records, ports.fetcher, ports.has_action, ports.action_names)

    async def validate(params: shapes.DocumentParams, actor: str) -> Any:
        return await definitions.validate(params.text)

    async def deploy(params: shapes.DeployParams, actor: str) -> Deployment:
        request = DeployRequest(
            text=params.text,
            environment=params.environment,
            actor=actor,
            folder=params.folder,
            is_dev=params.is_dev,
            is_dry_run=params.is_dry_run,
        )
        return await definitions.deploy(request)

    async def show(params: shapes.WorkflowParams, actor: str) -> Any:
        return await definitions.show(params.environment, params.name, params.version)

    async def listed(params: shapes.Nothing, actor: str) -> Any:
        return await definitions.active(params.environment)

    return {
        "workflows.validate": Operation(shapes.DocumentParams, validate),
        "workflows.deploy": Operation(shapes.DeployParams, deploy, is_change=True),
        "workflows.list": Operation(shapes.Nothing, listed),
        "workflows.show": Operation(shapes.WorkflowParams, show),
    }


def _control(ports: Ports) -> dict[str, Operation]:
    control = RunControl(ports.records, ports.engine)

    async def start(params: shapes.StartParams, actor: str) -> Started:
        request = StartRun(
            workflow=params.workflow,
            input=params.input,
            actor=actor,
            version=params.version,
            trigger=params.trigger,
            correlation_id=params.correlation_id,
            traceparent=params.traceparent,
        )
        return await control.start(params.environment, request)

    async def listed(params: shapes.RunListParams, actor: str) -> Any:
        query = RunQuery(params.workflow, params.status, params.before, params.limit)
        return await control.list(params.environment, query)

    async def watch(params: shapes.RunParams, actor: str) -> AsyncIterator[RunEvent]:
        run = await find_run(ports.records, params.environment, params.id)
        async for event in ports.engine.watch(scope_of(run), run.id):
            yield event

    async def wait(params: shapes.RunParams, actor: str) -> Any:
        return await control.wait(params.environment, params.id)

    async def cancel(params: shapes.CommandParams, actor: str) -> Any:
        return await control.cancel(params.environment, params.id, actor, params.reason)

    async def suspend(params: shapes.CommandParams, actor: str) -> Any:
        return await control.suspend(params.environment, params.id, actor, params.reason)

    async def resume(params: shapes.RunParams, actor: str) -> Any:
        return await control.resume(params.environment, params.id, actor)

    async def retry(params: shapes.RunParams, actor: str) -> Any:
        return await control.retry(params.environment, params.id, actor)

    return {
        "runs.start": Operation(shapes.StartParams, start, is_change=True),
        "runs.wait": Operation(shapes.RunParams, wait),
        "runs.list": Operation(shapes.RunListParams, listed),
        "runs.watch": Operation(shapes.RunParams, stream=watch),
        "runs.cancel": Operation(shapes.CommandParams, cancel, is_change=True),
        "runs.suspend": Operation(shapes.CommandParams, suspend, is_change=True),
        "runs.resume": Operation(shapes.RunParams, resume, is_change=True),
        "runs.retry": Operation(shapes.RunParams, retry, is_change=True),
    }


def _inspection(ports: Ports) -> dict[str, Operation]:
    inspection = Inspection(ports.records, ports.histories)
    explain = Explain(ports.records, ports.histories)
    effects = Effects(ports.records, ports.histories, ports.connectors)

    async def history(params: shapes.HistoryParams, actor: str) -> Any:
        return await inspection.history(params.environment, params.id, params.after, params.limit)

    return {
        "runs.show": Operation(shapes.RunParams, _of_run(inspection.show)),
        "runs.explain": Operation(shapes.RunParams, _of_run(explain.run)),
        "runs.effects": Operation(shapes.RunParams, _of_run(effects.report)),
        "runs.history": Operation(shapes.HistoryParams, history),
        "runs.verify": Operation(shapes.RunParams, _of_run(inspection.verify)),
    }


def _of_run(look: Callable[[str, str], Awaitable[Any]]) -> Callable[[Any, str], Awaitable[Any]]:
    async def handle(params: shapes.RunParams, actor: str) -> Any:
        return await look(params.environment, params.id)

    return handle


def _stuck(ports: Ports) -> dict[str, Operation]:
    control = StuckControl(ports.stuck, ports.records, ports.engine, ports.histories)

    async def groups(params: shapes.Nothing, actor: str) -> Any:
        return await control.groups(params.environment)

    def retry(params: shapes.BulkParams, actor: str) -> AsyncIterator[BulkProgress]:
        request = BulkRetry(
            environment=params.environment,
            group=params.cause,
            actor=actor,
            rate=params.rate,
            limit=params.limit,
            canary_timeout_s=params.canary_timeout_s,
        )
        return control.retry(request)

    return {
        "runs.stuck": Operation(shapes.Nothing, groups),
        "runs.retryBulk": Operation(shapes.BulkParams, stream=retry, is_change=True),
    }


def _house(ports: Ports) -> dict[str, Operation]:
    actors = Actors(ports.records)

    async def add(params: shapes.ActorParams, actor: str) -> Any:
        return await actors.add(params.name, actor)

    async def disable(params: shapes.ActorParams, actor: str) -> None:
        await actors.disable(params.name, actor)

    async def listed(params: shapes.Nothing, actor: str) -> Any:
        return await actors.list()

    async def audit(params: shapes.AuditParams, actor: str) -> Any:
        return await ports.records.audit(everywhere(params.environment), params.before, params.limit)

    def backup(params: shapes.BackupParams, actor: str) -> AsyncIterator[BackupProgress]:
        if not PurePath(params.target).is_absolute():
            raise InvalidRequest("`target` must be an absolute path", "The owner may run in another folder.")
        return ports.maintenance.backup(params.target)

    async def examine(params: shapes.Nothing, actor: str) -> Any:
        return await ports.maintenance.examine()

    async def info(params: shapes.Nothing, actor: str) -> Any:
        return {**msgspec.to_builtins(await ports.maintenance.info()), "actor": actor}

    return {
        "actors.add": Operation(shapes.ActorParams, add, is_change=True),
        "actors.disable": Operation(shapes.ActorParams, disable, is_change=True),
        "actors.list": Operation(shapes.Nothing, listed),
        "audit.list": Operation(shapes.AuditParams, audit),
        "backup.create": Operation(shapes.BackupParams, stream=backup, is_change=True),
        "doctor.run": Operation(shapes.Nothing, examine),
        "system.info": Operation(shapes.Nothing, info),
    }
