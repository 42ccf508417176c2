"""R-02: the real server is killed at named places and at random times, again and again; nothing is lost."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from counterpoint.cli.socket_client import SocketClient
from counterpoint.core.values import StepKey, idempotency_key
from counterpoint.errors import CounterpointError, LockLostError
from counterpoint.ports.history import InputKind
from counterpoint.storage.readers import open_reader
from counterpoint.testing.failpoints import NAMES, PLACES
from tests.crash.server import Server, call
from tests.simulation.auditor import identity

FOLDERS = 10
KILLS = 5
"""Kills of one data directory; 50 in all, `make crash` has more."""

STARTS = 12
"""Runs started in one life, if it lasts so long."""

HEAD = "document: {{ dsl: '1.0.3', namespace: default, name: {name}, version: '1.0.0'{extras} }}\ndo:\n"
DOCUMENTS = {
    "plain": HEAD.format(name="plain", extras="")
    + """
  - one: { call: outside.keyed, with: { value: '${ .n % 4 }' } }
  - rest: { wait: { milliseconds: 60 } }
  - both:
      fork:
        branches:
          - a: { call: outside.asked, with: { value: 7 } }
          - b:
              do:
                - b1: { wait: { milliseconds: 30 } }
                - b2: { call: outside.once, with: { value: 8 } }
  - each:
      for: { each: i, in: '${ [3, 2, 1] }' }
      do: [ { act: { call: outside.keyed, with: { value: '${ $i }' } } } ]
  - try:
      try:
        - early: { call: outside.keyed, with: { value: 5 } }
        - fail: { raise: { error: { type: 'https://example.com/errors/over', status: 418 } } }
      catch: { do: [ { after: { call: outside.asked, with: { value: 6 } } } ] }
  - kid: { run: { workflow: { namespace: default, name: kid, version: '1.0.0', input: { n: 1 } } } }
""",
    "kid": HEAD.format(name="kid", extras="")
    + """
  - act: { call: outside.keyed, with: { value: 9 } }
  - rest: { wait: { milliseconds: 40 } }
""",
    "order": HEAD.format(name="order", extras=", metadata: { counterpoint: { startKey: '.order' } }")
    + """
  - act: { call: outside.keyed, with: { value: '${ .order }' } }
