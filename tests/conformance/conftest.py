"""What the suites share: an engine on a loop whose time is moved, and a worker for expressions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from counterpoint.testing.virtual_loop import VirtualLoop
from tests.conformance.embedded_runner import EmbeddedRunner


@pytest.fixture(scope="module")
def loop() -> Iterator[VirtualLoop]:
    """A loop for the module; it runs only while a test waits for something."""
    loop = VirtualLoop()
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory, loop: VirtualLoop) -> Iterator[EmbeddedRunner]:
    """The embedded engine as the product assembles it."""

    async def opened() -> EmbeddedRunner:
        runner = EmbeddedRunner(tmp_path_factory.mktemp("embedded"), loop)
        await runner.open()
        return runner

    runner = loop.run_until_complete(opened())
    yield runner
    loop.run_until_complete(runner.close())
