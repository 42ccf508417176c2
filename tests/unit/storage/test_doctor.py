"""The examination finds what is wrong and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import apsw

from counterpoint.ports.maintenance import Finding
from counterpoint.storage.blobs import quarantine
from counterpoint.storage.committer import WriteBatch
from counterpoint.storage.doctor import examine, fsync_latency_ms
from counterpoint.storage.schema import SCHEMA_VERSION
from tests.unit.storage.rows import HISTORY, Opened, history_row

DISK = {"fsync", "free disk"}
"""Depend on the machine."""


def found(folder: Path, now: int = 2_000_000_000) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(folder, lambda: now)}


def wrong(folder: Path, now: int = 2_000_000_000) -> set[str]:
    return {name for name, finding in found(folder, now).items() if not finding.is_ok} - DISK


def test_a_healthy_directory_in_use_has_nothing_wrong(opened: Opened) -> None:
    findings = found(opened.folder)
    assert wrong(opened.folder) == set()
    assert str(os.getpid()) in findings["owner"].value
    assert findings["schema"].value == f"{SCHEMA_VERSION} of {SCHEMA_VERSION}"
    assert findings["SQLite version"].value == apsw.sqlite_lib_version()
    assert {"integrity", "clock", "write-ahead log", "settings", "quarantine", "permissions"} <= set(findings)


def test_a_directory_without_a_database_is_no_failure(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert wrong(tmp_path) == set()
    assert found(tmp_path)["owner"].value == "nobody"


def test_a_clock_that_went_back_is_found(opened: Opened) -> None:
    opened.committer.commit([WriteBatch(rows=[(HISTORY, [history_row(1, at=5_000_000_000)])])])
    assert wrong(opened.folder, 3_900_000_000) == {"clock"}
    assert wrong(opened.folder, 5_000_000_001) == set()


def test_open_permissions_are_found(opened: Opened) -> None:
    opened.folder.chmod(0o755)
    assert wrong(opened.folder) == {"permissions"}


def test_what_is_in_quarantine_is_shown(opened: Opened) -> None:
    opened.committer.commit(
        [WriteBatch(decisions=[lambda c, _: quarantine(c, "history", 7, "bad digest", 1)])]
    )
    assert wrong(opened.folder) == {"quarantine"}
    assert "history 7: bad digest" in found(opened.folder)["quarantine"].value


def test_a_damaged_database_is_found(opened: Opened) -> None:
    rows = [history_row(n, b"x" * 500) for n in range(2000)]
    opened.committer.commit([WriteBatch(rows=[(HISTORY, rows)])])
    opened.damage()
    assert wrong(opened.folder) & {"integrity", "database"}


def test_a_file_that_is_no_database_is_found(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "counterpoint.db").write_bytes(b"no database" * 1000)
    assert wrong(tmp_path) == {"database"}


def test_a_newer_schema_is_found(opened: Opened) -> None:
    opened.database.connection.pragma("user_version", SCHEMA_VERSION + 1)
    assert wrong(opened.folder) == {"schema"}


def test_the_measurement_of_fsync_leaves_no_file(tmp_path: Path) -> None:
    median, worst = fsync_latency_ms(tmp_path, 5)
    assert 0 < median <= worst
    assert list(tmp_path.iterdir()) == []
