"""Use cases on real records, with engine, histories and connectors given by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from counterpoint.app import Operations, Ports, build_operations
from counterpoint.app.places import everywhere
from counterpoint.core.context import Invocation
from counterpoint.core.values import Status, encode_json
from counterpoint.ports.advice import Circumstance, advise
from counterpoint.ports.connectors import ActionInfo, Idempotency
from counterpoint.ports.history import HistoryEntry
from counterpoint.testing.fakes import (
    GivenActions,
    GivenHistories,
    GivenResources,
    QuietMaintenance,
    ScriptedEngine,
)
from tests.unit.app.histories import UNAVAILABLE
from tests.unit.stores.conftest import House

TICKETS = """
document: {dsl: '1.0.3', namespace: support, name: tickets, version: '1.0.0'}
do:
  - create:
      call: desk.create
      with: {title: '${ .title }'}
  - look:
      call: http
      with: {method: get, endpoint: 'http://crm.example/accounts'}
"""

ACTIONS = {
    "desk.create": ActionInfo(Idempotency.KEY),
    "chat.tell": ActionInfo(Idempotency.NONE),
    "crm.put": ActionInfo(Idempotency.NATURAL),
    "crm.read": ActionInfo(Idempotency.NATURAL, is_effect=False),
}


class ReadingActions(GivenActions):
    """The given actions, and HTTP, whose method decides."""

    def describe(self, invocation: Invocation) -> ActionInfo | None:
        """What is given; a GET changes nothing."""
        if invocation.target == "http":
            return ActionInfo(is_effect=invocation.arguments["method"] != "GET")
        return super().describe(invocation)


class Desk:
    """Operations on a database in a folder."""

    def __init__(self, folder: Path) -> None:
        self.house = House(folder)
        self.engine = ScriptedEngine()
        self.histories = GivenHistories({})
        self.resources = GivenResources({"ticket.json": b'{"type": "object"}'})
        self.ports = Ports(
            records=self.house.records,
            stuck=self.house.stuck,
            engine=self.engine,
            histories=self.histories,
            connectors=ReadingActions(ACTIONS),
            maintenance=QuietMaintenance(),
            fetcher=self.resources,
            has_action=lambda target, version, catalog: target in ACTIONS,
        )
        self.operations: Operations = build_operations(self.ports)
        self._revision: Any = None

    async def call(self, name: str, actor: str = "os:ann", /, **params: Any) -> Any:
        """Result of an operation."""
        return await self.operations.call(name, params, actor)

    async def stream(self, name: str, actor: str = "os:ann", /, **params: Any) -> list[Any]:
        """All results of an operation that gives them as they come."""
        return [item async for item in self.operations.stream(name, params, actor)]

    async def run(self, rows: list[HistoryEntry], status: str = "completed", cause: str = "") -> str:
        """A stored run with a history; gives its id."""
        if self._revision is None:
            await self.call("workflows.deploy", text=TICKETS)
            self._revision = (await self.house.records.workflows(everywhere("default")))[0]
        number = Status[status.upper()]
        run_id = (await self.house.add_runs(self._revision, 1, status=number, cause=cause or None))[0]
        self.histories.give(run_id, rows)
        return run_id


def cause(code: str = "fault", **more: Any) -> str:
    """Stored cause of a run that is stuck at `create`."""
    facts: dict[str, Any] = {
        "code": code,
        "run_id": "r",
        "namespace": "support",
        "workflow": "tickets",
        "pointer": "/do/0/create",
        "task": "create",
        "step": "create",
        "target": "desk.create",
        "fault": UNAVAILABLE,
        "attempts": 2,
    }
    return encode_json(advise(Circumstance(**{**facts, **more})).as_json()).decode()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Operations on an empty database."""
    desk = Desk(tmp_path / "data")
    yield desk
    desk.house.close()
