"""Compaction under deaths: a long loop keeps a bounded history, and forgets nothing that it needs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from counterpoint.engines.embedded import compaction
from counterpoint.testing.simulation import Simulation
from counterpoint.testing.world import World
from tests.simulation.auditor import Auditor
from tests.simulation.mutants import mutate
from tests.simulation.places import scratch
from tests.simulation.weather import evaluate, forget_from

ROWS = 40
"""Live rows from which histories are compacted here; 2,000 in the product."""

HEAD = """
document: { dsl: '1.0.3', namespace: simulation, name: long, version: '1.0.0' }
use: { retries: { calls: { delay: { milliseconds: 50 } } } }
do:
"""
RETRY = "metadata: { counterpoint: { retry: calls } }"
CALL = "{ call: world.keyed, with: { value: '${ {n: (.n + 1)} }' }, " + RETRY + " }"
FOR = f"""
  - all:
      for: {{ each: i, in: '${{ [range(0; .times)] }}' }}
      do:
        - act: {CALL}
      input: {{ from: '${{ {{n: 0, times: .times}} }}' }}
"""
THEN = f"""
  - begin: {{ set: {{ n: 0 }}, export: {{ as: '${{ {{times: $workflow.input.times}} }}' }} }}
  - act: {CALL}
  - more: {{ switch: [ {{ again: {{ when: '${{ .n < $context.times }}', then: act }} }} ] }}
"""
NESTED = f"""
  - outer:
      for: {{ each: i, in: '${{ [range(0; .times / 100)] }}' }}
      input: {{ from: '${{ {{n: 0, times: .times}} }}' }}
      do:
        - middle:
            for: {{ each: j, in: '${{ [range(0; 10)] }}' }}
            do:
              - inner:
                  for: {{ each: k, in: '${{ [range(0; 10)] }}' }}
                  do:
                    - act: {CALL}
"""
PARALLEL = f"""
  - both:
      fork:
        branches:
          - a:
              for: {{ each: i, in: '${{ [range(0; .times / 2)] }}' }}
              input: {{ from: '${{ {{n: 0, times: .times}} }}' }}
              do: [ {{ act: {CALL} }} ]
          - b:
              for: {{ each: i, in: '${{ [range(0; .times / 2)] }}' }}
              input: {{ from: '${{ {{n: 0, times: .times}} }}' }}
              do: [ {{ act: {CALL} }}, {{ rest: {{ wait: {{ milliseconds: 1 }} }} }} ]
  - sum: {{ set: {{ n: '${{ map(.n) | add }}' }} }}
"""
TRIES = f"""
  - guarded:
      try:
        - count:
            set: {{ n: '${{ ($context.n // 0) }}' }}
        - act: {CALL}
        - note: {{ set: '${{ . }}', export: {{ as: '${{ {{n: (($context.n // 0) + 1)}} }}' }} }}
        - again:
            if: '${{ $context.n < $workflow.input.times }}'
            raise: {{ error: {{ type: 'https://example.com/errors/again', status: 409 }} }}
        - result: {{ set: {{ n: '${{ $context.n }}' }} }}
      catch: {{ retry: {{ delay: {{ milliseconds: 1 }} }} }}
"""
LOOPS = {"for": FOR, "then": THEN, "nested": NESTED, "parallel": PARALLEL, "tries": TRIES}


class LongRun:
    """One run of a long loop, with deaths; the most live rows are noted at each."""

    def __init__(self, folder: Path, seed: int, loop: str, times: int, trouble: float = 0.02) -> None:
        self.world = World(trouble=trouble)
        self.simulation = Simulation(folder, seed, [HEAD + LOOPS[loop]], self.world, evaluate)
        self.simulation.configure = partial(forget_from, rows=ROWS)
        self.world.time = self.simulation.time
        self.auditor = Auditor(self.simulation, self.world)
        self.times = times
        self.deaths = 0
        self.most_rows = 0

    def run(self, deaths: float) -> Any:
        """Run to the end and check everything; gives the output."""
        simulation, draw = self.simulation, self.simulation.time.random.random
        simulation.boot()
        self.auditor.asked_starts += 1
        simulation.start("long", {"times": self.times}, self.auditor.start_answered)
        assert simulation.run(lambda: bool(self.auditor.accepted), 1_000)
        while not self._has_ended():
            assert simulation.time.steps < 1_000 + 30 * self.times, "it does not end"
            if not simulation.time.step() or draw() < deaths:
                self.deaths += 1
                self.most_rows = max(self.most_rows, len(simulation.history(1)))
                simulation.crash()
                simulation.boot()
        self.auditor.finish()
        result = simulation.result(1, "")
        assert result is not None
        assert result.status == "completed", result
        simulation.crash()
        return result.output

    def _has_ended(self) -> bool:
        if self.simulation.time.steps % 32:
            return False
        return all(status.is_final for _, _, status in self.simulation.runs())


def test_a_loop_of_ten_thousand_calls_keeps_a_bounded_history(tmp_path: Path, seed: int) -> None:
    with scratch(tmp_path) as folder:
        run = LongRun(folder, seed, "for", 10_000)
        assert run.run(0.002) == {"n": 10_000}
    assert run.deaths > 10
    assert sum(run.world.effects.values()) == 10_000
    assert run.most_rows < 3 * ROWS


@pytest.mark.parametrize("loop", ["then", "nested", "parallel", "tries"])
def test_every_kind_of_loop_keeps_a_bounded_history(tmp_path: Path, seed: int, scale: int, loop: str) -> None:
    times = 1_000
    for repeat in range(scale):
        with scratch(tmp_path) as folder:
            run = LongRun(folder, seed + repeat, loop, times)
            assert run.run(0.004) == {"n": times}
        assert run.deaths > 5
        # A retried `try` is one step to the world: all its attempts share one key.
        assert sum(run.world.effects.values()) == (1 if loop == "tries" else times)
        assert run.most_rows < 4 * ROWS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("row.is_bare or row.step == sequence or is_below(row.step, sequence)", "True"),
        ("and all(is_below(step, sequence) for step in row.commands)", ""),
    ],
)
def test_a_compaction_that_forgets_too_much_is_caught(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    mutate(monkeypatch, compaction, "_is_past", old, new)
    assert any(is_caught(tmp_path, seed, loop) for loop in ("parallel", "nested", "then"))


def is_caught(folder: Path, seed: int, loop: str) -> bool:
    """Whether an oracle or the result tells that something is missing."""
    with scratch(folder) as place:
        run = LongRun(place, seed, loop, 200, trouble=0.1)
        try:
            output = run.run(0.01)
        except AssertionError:
            return True
        return output != {"n": 200} or sum(run.world.effects.values()) != 200
