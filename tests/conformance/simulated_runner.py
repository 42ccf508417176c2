"""Runs cases in the simulation: the engine's logic and storage on a seeded scheduler, with virtual time.

HTTP is real all the same, but takes no virtual time: an attempt runs a loop of its own to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from counterpoint.core.context import Invocation
from counterpoint.core.dsl.model import Workflow
from counterpoint.core.dsl.versions import highest, highest_release
from counterpoint.core.expr.program import Variables
from counterpoint.core.values import Instant, JsonValue, Scope
from counterpoint.engines.embedded.inputs import Input
from counterpoint.engines.embedded.retries import fault_rows
from counterpoint.errors import DefinitionError, NotFound
from counterpoint.ports.connectors import ActionInfo, Attempt, AttemptResult
from counterpoint.ports.engine import Deployed, Started
from counterpoint.ports.expressions import ExpressionWorker
from counterpoint.ports.history import InputKind
from counterpoint.testing.conformance import Case, Observed, Signal
from counterpoint.testing.simulation import Simulation
from counterpoint.testing.stand_ins import StandIns
from counterpoint.testing.stub_http import StubHttp
from counterpoint.testing.tracing import traced
from counterpoint.testing.virtual_host import Pause
from tests.conformance.surroundings import compiled, http_target, refusal_of

BUSY = 100_000
"""Microseconds: a longer gap between two events means that everything rests; work takes a few thousand."""

LEAD = 8_000_000
"""Microseconds before a timer at which the clock is set: the engine's alarm then finds it to the point."""

FOREVER_S = 1e9
ENDED = ("completed", "faulted", "cancelled")


class CaseRevisions:
    """The documents of a case by name and version (`ports.engine.Revisions`)."""

    def __init__(self, documents: list[Workflow]) -> None:
        self._deployed = [Deployed(Scope(d.namespace), 1, n, n, d) for n, d in enumerate(documents, 1)]

    def resolve(self, scope: Scope, name: str, version: str = "") -> Deployed:
        """See `Revisions.resolve`."""
        found = {d.workflow.version: d for d in self._deployed if d.workflow.name == name}
        wanted = {"": highest(found), "latest": highest_release(found)}.get(version, version)
        if wanted not in found or wanted is None:
            raise NotFound(f"there is no workflow {name}:{version}")
        return found[wanted]

    def is_warm(self, scope: Scope, name: str, version: str = "") -> bool:
        """See `Revisions.is_warm`."""
        return True

    def by_number(self, revision_no: int) -> Deployed:
        """See `Revisions.by_number`."""
        return self._deployed[revision_no - 1]


