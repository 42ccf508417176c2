"""A command imports what it needs and no more: what is heavy comes with the first use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def imported(folder: Path, *arguments: str) -> set[str]:
    """Modules that a command imported; it must succeed."""
    command = [sys.executable, "-X", "importtime", "-m", "counterpoint.cli.main", *arguments]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def test_the_version_is_told_without_anything_else(tmp_path: Path) -> None:
    own = {name for name in imported(tmp_path, "--version") if name.startswith("counterpoint")}
    assert own == {"counterpoint", "counterpoint.cli"}


def test_a_command_that_owns_the_data_for_a_moment_does_without_http_logs_and_tracebacks(
    tmp_path: Path,
) -> None:
    names = imported(tmp_path, "--data", "data", "runs", "list")
    assert "counterpoint.wiring" in names
    heavy = {"aiohttp", "structlog", "rich.traceback", "rich.syntax", "pygments", "temporalio", "jq"}
    assert heavy & names == set()


def test_a_command_that_prints_json_loads_nothing_that_shows(tmp_path: Path) -> None:
    names = imported(tmp_path, "--data", "data", "--json", "runs", "list")
    assert {name for name in names if name.partition(".")[0] == "rich"} == set()