""",
}
EXPECTED = {
    "plain": ["one", "both.fork.a", "both.fork.b.do.b2", "try.try.early", "try.catch.after"]
    + [f"each.for[{i}].act" for i in range(3)],
    "kid": ["act"],
    "order": ["act"],
}


class Campaign:
    """Lives and deaths of servers on one data directory."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.data = folder / "data"
        self.outside = folder / "outside.log"
        self.random = random.Random(seed)
        self.accepted: dict[str, str] = {}
        self.orders: dict[int, str] = {}
        self.unknown = 0
        self.deaths: Counter[str] = Counter()

    async def run(self, points: list[str]) -> None:
        """One life for each point, ended by SIGKILL; then one in which all runs end, and the balance."""
        for point in points:
            await self.live(point)
        server = Server(self.data)
        client = await server.client()
        assert client is not None, server.log
        try:
            for run_id in [*self.accepted, *await self.listed(client)]:
                await call(client, "runs.wait", id=run_id)
            await self.check(client)
        finally:
            await client.close()
            code = await server.stop()
        assert code == 0, (code, server.log)
        self.check_tables()

    # -- one life -----------------------------------------------------------------------------------

    async def live(self, point: str) -> None:
        """Start runs until the process dies: at a fail-point, at a random moment, or when all has ended."""
        name = "" if point == "random" else f"{point}:{self.random.choice((1, 2, 5, 11, 23, 60))}"
        server = Server(self.data, name)
        client = await server.client()
        if client is not None:
            loop = asyncio.get_running_loop()
            if point == "random":
                loop.call_later(self.random.uniform(0, 0.8), server.kill)
            await self.use(client)
            await client.close()
        server.kill()
        code = await server.end()
        assert code == -signal.SIGKILL, (code, server.log)
        self.deaths[point] += 1

    async def use(self, client: SocketClient) -> None:
        """Be a few clients at once until the server is gone or all is done."""
        try:
            for text in DOCUMENTS.values():
                await call(client, "workflows.deploy", text=text)
            await asyncio.gather(*(self.start(client, number) for number in range(STARTS)))
        except LockLostError:
            return

    async def start(self, client: SocketClient, number: int) -> None:
        """Start a run and wait for its end."""
        if number % 4 == 3:
            await self.order(client, self.random.randrange(8))
            return
        value = {"n": self.random.randrange(100)}
        try:
            answer = await call(client, "runs.start", workflow="plain", input=value)
        except LockLostError:
            self.unknown += 1
            raise
        self.accepted[answer["runId"]] = "plain"
        await call(client, "runs.wait", id=answer["runId"])

    async def order(self, client: SocketClient, number: int) -> None:
        """Start at most one run per order, however often it is asked for."""
        answer = await call(client, "runs.start", workflow="order", input={"order": number})
        assert self.orders.setdefault(number, answer["runId"]) == answer["runId"], (
            f"order {number} has two runs"
        )
        self.accepted[answer["runId"]] = "order"

    # -- the balance --------------------------------------------------------------------------------

    async def check(self, client: SocketClient) -> None:
        """All oracles, through the socket and against what the outside saw."""
        runs = await self.listed(client)
        assert set(self.accepted) <= set(runs), "acknowledged starts are lost"
        roots = [run for run in runs.values() if run["workflow"] == "plain"]
        silent = [run for run in roots if run["id"] not in self.accepted]
        assert len(silent) <= self.unknown, "runs that nobody asked for"
        assert Counter(run["status"] for run in runs.values()) == Counter({"completed": len(runs)})
        orders = [run for run in runs.values() if run["workflow"] == "order"]
        assert len({(await self.input_of(client, run["id"]))["order"] for run in orders}) == len(orders)
        outcomes: dict[str, dict[str, int]] = {}
        for run_id in runs:
            verified = await call(client, "runs.verify", id=run_id)
            assert verified["isIntact"], verified
            outcomes[run_id] = await self.outcomes_of(client, run_id)
        self.check_effects(runs, outcomes)

    async def listed(self, client: SocketClient) -> dict[str, dict[str, Any]]:
        """All runs by id."""
        found: dict[str, dict[str, Any]] = {}
        before = ""
        while True:
            page = await call(client, "runs.list", limit=200, before=before)
            rows = page["items"]
            found.update({row["id"]: row for row in rows})
            if not page["next"]:
                return found
            before = page["next"]

    async def input_of(self, client: SocketClient, run_id: str) -> Any:
        """Input of a run."""
        history = await call(client, "runs.history", id=run_id, limit=1)
        return history["rows"][0]["payload"]["input"]

    async def outcomes_of(self, client: SocketClient, run_id: str) -> dict[str, int]:
        """Number of the attempt that completed each step."""
        history = await call(client, "runs.history", id=run_id, limit=1000)
        results = [entry for entry in history["rows"] if entry["kind"] == InputKind.RESULT]
        return {
            entry["step"]: entry["payload"]["number"]
            for entry in results
            if entry["payload"]["verdict"] == "done"
        }

    def check_effects(self, runs: dict[str, dict[str, Any]], outcomes: dict[str, dict[str, int]]) -> None:
        """Each effect once where the outside can tell; keys; nothing after its outcome."""
        effects: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        owners: dict[str, tuple[str, str]] = {}
        for line in (json.loads(text) for text in self.outside.read_text().splitlines()):
            step = identity(line["step"])
            place = (line["run"], step)
            assert line["key"] == idempotency_key(line["run"], StepKey(line["step"], step)), line
            assert owners.setdefault(line["key"], place) == place, line
            done = outcomes[line["run"]].get(line["step"])
            assert done is not None, f"{line} has no outcome"
            assert line["attempt"] <= done, f"{line} came after the outcome of attempt {done}"
            if line["kind"] == "effect":
                effects[place][line["action"]] += 1
        for run_id, run in runs.items():
            for step in EXPECTED[run["workflow"]]:
                made = effects.pop((run_id, f"do.{step}"), Counter())
                action, count = next(iter(made.items()), ("none", 0))
                assert count == 1 or (action == "once" and count > 1), f"{run_id} {step}: {made}"
        assert not effects, "effects that no document asks for"

    def check_tables(self) -> None:
        """Nothing is left over for runs that have ended."""
        connection = open_reader(self.data / "counterpoint.db")
        for table in ("timers", "inbox"):
            assert connection.execute(f"SELECT count(*) FROM {table}").get == 0, table
        connection.close()


def points_of(turn: int, count: int) -> list[str]:
    """Fail-points in turn, with a kill at a random time at every third place."""
    named = [NAMES[(turn * count + index) % len(NAMES)] for index in range(count)]
    return ["random" if index % 3 == 2 else name for index, name in enumerate(named)]


@pytest.mark.parametrize("turn", range(FOLDERS))
async def test_a_killed_server_loses_and_doubles_nothing(
    tmp_path: Path, seed: int, scale: int, turn: int
) -> None:
    for repeat in range(scale):
        number = seed * 1_000 + turn * 50 + repeat
        folder = tmp_path / str(repeat)
        folder.mkdir()
        campaign = Campaign(folder, number)
        try:
            await campaign.run(points_of(turn + repeat * FOLDERS, KILLS))
        except (AssertionError, CounterpointError) as failure:
            raise AssertionError(f"kills of the seed {number}: {failure}") from failure
        assert sum(campaign.deaths.values()) == KILLS


def test_every_place_has_its_fail_points() -> None:
    assert {name.partition(".")[0] for name in NAMES} == set(PLACES)
    for install, owner, method in PLACES.values():
        assert callable(install)
        assert callable(getattr(owner, method))
