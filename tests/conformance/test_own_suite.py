"""The kit on our own engine: in the surroundings of the product without its waits, and in the simulation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from counterpoint.runners.jq_worker import JqWorker
from counterpoint.testing.conformance import Case, Observed
from counterpoint.testing.conformance_check import differences
from counterpoint.testing.virtual_loop import VirtualLoop
from tests.conformance.embedded_runner import EmbeddedRunner
from tests.conformance.simulated_runner import SimulatedRunner
from tests.conformance.surroundings import CASES

Run: TypeAlias = Callable[[Case], Observed]


@pytest.fixture(scope="module")
def worker(loop: VirtualLoop) -> Iterator[JqWorker]:
    worker = JqWorker()
    yield worker
    loop.run_until_complete(worker.close())


class ConformanceSuite:
    """Every case; a subclass says on what."""

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_case_conforms(self, run: Run, case: Case) -> None:
        assert differences(case, run(case)) == [], case.title


class TestEmbeddedEngine(ConformanceSuite):
    """Real loop, HTTP, threads and database; only the clock is moved."""

    @pytest.fixture
    def run(self, loop: VirtualLoop, embedded: EmbeddedRunner) -> Run:
        return lambda case: loop.run_until_complete(embedded.run(case))


class TestSimulation(ConformanceSuite):
    """Seeded scheduler, virtual time, the real logic and storage."""

    @pytest.fixture
    def run(self, tmp_path: Path, loop: VirtualLoop, worker: JqWorker, seed: int) -> Run:
        return SimulatedRunner(tmp_path, loop, worker, seed).run
