"""The same interpreter passes the same cases inside a Temporal workflow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from counterpoint.runners.jq_worker import JqWorker
from counterpoint.testing.conformance import Case
from counterpoint.testing.conformance_check import differences
from tests.conformance.surroundings import CASES
from tests.conformance.temporal_runner import TemporalRunner, temporal_runner

pytestmark = pytest.mark.asyncio(loop_scope="module")


def runs_in_real_time(case: Case) -> bool:
    """Whether a case needs neither a virtual clock nor what only our own engine has."""
    own = {"outcome", "startKey", "concurrency"}
    metadata = (case.workflow or {}).get("document", {}).get("metadata", {}).get("counterpoint", {})
    return not case.needs_virtual_time and case.expect.status != "refused" and not own & metadata.keys()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TemporalRunner]:
    folder: Path = tmp_path_factory.mktemp("temporal")
    expressions = JqWorker()
    async with temporal_runner(folder, expressions) as running:
        yield running
    await expressions.close()


@pytest.mark.parametrize("case", [c for c in CASES if runs_in_real_time(c)], ids=lambda c: c.id)
async def test_case_conforms_inside_temporal(runner: TemporalRunner, case: Case) -> None:
    seen = await runner.run(case)
    assert differences(case, seen) == [], case.title
