"""What every test may use: the seed of this run, its scale, and where the specification's data lies."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SEED = int(os.environ.get("COUNTERPOINT_SEED") or datetime.now(UTC).strftime("%Y%m%d"))
SCALE = int(os.environ.get("COUNTERPOINT_SCALE") or 1)

# Processes that the tests start, and tests that read the variables themselves, see the same seed.
os.environ["COUNTERPOINT_SEED"] = str(SEED)
os.environ["COUNTERPOINT_SCALE"] = str(SCALE)

# What a command prints must not depend on the terminal of whoever runs the tests (xdist sets COLUMNS in its
# workers).
for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
    os.environ.pop(name, None)

# Time is never asserted: a busy machine is no failure.
settings.register_profile(
    "counterpoint",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=100 * SCALE,
)
settings.load_profile("counterpoint")


def pytest_report_header() -> str:
    """The seed, so that a failure can be repeated."""
    return f"seed: {SEED} (COUNTERPOINT_SEED), scale: {SCALE} (COUNTERPOINT_SCALE)"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The seed again, beside the failures."""
    if terminalreporter.stats.get("failed"):
        terminalreporter.write_line(f"repeat with COUNTERPOINT_SEED={SEED} COUNTERPOINT_SCALE={SCALE}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the longest tests to the runs that ask for them."""
    if SCALE > 1:
        return
    soak = [item for item in items if item.get_closest_marker("soak")]
    if soak:
        config.hook.pytest_deselected(items=soak)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]


@pytest.fixture(scope="session")
def seed() -> int:
    """Seed of this run; it changes from day to day."""
    return SEED


@pytest.fixture(scope="session")
def scale() -> int:
    """Factor for the number of random cases: 1 in CI, more in `make crash` and `make soak`."""
    return SCALE


@pytest.fixture(scope="session")
def spec() -> Path:
    """Folder with the specification's schema, examples and conformance features."""
    folder = Path(os.environ.get("COUNTERPOINT_SPEC") or ROOT.parent / "shared" / "spec")
    if not folder.is_dir():
        pytest.skip(f"the specification's data is not at {folder}: set COUNTERPOINT_SPEC")
    return folder
