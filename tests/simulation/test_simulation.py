"""D-01: the real engine under random weather, many seeds; the oracles stand in `auditor`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.weather import Weather

SHARDS = 20
STEPS = 2_500


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_oracles_hold_in_any_weather(tmp_path: Path, seed: int, scale: int, shard: int) -> None:
    for turn in range(20 * scale):
        number = seed * 1_000_000 + shard * 10_000 + turn
        folder = tmp_path / str(turn)
        folder.mkdir()
        try:
            Weather(folder, number).blow(STEPS)
        except AssertionError as violation:
            raise AssertionError(f"seed {number}: {violation}") from violation
