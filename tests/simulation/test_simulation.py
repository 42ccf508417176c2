"""D-01: the real engine under random weather, many seeds; the oracles stand in `auditor`.

A step is one event of the scheduler. In CI about a million steps, `make soak` has twenty times as many;
COUNTERPOINT_SIM_STEPS chooses another number.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.simulation.places import scratch
from tests.simulation.weather import Forecast, Weather

SHARDS = 20
STEPS = 5_000
"""Events of bad weather a seed; the calm behind it has some thousand more."""


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_oracles_hold_in_any_weather(tmp_path: Path, seed: int, scale: int, shard: int) -> None:
    wanted = int(os.environ.get("COUNTERPOINT_SIM_STEPS") or 1_000_000 * scale) // SHARDS
    done, turn = 0, 0
    while done < wanted:
        number = seed * 1_000_000 + shard * 10_000 + turn
        with scratch(tmp_path) as folder:
            weather = Weather(folder, number)
            try:
                weather.blow(STEPS)
            except AssertionError as violation:
                raise AssertionError(f"weather of the seed {number}: {violation}") from violation
        done += weather.simulation.time.steps
        turn += 1


def test_the_same_seed_gives_the_same_trace(tmp_path: Path, seed: int) -> None:
    digests, rows = set(), set()
    for _ in range(2):
        with scratch(tmp_path) as folder:
            weather = Weather(folder, seed)
            weather.blow(2_000)
            digests.add(weather.digest())
            rows.add(weather.auditor.rows.hexdigest())
    assert len(digests) == 1
    assert len(rows) == 1


def test_another_seed_gives_another_trace(tmp_path: Path, seed: int) -> None:
    digests = set()
    for number in (seed, seed + 1):
        with scratch(tmp_path) as folder:
            weather = Weather(folder, number)
            weather.blow(500)
            digests.add(weather.digest())
    assert len(digests) == 2


def test_deaths_at_every_other_breath_end_well(tmp_path: Path, seed: int) -> None:
    with scratch(tmp_path) as folder:
        weather = Weather(folder, seed, Forecast(deaths=0.03, starts=0.03, looks=0.0, jumps=0.0))
        ends = weather.blow(3_000)
    assert weather.deaths > 30
    assert ends["completed"] > 10
