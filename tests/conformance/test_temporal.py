"""The same interpreter passes the same cases inside a Temporal workflow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from counterpoint.testing.conformance import Case
from tests.conformance.surroundings import CASES

# The first test waits for all cases; a busy machine takes minutes.
pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).resolve().parents[2]


def runs_in_real_time(case: Case) -> bool:
    """Whether a case needs neither a virtual clock nor what only our own engine has."""
    own = {"outcome", "startKey", "concurrency"}
    metadata = (case.workflow or {}).get("document", {}).get("metadata", {}).get("counterpoint", {})
    return not case.needs_virtual_time and case.expect.status != "refused" and not own & metadata.keys()


SHORT = [case.id for case in CASES if runs_in_real_time(case)]


@pytest.fixture(scope="module")
def found() -> dict[str, list[str]]:
    """What differed, by case; one server and one worker for all of them, in a process that ends by itself."""
    command = [sys.executable, "-m", "tests.conformance.temporal_main", *SHORT]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [line for line in ended.stdout.splitlines() if line.startswith("[")]
    assert ended.returncode == 0, ended.stderr[-4000:]
    return dict(msgspec.json.decode(line, type=tuple[str, list[str]]) for line in lines)


@pytest.mark.parametrize("case_id", SHORT)
def test_case_conforms_inside_temporal(found: dict[str, list[str]], case_id: str) -> None:
    assert found.get(case_id, ["it never ended"]) == []