class Timeless:
    """HTTP in no virtual time (`ports.connectors.Connectors`)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stub: StubHttp) -> None:
        self._loop = loop
        self._http = http_target(stub)

    def describe(self, invocation: Invocation) -> ActionInfo | None:
        """See `Connectors.describe`."""
        return self._http.describe(invocation) if invocation.target == "http" else None

    async def perform(self, attempt: Attempt) -> AttemptResult:
        """See `Connectors.perform`."""
        return self._loop.run_until_complete(self._http.perform(attempt))

    async def confirm(self, attempt: Attempt) -> AttemptResult | None:
        """See `Connectors.confirm`."""
        return None

    async def close(self) -> None:
        """See `Connectors.close`."""
        await self._http.close()


class SimulatedRunner:
    """Runs cases one after another, each in a simulation of its own; synchronous, as the simulation is.

    Args:
        folder: Where databases go.
        loop: A loop that is not running; HTTP and the expression worker use it.
        worker: Evaluates foreign programs.
        seed: Decides the schedule.
    """

    def __init__(
        self, folder: Path, loop: asyncio.AbstractEventLoop, worker: ExpressionWorker, seed: int
    ) -> None:
        self._folder = folder
        self._loop = loop
        self._worker = worker
        self._seed = seed
        self._count = 0

    def run(self, case: Case) -> Observed:
        """Observe a case."""
        stub = self._wait(StubHttp(case.http).__aenter__())
        timeless = Timeless(self._loop, stub)

        async def forever() -> None:
            await Pause(FOREVER_S)

        stand_ins = StandIns(case.actions, timeless, forever)
        try:
            documents, warnings = compiled(case, stand_ins.has_action)
        except DefinitionError as refused:
            return refusal_of(refused)
        else:
            return self._simulate(case, documents, warnings, stand_ins, stub)
        finally:
            self._wait(timeless.close())
            self._wait(stub.__aexit__())

    def _simulate(
        self, case: Case, documents: list[Workflow], warnings: list[str], stand_ins: StandIns, stub: StubHttp
    ) -> Observed:
        trace: list[str] = []
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        simulation = Simulation(folder, self._seed, [], stand_ins, self._evaluate)
        simulation.revisions = CaseRevisions([traced(document, trace.append) for document in documents])
        simulation.boot()
        try:
            seen = SimulatedRun(simulation, case, documents[0].name, stand_ins).observe()
        finally:
            simulation.crash()
        seen.warnings, seen.trace = warnings, trace
        seen.calls, seen.action_calls = stub.calls, stand_ins.calls
        return seen

    def _evaluate(self, text: str, value: JsonValue, variables: Variables) -> JsonValue:
        return self._wait(self._worker.evaluate(text, value, variables))

    def _wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(coroutine)


class SimulatedRun:
    """One case in a booted simulation."""

    def __init__(self, simulation: Simulation, case: Case, name: str, stand_ins: StandIns) -> None:
        self._simulation = simulation
        self._case = case
        self._name = name
        self._stand_ins = stand_ins

    def observe(self) -> Observed:
        """Start, follow the signals, let time pass until the end, and tell what was seen."""
        simulation, started = self._simulation, []

        def took(answer: Started | None, error: Exception | None) -> None:
            if error is not None:
                raise error
            started.append(answer)

        for _ in range(self._case.starts):
            simulation.start(self._name, self._case.input, took)
        self._settle()
        ids = {answer.run_id for answer in started if answer is not None}
        runs = [number for number, public, _ in simulation.runs() if public in ids]
        complaints = []
        for number, signal in enumerate(self._case.control):
            complaints += [f"signal {number}: {text}" for text in self._signal(runs[0], signal)]
        self._pass_time(runs)
        return self._seen(runs, complaints)

    def _seen(self, runs: list[int], complaints: list[str]) -> Observed:
        simulation = self._simulation
        histories = [simulation.history(number) for number in runs]
        seen = Observed(status=self._status(runs[-1]), complaints=complaints)
        began = min(history[0].at for history in histories)
        seen.elapsed_ms = (max(history[-1].at for history in histories) - began) / 1000
        result = simulation.result(runs[-1], "")
        if result is not None and result.status in ("completed", "faulted"):
            plain = msgspec.json.decode(msgspec.json.encode(result))
            seen.output, seen.outcome = plain.get("output"), plain.get("outcome")
            seen.fault = result.fault.as_json() if result.fault is not None else {}
        return seen

    def _signal(self, run: int, signal: Signal) -> list[str]:
        complaints = []
        if signal.status and (status := self._status(run)) != signal.status:
            complaints.append(f"expected {signal.status}, was {status}")
        if signal.action_calls is not None and (made := len(self._stand_ins.calls)) != signal.action_calls:
            complaints.append(f"expected {signal.action_calls} calls, were {made}")
        if signal.advance_ms:
            self._advance(self._simulation.host.now() + signal.advance_ms * 1000)
        match signal.do:
            case "suspend":
                self._simulation.control(run, InputKind.SUSPEND)
            case "resume":
                self._resume(run)
            case "cancel":
                self._cancel(run)
        self._settle()
        return complaints

    def _resume(self, run: int) -> None:
        """Go on with a run: one that an operator suspended resumes, one that paused tries again."""
        history = self._simulation.history(run)
        if history[-1].end is None:
            self._simulation.control(run, InputKind.RESUME)
            return
        kernel = self._simulation.kernel
        voids = {"voids": sorted(fault_rows(history))}
        given = Input(InputKind.RETRY, self._simulation.host.now(), payload=voids, actor="tester")
        kernel.loading.load(run, lambda execution: execution.inputs.append(given), _raise, is_retry=True)

    def _cancel(self, run: int) -> None:
        """Cancel a run, also one that paused."""
        given = Input(InputKind.CANCEL, self._simulation.host.now(), payload={}, actor="tester")
        self._simulation.kernel.deliver(run, lambda execution: given, _refused)

    def _pass_time(self, runs: list[int]) -> None:
        while not all(self._status(number) in ENDED for number in runs):
            due = self._next_due()
            if due is None:
                return
            self._jump(due)

    def _advance(self, until: Instant) -> None:
        while (due := self._next_due()) is not None and due <= until:
            self._jump(due)
        self._jump(until)

    def _jump(self, instant: Instant) -> None:
        """Let time pass until an instant: most of it at once, the last seconds event by event."""
        simulation = self._simulation
        simulation.time.skew += max(0, instant - LEAD - simulation.host.now())
        while (left := instant - simulation.host.now()) > 0:
            following = simulation.time.next_at()
            # The last microsecond is less than the scheduler can wait for.
            if following is None or following - simulation.time.true > left or left == 1:
                simulation.time.skew += left
            else:
                simulation.time.step()
        self._settle()

    def _settle(self) -> None:
        time = self._simulation.time
        while (following := time.next_at()) is not None and following - time.true <= BUSY:
            time.step()

    def _next_due(self) -> Instant | None:
        now = self._simulation.host.now()
        return min((due for due, _, _ in self._simulation.timers() if due > now), default=None)

    def _status(self, run: int) -> str:
        return next(status.word for number, _, status in self._simulation.runs() if number == run)


def _refused(error: Exception) -> None:
    raise error


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error
