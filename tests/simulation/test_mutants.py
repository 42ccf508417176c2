"""Each mutant of the engine is caught by an oracle: a simulation that cannot fail shows nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from counterpoint.engines.embedded import commands, results
from counterpoint.engines.embedded.kernel import Kernel
from counterpoint.engines.embedded.records import Records
from counterpoint.engines.embedded.replay import Replay
from counterpoint.engines.embedded.timers import Timers
from counterpoint.ports.history import InputKind
from counterpoint.storage.committer import CommitResult, WriteBatch
from counterpoint.testing.simulation import Simulation, VirtualJournal
from tests.simulation.mutants import mutate
from tests.simulation.places import scratch
from tests.simulation.weather import Forecast, Weather

SEEDS = 8
ROUGH = Forecast(deaths=0.01, looks=0.01)


def caught(
    folder: Path,
    seed: int,
    forecast: Forecast = ROUGH,
    prepare: Callable[[Simulation], None] = lambda simulation: None,
) -> str:
    """What an oracle said of some seed; empty if all of them kept silent."""
    for number in range(seed, seed + SEEDS):
        with scratch(folder) as place:
            try:
                Weather(place, number, forecast, prepare).blow(2_000)
            except AssertionError as violation:
                return str(violation)
    return ""


def test_without_a_mutant_no_oracle_speaks(tmp_path: Path, seed: int) -> None:
    assert caught(tmp_path, seed) == ""


def test_an_acknowledgement_before_the_commit_is_caught(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def store(self: VirtualJournal, group: list[WriteBatch]) -> None:
        for batch in group:
            if batch.on_done is not None and not batch.decisions:
                batch.on_done(CommitResult(0, []))
        self._host.after(5_000, lambda: self._watch.committed(group, self._committer.commit(group)))

    monkeypatch.setattr(VirtualJournal, "_store", store)
    assert caught(tmp_path, seed).startswith(("I1", "I3"))


def test_an_attempt_before_its_row_is_durable_is_caught(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = "for call, number in zip(launches, numbers): commands.launch(kernel, execution, call, number)"
    durable = "kernel.outbox.once_durable(durable)"
    eager = f"{begin}\n    launches = numbers = []\n    {durable}"
    mutate(monkeypatch, Records, "_commit", durable, eager)
    assert caught(tmp_path, seed).startswith("I3")


def test_a_key_that_changes_with_the_attempt_is_caught(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch, commands, "attempt_of", "if policy.key_per_attempt else step", "")
    assert caught(tmp_path, seed).startswith("I4")


def test_a_key_that_is_the_runs_alone_is_caught(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch, commands, "attempt_of", "idempotency_key(facts.id, own)", "facts.id")
    assert caught(tmp_path, seed).startswith("I4")


def test_a_timer_that_fires_a_millisecond_early_is_caught(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(
        monkeypatch, Timers, "_ring", "now = self._kernel.host.now()", "now = self._kernel.host.now() + 1000"
    )
    mutate(
        monkeypatch,
        Timers,
        "_set_alarm",
        "now = self._kernel.host.now()",
        "now = self._kernel.host.now() + 1000",
    )
    mutate(monkeypatch, Timers, "_fire", "if now < due:", "if now < due - 1000:")
    assert caught(tmp_path, seed).startswith("I7")


def test_a_replay_that_skips_a_row_is_caught(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(
        monkeypatch,
        Replay,
        "__init__",
        "deque(entry for entry in entries if",
        "deque(entry for entry in (entries[:-1] or entries) if",
    )
    assert caught(tmp_path, seed) != ""


def test_an_outcome_that_replay_ignores_is_caught(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(
        monkeypatch,
        Kernel,
        "take_recorded",
        'value = entry.payload.get("value")',
        'value = entry.payload.get("value") if entry.seq % 7 else None',
    )
    assert caught(tmp_path, seed) != ""


def test_a_fired_timer_whose_row_stays_is_caught(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch, results, "_timer", "kernel.drop_timer(execution, timer.due, given.step)", "pass")
    monkeypatch.setitem(results._APPLY, InputKind.TIMER, results._timer)
    assert caught(tmp_path, seed).startswith("I9")


def test_a_cancelled_run_that_goes_on_calling_is_caught(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch, results, "_cancel", "cancel_all(execution)", "pass")
    monkeypatch.setitem(results._APPLY, InputKind.CANCEL, results._cancel)
    assert caught(tmp_path, seed) != ""
