"""D-02: random programs over all task kinds, under deaths and trouble, do what a reference foretells."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from counterpoint.core.values import MICROS_PER_S
from counterpoint.ports.engine import RunResult
from counterpoint.testing.programs import Generated, Generator
from counterpoint.testing.reference import Effect, Expected, expect, without_attempts
from counterpoint.testing.simulation import Simulation
from counterpoint.testing.virtual_host import START
from counterpoint.testing.world import World
from tests.simulation.auditor import Auditor
from tests.simulation.labels import labels
from tests.simulation.places import scratch
from tests.simulation.weather import evaluate

BATCHES = 25
PROGRAMS = 20
"""Programs of one batch; they run at once, in one process."""

DEATHS = 0.004


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_programs_come_to_what_the_reference_says(
    tmp_path: Path, seed: int, scale: int, batch: int
) -> None:
    for repeat in range(scale):
        number = seed * 1_000_000 + batch * 1_000 + repeat
        source = random.Random(number)
        generator = Generator(source)
        programs = [generator.program(f"p{index}") for index in range(PROGRAMS)]
        with scratch(tmp_path) as folder:
            trial = Trial(folder, number, programs)
            trial.run()
        assert trial.deaths > 0


class Trial:
    """Programs that run at once in one simulation."""

    def __init__(self, folder: Path, seed: int, programs: list[Generated]) -> None:
        self.seed = seed
        self.programs = programs
        self.world = World(trouble=0.2)
        documents = [json.dumps(document) for program in programs for document in program.documents]
        self.simulation = Simulation(folder, seed, documents, self.world, evaluate)
        self.world.time = self.simulation.time
        self.auditor = Auditor(self.simulation, self.world)
        self.ids: dict[str, str] = {}
        self.deaths = 0

    def run(self) -> None:
        """Run all to their end, with deaths on the way, and compare."""
        simulation, draw = self.simulation, self.simulation.time.random.random
        simulation.boot()
        simulation.run(lambda: simulation.time.steps > 5)
        for program in self.programs:
            self._start(program)
        simulation.run(lambda: len(self.ids) == len(self.programs), 5_000)
        while not self._has_ended():
            assert simulation.time.step()
            if draw() < DEATHS:
                self.deaths += 1
                simulation.crash()
                simulation.time.leap(simulation.time.draw(0, 2))
                simulation.boot()
            assert simulation.time.true < START + 20_000 * MICROS_PER_S, f"seed {self.seed}"
        self.auditor.finish()
        self._compare()
        simulation.crash()

    def _start(self, program: Generated) -> None:
        def started(answer: object, error: Exception | None) -> None:
            assert error is None
            self.auditor.start_answered(answer, error)
            self.ids[program.name] = answer.run_id  # type: ignore[attr-defined] - a start was answered

        self.auditor.asked_starts += 1
        self.simulation.start(program.name, program.input, started)

    def _has_ended(self) -> bool:
        if self.simulation.time.steps % 64:
            return False
        return all(status.is_final for _, _, status in self.simulation.runs())

    # -- comparing ----------------------------------------------------------------------------------

    def _compare(self) -> None:
        places = labels(self.simulation)
        names = {run_id: name for name, run_id in self.ids.items()}
        made: dict[str, Counter[Effect]] = {name: Counter() for name in self.ids}
        for performed in self.world.attempts:
            if performed.made_effect:
                root, path = places[performed.run_id]
                is_keyed = performed.target == "world.keyed"
                step = without_attempts(performed.step) if is_keyed else performed.step
                made[names[root]][Effect(path, performed.target, step)] += 1
        numbers = {run_id: number for number, run_id, _ in self.simulation.runs()}
        for program in self.programs:
            run_id = self.ids[program.name]
            result = self.simulation.result(numbers[run_id], run_id)
            expected = expect(program.documents, program.input, evaluate)
            problem = differs(result, expected) or effects_differ(made[program.name], expected.effects)
            assert not problem, (
                f"seed {self.seed}, {program.name}: {problem}\n{json.dumps(program.documents)}"
            )


def differs(result: RunResult | None, expected: Expected) -> str:
    """How a result differs from the expected one; empty if it does not."""
    if result is None or result.status != expected.status:
        return f"ended as {result}, expected {expected.status} {expected.fault}"
    if result.fault is not None:
        found = (result.fault.type.rpartition("/")[2], result.fault.status)
        return "" if found == expected.fault else f"fault {found}, expected {expected.fault}"
    return "" if result.output == expected.output else f"output {result.output}, expected {expected.output}"


def effects_differ(made: Counter[Effect], expected: Counter[Effect]) -> str:
    """How effects differ: exactly as often as expected, and at least so often where nothing can tell."""
    for effect in made.keys() | expected.keys():
        found, wanted = made[effect], expected[effect]
        if effect.action == "world.once" and found >= wanted > 0:
            continue
        # One key for all attempts of a `try`: asked about a later one, the world remembers the first.
        if effect.action == "world.asked" and is_later_attempt(effect.step) and found <= wanted:
            continue
        if found != wanted:
            return f"{effect} was made {found} times, expected {wanted}"
    return ""


def is_later_attempt(step: str) -> bool:
    """Whether a step belongs to an attempt of a `try` behind the first."""
    return any(part.rpartition("#")[2] not in ("", "1") for part in step.split(".") if "#" in part)


def test_the_reference_is_not_blind(tmp_path: Path, seed: int) -> None:
    """What the comparison must notice, it does."""
    effect = Effect("", "world.keyed", "do.t1")
    assert effects_differ(Counter({effect: 2}), Counter({effect: 1}))
    assert effects_differ(Counter(), Counter({effect: 1}))
    assert effects_differ(Counter({effect: 1}), Counter())
    assert not effects_differ(Counter({effect: 1}), Counter({effect: 1}))
    once = Effect("", "world.once", "do.t1")
    assert not effects_differ(Counter({once: 3}), Counter({once: 1}))
    assert effects_differ(Counter(), Counter({once: 1}))
    expected = Expected("completed", {"n": 1}, None, Counter())
    assert differs(RunResult("r", "completed", {"n": 2}), expected)
    assert differs(RunResult("r", "faulted"), expected)
    assert not differs(RunResult("r", "completed", {"n": 1}), expected)
