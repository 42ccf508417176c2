"""D-06: clocks that jump, leap days, months of different length, zones with summer time.

A timer is compared with the wall clock: it never fires before its instant there, and it fires once, however
the clock got past it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from counterpoint.core.values import MICROS_PER_S, Instant, from_datetime, to_iso
from counterpoint.ports.history import HistoryEntry, InputKind
from counterpoint.testing.simulation import Simulation
from counterpoint.testing.virtual_host import START
from counterpoint.testing.world import World
from tests.simulation.auditor import Auditor
from tests.simulation.places import scratch

SECOND = MICROS_PER_S
HOUR = 3_600 * SECOND
DOCUMENT = """
document: {{ dsl: '1.0.3', namespace: simulation, name: clock, version: '1.0.0' }}
use: {{ retries: {{ slow: {{ delay: {{ minutes: 10 }}, limit: {{ attempt: {{ count: 3 }} }} }} }} }}
do:
  - first: {{ {first} }}
  - then: {{ call: world.keyed, with: {{ value: 1 }} }}
"""
CALL = "call: world.keyed, with: { value: 2 }, metadata: { counterpoint: { retry: slow } }"


class Clockwork:
    """A run that waits, and hands on the wall clock."""

    def __init__(
        self, folder: Path, seed: int, first: str, start: str = "2026-01-01T00:00:00", trouble: float = 0.0
    ) -> None:
        self.world = World(trouble=trouble)
        self.simulation = Simulation(folder, seed, [DOCUMENT.format(first=first)], self.world)
        self.world.time = self.simulation.time
        self.auditor = Auditor(self.simulation, self.world)
        self.simulation.time.skew = instant(start) - START
        self.simulation.boot()
        self.pass_time(SECOND)
        self.auditor.asked_starts += 1
        self.simulation.start("clock", {}, self.auditor.start_answered)
        self.pass_time(SECOND // 2)

    def pass_time(self, micros: int) -> None:
        """Let true time pass."""
        time = self.simulation.time
        until = time.true + micros
        while (following := time.next_at()) is not None and following <= until:
            time.step()
        time.leap(until - time.true)

    def set_wall(self, wall: Instant) -> None:
        """Set the wall clock."""
        self.simulation.time.skew = wall - self.simulation.time.true

    def reboot(self) -> None:
        """The process dies and starts again."""
        self.simulation.crash()
        self.simulation.boot()

    @property
    def wall(self) -> Instant:
        """What the wall clock shows."""
        return self.simulation.host.now()

    @property
    def due(self) -> Instant:
        """Instant of the one timer."""
        timers = self.simulation.timers()
        assert len(timers) == 1, timers
        return timers[0][0]

    def fired(self) -> list[HistoryEntry]:
        """Timers that fired so far."""
        return [entry for entry in self.simulation.history(1) if entry.kind is InputKind.TIMER]

    def end(self) -> None:
        """Let the run end; check everything."""
        for _ in range(20):
            if self.simulation.timers():
                self.set_wall(max(self.wall, self.due))
            self.pass_time(8 * SECOND)
        self.auditor.finish()
        assert self.simulation.runs()[0][2].word == "completed"
        self.simulation.crash()


def instant(text: str) -> Instant:
    """Instant of a date-time in UTC."""
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A place for the database."""
    with scratch(tmp_path) as place:
        yield place


