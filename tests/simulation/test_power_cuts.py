"""R-01 for the engine: the power goes at any write of a commit, and what was promised is still there.

A point is one rebuilt image on which the engine boots, goes on, and loses the power again.
"""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from counterpoint.errors import StorageError
from tests.simulation.places import scratch
from tests.simulation.power import PowerWeather

POINTS = 100
"""Power cuts of one seed."""

CUT = 0.01


def outlive_cuts(folder: Path, seed: int, points: int = POINTS, synchronous: str = "FULL") -> PowerWeather:
    """Weather with so many power cuts, and everything checked behind them."""
    with scratch(folder) as place:
        weather = PowerWeather(place, seed, synchronous)
        weather.simulation.boot()
        try:
            while weather.cuts < points:
                weather.outlive(200, CUT)
            weather.calm()
        except BaseException:
            weather.simulation.crash()
            raise
        finally:
            weather.close()
    return weather


@pytest.mark.parametrize("turn", range(4))
def test_everything_promised_outlives_any_power_cut(tmp_path: Path, seed: int, scale: int, turn: int) -> None:
    for repeat in range(scale):
        number = seed * 1000 + turn * 100 + repeat
        try:
            weather = outlive_cuts(tmp_path, number)
        except AssertionError as violation:
            raise AssertionError(f"power cuts of the seed {number}: {violation}") from violation
        assert weather.cuts >= POINTS


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_a_database_that_does_not_sync_each_commit_is_caught(
    tmp_path: Path, seed: int, synchronous: str
) -> None:
    assert loss_of(tmp_path, seed, synchronous).startswith(("I1", "I3", "chain", "does not open"))


def loss_of(folder: Path, seed: int, synchronous: str) -> str:
    """What some power cut destroyed; empty if nothing."""
    for number in range(seed, seed + 5):
        try:
            outlive_cuts(folder, number, 40, synchronous)
        except AssertionError as violation:
            return str(violation)
        except (StorageError, apsw.Error) as error:
            return f"does not open: {error}"
    return ""
