"""R-04 and R-05 for the engine: a disk that fills up, and one that fails to sync."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from counterpoint.errors import StorageError
from counterpoint.testing.faulty_disk import DiskFault, Kind
from tests.simulation.places import scratch
from tests.simulation.power import PowerWeather

SEEDS = 6


class Clerk:
    """Starts runs and keeps the answers."""

    def __init__(self, weather: PowerWeather) -> None:
        self.weather = weather
        self.refusals: list[Exception] = []
        self._told = weather.auditor.start_answered
        weather.auditor.start_answered = self.answered  # type: ignore[method-assign] - a second listener

    def answered(self, started: Any, error: Exception | None) -> None:
        """Take an answer."""
        if error is not None:
            self.refusals.append(error)
        self._told(started, error)

    def refused_now(self) -> Exception | None:
        """Why a start is refused at this moment; None if it is taken, or not answered yet."""
        before = len(self.refusals)
        self.weather.auditor.asked_starts += 1
        self.weather.simulation.start("sequence", {}, self.answered)
        return self.refusals[-1] if len(self.refusals) > before else None


@pytest.mark.parametrize("turn", range(SEEDS))
def test_a_full_disk_halts_the_work_and_loses_nothing(
    tmp_path: Path, seed: int, scale: int, turn: int
) -> None:
    for repeat in range(scale):
        with scratch(tmp_path) as place:
            weather = PowerWeather(place, seed * 1000 + turn * 100 + repeat)
            clerk = Clerk(weather)
            weather.simulation.boot()
            for _ in range(4):
                weather.outlive(250, 0.0)
                halt_and_go_on(weather, clerk)
            weather.calm()
            weather.close()


def halt_and_go_on(weather: PowerWeather, clerk: Clerk) -> None:
    """The disk is full for some time."""
    simulation = weather.simulation
    fault = DiskFault(Kind.WRITE, number=weather.random.randint(1, 4), is_full=True, is_lasting=True)
    weather.disk.fail_next(fault)
    assert clerk.refused_now() is None
    assert simulation.run(lambda: simulation.kernel.outbox.is_full, 3_000)
    refusal = clerk.refused_now()
    assert isinstance(refusal, StorageError)
    assert refusal.is_full
    attempts = weather.auditor.attempts
    weather.outlive(300, 0.0)
    # What was on its way when the disk filled up may still begin; nothing else does.
    assert weather.auditor.attempts - attempts < 20
    assert not simulation.fatal
    weather.disk.heal()
    assert simulation.run(lambda: not simulation.kernel.outbox.is_full, 3_000)


@pytest.mark.parametrize("turn", range(SEEDS))
def test_a_failed_sync_ends_the_process_at_once_and_loses_nothing(
    tmp_path: Path, seed: int, scale: int, turn: int
) -> None:
    for repeat in range(scale):
        with scratch(tmp_path) as place:
            weather = PowerWeather(place, seed * 1000 + turn * 100 + repeat)
            clerk = Clerk(weather)
            weather.simulation.boot()
            for _ in range(4):
                weather.outlive(250, 0.0)
                fail_and_reboot(weather, clerk)
            weather.calm()
            weather.close()


def fail_and_reboot(weather: PowerWeather, clerk: Clerk) -> None:
    """A sync fails; the process goes on for some events, until it is stopped, and then boots again."""
    simulation = weather.simulation
    weather.disk.fail_next(DiskFault(Kind.SYNC, number=weather.random.randint(1, 3)))
    clerk.refused_now()
    assert simulation.run(lambda: not weather.disk.is_whole, 5_000)
    assert simulation.run(lambda: bool(simulation.fatal), 5_000)
    weather.outlive(100, 0.0)  # the auditor refuses any acknowledgement behind the failure
    assert len(simulation.fatal) == 1
    assert simulation.fatal[0].is_fatal
    assert clerk.refused_now() is simulation.fatal[0]
    synced = max(i for i, made in enumerate(weather.disk.operations, 1) if made.kind is Kind.SYNC)
    weather.cut_power(weather.random.randint(synced, weather.disk.point))
