"""The kit on the embedded engine: every case, with real HTTP, a real database and a clock that is moved."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from counterpoint.testing.conformance import Case
from counterpoint.testing.conformance_check import differences
from counterpoint.testing.virtual_loop import VirtualLoop
from tests.conformance.embedded_runner import EmbeddedRunner
from tests.conformance.surroundings import CASES


@pytest.fixture(scope="module")
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory, loop: VirtualLoop) -> Iterator[EmbeddedRunner]:
    async def opened() -> EmbeddedRunner:
        made = EmbeddedRunner(tmp_path_factory.mktemp("embedded"), loop)
        await made.open()
        return made

    made = loop.run_until_complete(opened())
    yield made
    loop.run_until_complete(made.close())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case_conforms_on_the_embedded_engine(loop: VirtualLoop, runner: EmbeddedRunner, case: Case) -> None:
    assert differences(case, loop.run_until_complete(runner.run(case))) == [], case.title