@pytest.mark.parametrize(
    ("start", "duration", "due"),
    [
        ("2026-01-31T10:00:00", "P1M", "2026-02-28T10:00:01"),
        ("2028-01-31T10:00:00", "P1M", "2028-02-29T10:00:01"),
        ("2028-02-29T10:00:00", "P1Y", "2029-02-28T10:00:01"),
        ("2027-12-31T23:59:58", "P2M", "2028-02-29T23:59:59"),
        ("2026-03-31T00:00:00", "P1M", "2026-04-30T00:00:01"),
        ("2028-02-28T23:00:00", "PT2H", "2028-02-29T01:00:01"),
        ("2026-12-31T23:59:58", "PT2S", "2027-01-01T00:00:01"),
    ],
)
def test_a_wait_ends_at_its_instant_of_the_calendar(
    folder: Path, seed: int, start: str, duration: str, due: str
) -> None:
    clock = Clockwork(folder, seed, f"wait: {duration}", start)
    assert to_iso(clock.due)[:19] == due
    if clock.due - clock.wall > 10 * SECOND:
        clock.set_wall(clock.due - 6 * SECOND)
        clock.pass_time(5_900_000)
        assert not clock.fired()
    clock.pass_time(8 * SECOND)
    assert len(clock.fired()) == 1
    clock.end()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_summer_time_of_the_servers_zone_changes_nothing(
    folder: Path, seed: int, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for number, (start, due) in enumerate(
            [("2026-03-28T12:00:00", "2026-03-29T12:00:01"), ("2026-10-24T23:30:00", "2026-10-25T23:30:01")]
        ):
            place = folder / str(number)
            place.mkdir()
            clock = Clockwork(place, seed, "wait: P1D", start)
            assert to_iso(clock.due)[:19] == due
            clock.end()
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("first", ["wait: PT30M", CALL])
def test_a_clock_that_jumps_forward_ends_a_wait_at_once_and_once(folder: Path, seed: int, first: str) -> None:
    clock = waiting(folder, seed, first)
    clock.set_wall(clock.wall + 5 * HOUR)
    clock.pass_time(6 * SECOND)
    assert len(clock.fired()) == 1
    clock.set_wall(clock.wall - 10 * HOUR)
    clock.pass_time(6 * SECOND)
    clock.set_wall(clock.wall + 20 * HOUR)
    clock.pass_time(6 * SECOND)
    assert len(clock.fired()) == 1
    clock.end()


@pytest.mark.parametrize("first", ["wait: PT30M", CALL])
@pytest.mark.parametrize("dies", [False, True])
def test_a_clock_that_is_set_back_prolongs_a_wait_and_never_ends_it_early(
    folder: Path, seed: int, first: str, dies: bool
) -> None:
    clock = waiting(folder, seed, first)
    clock.set_wall(clock.wall - 3 * HOUR)
    clock.pass_time(HOUR)  # true time is past the wait, the wall clock is not
    if dies:
        clock.reboot()
        clock.pass_time(20 * SECOND)
    assert clock.wall < clock.due
    assert not clock.fired()
    clock.set_wall(clock.due - 3 * SECOND)
    clock.pass_time(2_900_000)
    assert not clock.fired()
    clock.pass_time(6 * SECOND)
    assert len(clock.fired()) == 1
    assert clock.fired()[0].at >= clock.wall - 6 * SECOND
    clock.end()


def waiting(folder: Path, seed: int, first: str) -> Clockwork:
    """A run that waits: for a timer, or for the backoff of a call whose first attempt failed."""
    clock = Clockwork(folder, seed, first, trouble=1.0)
    clock.world.trouble = 0.0
    assert clock.due > clock.wall + 500 * SECOND
    return clock


@pytest.mark.parametrize("turn", range(6))
def test_however_the_clock_jumps_each_timer_fires_once_and_never_early(
    tmp_path: Path, seed: int, scale: int, turn: int
) -> None:
    for repeat in range(scale):
        with scratch(tmp_path) as place:
            jump_about(place, seed * 1_000 + turn * 100 + repeat)


WAITS = ["PT0.2S", "PT7S", "PT59S", "PT61S", "PT3M", "PT2H", "P1D", "P1M", "P1Y"]


def jump_about(folder: Path, seed: int) -> None:
    """Many waits of all lengths, a clock that jumps, and deaths; the auditor compares each firing (I7)."""
    tasks = "\n".join(f"  - w{n}: {{ wait: {wait} }}" for n, wait in enumerate(WAITS))
    text = DOCUMENT.format(first="wait: PT1S") + tasks
    world = World()
    simulation = Simulation(folder, seed, [text], world)
    world.time = simulation.time
    auditor = Auditor(simulation, world)
    draw = simulation.time.random
    simulation.boot()
    while simulation.time.steps < 3_000:
        if draw.random() < 0.01 and auditor.asked_starts < 25:
            auditor.asked_starts += 1
            simulation.start("clock", {}, auditor.start_answered)
        simulation.time.step()
        if draw.random() < 0.02:
            simulation.time.skew += (
                draw.choice((1, 1, -1)) * draw.randrange(draw.choice((60, 86_400))) * SECOND
            )
        if draw.random() < 0.003:
            simulation.crash()
            simulation.boot()
    while any(not status.is_final for _, _, status in simulation.runs()):
        dues = [due for due, _, _ in simulation.timers()]
        if dues and min(dues) > simulation.host.now() + 10 * SECOND:
            simulation.time.skew += min(dues) - simulation.host.now() - SECOND
        for _ in range(20):
            simulation.time.step()
    auditor.finish()
    for run_no, _, _ in simulation.runs():
        fired = Counter(e.step for e in simulation.history(run_no) if e.kind is InputKind.TIMER)
        assert set(fired.values()) == {1}, f"seed {seed}: {fired}"
    simulation.crash()
