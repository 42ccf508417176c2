"""D-03: the process stops after each event in turn; the run comes to the same as without."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from counterpoint.core.values import JsonValue, Status
from counterpoint.ports.history import InputKind
from counterpoint.testing.simulation import Simulation
from counterpoint.testing.world import World
from tests.simulation.auditor import Auditor, identity
from tests.simulation.labels import labels
from tests.simulation.places import scratch
from tests.simulation.probe import plain
from tests.simulation.test_programs import is_later_attempt
from tests.simulation.weather import DOCUMENTS, evaluate

MOST = 3_000
"""Events of one run; the documents here take a few hundred."""

CHILDREN = ("child", "fragile", "gated")
RACE = """
document: { dsl: '1.0.3', namespace: simulation, name: race, version: '1.0.0' }
do:
  - race:
      fork:
        compete: true
        branches:
          - quick:
              do:
                - q1: { call: world.keyed, with: { value: 1 } }
                - q2: { wait: { seconds: 1 } }
          - slow:
              do:
                - s1: { wait: { seconds: 30 } }
                - s2: { call: world.once, with: { value: 2 } }
  - all:
      fork:
        branches:
          - a: { call: world.natural, with: { value: '${ . }' } }
          - b: { do: [ { b1: { wait: { seconds: 2 } } }, { b2: { call: world.asked, with: { value: 3 } } } ] }
          - c: { call: world.once, with: { value: 4 } }
  - many:
      for: { each: n, in: '${ . }' }
      metadata: { counterpoint: { parallel: 2 } }
      do:
        - act: { call: world.keyed, with: { value: '${ $n }' } }
        - pause: { wait: { milliseconds: 100 } }
  - ended: { raise: { error: { type: 'https://example.com/errors/over', status: 418 } } }
"""
TEXTS = {path.stem: path.read_text() for path in DOCUMENTS} | {"race": RACE}
NAMES = ["sequence", "loop", "tries", "child", "parent", "careful", "gated", "once", "race"]


class Story(NamedTuple):
    """What a run came to, without ids and times.

    Attributes:
        ends: How each run ended.
        inputs: What reached the runs, but for doubts.
        effects: How often each effect was made, where the world can tell repetitions.
        free: The other effects.
    """

    ends: dict[str, JsonValue]
    inputs: Counter[str]
    effects: Counter[str]
    free: set[str]


class Stage:
    """One run of a document in a world without trouble."""

    def __init__(self, folder: Path, seed: int, name: str) -> None:
        self.world = World()
        texts = [TEXTS[name], *(TEXTS[child] for child in CHILDREN if child != name)]
        self.simulation = Simulation(folder, seed, texts, self.world, evaluate)
        self.world.time = self.simulation.time
        self.auditor = Auditor(self.simulation, self.world)
        self.name = name

    def begin(self) -> None:
        """Start, and wait until that is answered."""
        self.simulation.boot()
        self.simulation.run(lambda: self.simulation.time.steps >= 4)
        self.auditor.asked_starts += 1
        self.simulation.start(self.name, {"lane": 1, "order": 7}, self.auditor.start_answered)
        assert self.simulation.run(lambda: bool(self.auditor.accepted), MOST)

    def finish(self) -> Story:
        """Let everything end; gives what came of it."""
        assert self.simulation.run(self._has_ended, MOST), self.simulation.runs()
        self.auditor.finish()
        story = self._story()
        self.simulation.crash()
        return story

    def _has_ended(self) -> bool:
        if self.simulation.time.steps % 16:
            return False
        for run_no, _, status in self.simulation.runs():
            if status is Status.SUSPENDED:
                self.simulation.retry(run_no)  # a person looked into the doubt
            if not status.is_final:
                return False
        return not self.simulation.kernel.executions

    def _story(self) -> Story:
        places = labels(self.simulation)
        ends: dict[str, JsonValue] = {}
        inputs: Counter[str] = Counter()
        for run_no, run_id, _ in self.simulation.runs():
            label = places[run_id][1]
            history = self.simulation.history(run_no)
            ends[label] = plain(history[-1].end)
            inputs.update(f"{label} {told(entry)}" for entry in history if told(entry))
        effects = Counter[str]()
        free = set[str]()
        for performed in self.world.attempts:
            if performed.made_effect:
                step = f"{places[performed.run_id][1]} {performed.target} {identity(performed.step)}"
                if performed.target == "world.once":
                    free.add(step)
                elif performed.target != "world.asked" or not is_later_attempt(performed.step):
                    effects[step] += 1
        return Story(ends, inputs, effects, free)


def told(entry: Any) -> str:
    """What a row says that must not depend on deaths; empty for doubts and pauses of the work."""
    if entry.kind is InputKind.RESULT:
        return f"RESULT {entry.step} {entry.payload['verdict']} {entry.payload.get('value')}"
    if entry.kind is InputKind.CHILD:
        return f"CHILD {entry.step} {entry.payload['status']} {entry.payload.get('output')}"
    if entry.kind is InputKind.TIMER:
        return f"TIMER {entry.step}"
    return ""


def undisturbed(folder: Path, seed: int, name: str) -> tuple[Story, int]:
    """What a run comes to if nothing happens, and how many events it takes."""
    with scratch(folder) as place:
        stage = Stage(place, seed, name)
        stage.begin()
        first = stage.simulation.time.steps
        story = stage.finish()
        return story, stage.simulation.time.steps - first


@pytest.mark.parametrize("name", NAMES)
def test_a_stop_after_any_event_changes_nothing(tmp_path: Path, seed: int, name: str) -> None:
    calm, events = undisturbed(tmp_path, seed, name)
    assert calm.effects
    for stop in range(1, events):
        with scratch(tmp_path) as place:
            stage = Stage(place, seed, name)
            stage.begin()
            for _ in range(stop):
                stage.simulation.time.step()
            stage.auditor.check_live()
            stage.simulation.crash()
            stage.simulation.boot()
            story = stage.finish()
        where = f"{name}, seed {seed}, stopped after event {stop} of {events}"
        for part, wanted, found in zip(Story._fields, calm, story, strict=True):
            assert found == wanted, f"{where}: {part}"


def test_a_second_stop_during_recovery_changes_nothing(tmp_path: Path, seed: int) -> None:
    calm, events = undisturbed(tmp_path, seed, "sequence")
    for stop in range(1, events, 3):
        for again in (1, 3, 6):
            with scratch(tmp_path) as place:
                stage = Stage(place, seed, "sequence")
                stage.begin()
                for _ in range(stop):
                    stage.simulation.time.step()
                for _ in range(2):
                    stage.simulation.crash()
                    stage.simulation.boot()
                    for _ in range(again):
                        stage.simulation.time.step()
                story = stage.finish()
            assert story == calm, f"seed {seed}, stopped after {stop} and twice after {again} more"
