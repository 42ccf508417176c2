"""Random weather over a simulation: clients, deaths, outages and clock jumps, all drawn from one seed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import jq
import msgspec

from counterpoint.core.expr.program import ExpressionFailed
from counterpoint.core.values import MICROS_PER_S, JsonValue, Status
from counterpoint.engines.embedded.kernel import Kernel
from counterpoint.engines.embedded.replay import last_end
from counterpoint.ports.history import InputKind
from counterpoint.testing.simulation import Simulation
from counterpoint.testing.world import World
from tests.simulation.auditor import Auditor, require

DOCUMENTS = sorted((Path(__file__).parent / "documents").glob("*.yaml"))
"""Workflows that together use every task kind."""

NAMES = [path.stem for path in DOCUMENTS]
HOUR = 3600 * MICROS_PER_S
MOST_STEPS = 200_000


class Forecast(msgspec.Struct, frozen=True):
    """How bad the weather gets: chances at each event, and shares of attempts.

    Attributes:
        starts: A client starts a run.
        controls: A client suspends, resumes, cancels or retries a run.
        deaths: The process dies.
        jumps: The wall clock jumps.
        looks: Every idle run in memory is compared with its replay.
        trouble: Attempts that fail.
        bars: Attempts at `world.barred` that fail for good.
    """

    starts: float = 0.02
    controls: float = 0.006
    deaths: float = 0.003
    jumps: float = 0.0005
    looks: float = 0.003
    trouble: float = 0.15
    bars: float = 0.3


def forget_from(kernel: Kernel, rows: int) -> None:
    """Let a kernel compact histories from so many live rows on."""
    kernel.compaction.rows, kernel.compaction.first_offer = rows, min(rows, 4)


def evaluate(text: str, value: JsonValue, variables: Any) -> JsonValue:
    """What the expression worker gives, without its process."""
    try:
        results = _program(text, msgspec.json.encode(dict(variables))).input_value(value).all()
    except ValueError as error:
        raise ExpressionFailed(str(error)) from error
    return results[0] if results else None


@lru_cache(maxsize=256)
def _program(text: str, variables: bytes) -> Any:
    return jq.compile(text, args=msgspec.json.decode(variables))


class Weather:
    """One seed.

    Args:
        folder: Empty folder.
        seed: Decides everything.
        forecast: How bad it gets.
        prepare: Called with the simulation before its first boot.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        forecast: Forecast = Forecast(),  # noqa: B008 - frozen
        prepare: Callable[[Simulation], None] = lambda simulation: None,
    ) -> None:
        self.forecast = forecast
        self.world = World(trouble=forecast.trouble, bars=forecast.bars)
        self.simulation = Simulation(
            folder, seed, [path.read_text() for path in DOCUMENTS], self.world, evaluate
        )
        self.world.time = self.simulation.time
        self.random = self.simulation.time.random
        self.auditor = Auditor(self.simulation, self.world)
        self.trace = hashlib.sha256()
        self.simulation.time.on_step = lambda at, count: self.trace.update(b"%d %d;" % (at, count))
        self.deaths = 0
        rows = self.random.choice((6, 25, 2_000))
        self.simulation.configure = lambda kernel: forget_from(kernel, rows)
        prepare(self.simulation)

    def blow(self, steps: int) -> Counter[str]:
        """Let so many events pass in bad weather, then the rest in calm; gives how the runs ended."""
        self.blow_on(steps)
        return self.calm()

    def blow_on(self, steps: int) -> None:
        """Boot, and let so many events pass in bad weather."""
        simulation, draw, forecast = self.simulation, self.random.random, self.forecast
        simulation.boot()
        while simulation.time.steps < steps:
            if draw() < forecast.starts:
                self._start()
            if not simulation.time.step():
                self._start()
            if draw() < forecast.controls:
                self._control()
            if draw() < forecast.deaths:
                self._die()
            if draw() < forecast.jumps:
                simulation.time.skew += self.random.choice((-1, 1)) * self.random.randrange(3 * HOUR)
            if draw() < forecast.looks:
                self.auditor.check_live()

    def calm(self) -> Counter[str]:
        """Let everything end, and check it."""
        simulation = self.simulation
        self.world.trouble = self.world.bars = 0.0
        rested = simulation.run(self._rests, MOST_STEPS)
        require(rested, "I9", f"still going on: {[run for run in simulation.runs() if run[2] in _GOING]}")
        self.auditor.finish()
        ends = Counter(status.word for _, _, status in simulation.runs())
        simulation.crash()
        return ends

    def digest(self) -> str:
        """Of every event's time and order, every row and every attempt."""
        return self.trace.hexdigest()

    def _rests(self) -> bool:
        if self.simulation.time.steps % 64:
            return False
        kernel = self.simulation.kernel
        if any(execution.uncommitted or execution.inputs for execution in kernel.executions.values()):
            return False
        runs = self.simulation.runs()
        for run_no, _, status in runs:
            if status is Status.SUSPENDED:
                self._free(run_no)
        return not any(status in _GOING for _, _, status in runs)

    def _free(self, run_no: int) -> None:
        if self._is_paused(run_no):
            self.simulation.retry(run_no)
        else:
            self.simulation.control(run_no, InputKind.RESUME)

    def _is_paused(self, run_no: int) -> bool:
        return last_end(self.simulation.history(run_no)) is not None

    def _start(self) -> None:
        name = self.random.choice(NAMES)
        value = {"lane": self.random.randrange(2), "order": self.random.randrange(40)}
        self.auditor.asked_starts += 1
        self.simulation.start(name, value, self.auditor.start_answered)

    def _control(self) -> None:
        runs = [run for run in self.simulation.runs() if run[2] is not Status.COMPLETED][-30:]
        if not runs:
            return
        run_no, _, status = self.random.choice(runs)
        if status in (Status.FAULTED, Status.SUSPENDED):
            self._free(run_no)
            return
        kind = self.random.choice((InputKind.SUSPEND, InputKind.SUSPEND, InputKind.RESUME, InputKind.CANCEL))
        self.simulation.control(run_no, kind)

    def _die(self) -> None:
        self.deaths += 1
        self.simulation.crash()
        self.simulation.time.leap(self.simulation.time.draw(0, self.random.choice((0.001, 1, 20))))
        self.simulation.boot()


_GOING = (Status.PENDING, Status.RUNNING, Status.WAITING, Status.SUSPENDED)
