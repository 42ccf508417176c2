"""Opening: files, modes, settings, upgrades, epoch, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from counterpoint.errors import LockLostError, StorageError
from counterpoint.storage.committer import WriteBatch
from counterpoint.storage.database import DATABASE_NAME, SERVER, _set_pragmas, check_sqlite, open_database
from counterpoint.storage.lock import LOCK_NAME, owner_of
from counterpoint.storage.schema import SCHEMA_VERSION, SEQ_BITS
from tests.unit.storage.rows import HISTORY, Opened, history_row, new_run


def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    before = os.umask(0)
    try:
        database = open_database(folder, SERVER)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    for file in folder.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file.name
    database.close()


def test_the_settings_are_those_of_durability(opened: Opened) -> None:
    connection = opened.database.connection
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2
    assert connection.pragma("wal_autocheckpoint") == 0
    assert connection.pragma("mmap_size") == 0


def test_a_setting_that_does_not_take_is_refused() -> None:
    with pytest.raises(StorageError, match="journal_mode"):
        _set_pragmas(apsw.Connection(":memory:"), "FULL")


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.7.17"])
def test_an_old_sqlite_is_refused(version: str) -> None:
    with pytest.raises(StorageError, match=version):
        check_sqlite(version)


@pytest.mark.parametrize("version", ["3.51.3", "3.54.1", "4.0.0", "3.51.3.1"])
def test_a_sqlite_without_the_bug_is_taken(version: str) -> None:
    check_sqlite(version)


def test_a_newer_schema_is_refused_and_left_alone(opened: Opened) -> None:
    opened.database.connection.pragma("user_version", SCHEMA_VERSION + 1)
    opened.close()
    with pytest.raises(StorageError, match="use a newer Counterpoint"):
        open_database(opened.folder)
    connection = apsw.Connection(str(opened.database.path))
    assert connection.pragma("user_version") == SCHEMA_VERSION + 1
    connection.pragma("user_version", SCHEMA_VERSION)
    connection.close()
    opened.__init__(opened.folder)  # type: ignore[misc]


def test_another_program_s_database_is_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("data").mkdir()
    connection = apsw.Connection(str(tmp_path / "data" / DATABASE_NAME))
    connection.execute("CREATE TABLE notes (text)")
    connection.close()
    with pytest.raises(StorageError, match="another program"):
        open_database(tmp_path / "data")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("data").mkdir()
    (tmp_path / "data" / DATABASE_NAME).write_bytes(b"no database, but long enough to look at" * 100)
    with pytest.raises(StorageError, match="NotADBError"):
        open_database(tmp_path / "data")


def test_a_database_without_its_epoch_is_refused(opened: Opened) -> None:
    opened.database.connection.execute("DELETE FROM meta WHERE key = 'epoch'")
    opened.database.close()
    with pytest.raises(StorageError, match="epoch"):
        open_database(opened.folder)
    connection = apsw.Connection(str(opened.database.path))
    connection.execute("INSERT INTO meta VALUES ('epoch', 1)")
    connection.close()
    opened.__init__(opened.folder)  # type: ignore[misc]


def test_each_opening_has_the_next_epoch_and_tells_it(tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        database = open_database(tmp_path / "data")
        assert database.epoch == epoch
        owner = owner_of(tmp_path / "data")
        assert owner is not None
        assert (owner.pid, owner.epoch) == (os.getpid(), epoch)
        database.close()
    assert owner_of(tmp_path / "data") is None


def test_a_second_owner_is_refused_and_told_who_the_first_is(opened: Opened) -> None:
    with pytest.raises(LockLostError, match=f"process {os.getpid()} "):
        open_database(opened.folder)


def test_a_refused_opening_gives_the_lock_back(tmp_path: Path) -> None:
    tmp_path.joinpath("data").mkdir()
    (tmp_path / "data" / DATABASE_NAME).write_bytes(b"no database" * 1000)
    for _ in range(2):
        with pytest.raises(StorageError):
            open_database(tmp_path / "data")


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path;"
        "from counterpoint.storage.database import open_database;"
        "open_database(Path(sys.argv[1])); print('open', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    folder = tmp_path / "data"
    killed = subprocess.run([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, timeout=60)
    assert killed.stdout == b"open\n"
    assert (folder / LOCK_NAME).stat().st_size > 0
    database = open_database(folder)
    assert database.lock.previous is not None
    assert (database.lock.previous.epoch, database.epoch) == (1, 2)
    database.close()


def test_run_numbers_continue_behind_runs_histories_and_removed_ones(opened: Opened) -> None:
    database = opened.database
    assert database.next_run_no() == 1
    opened.committer.commit([new_run(4)])
    assert database.next_run_no() == 5
    row = history_row((9 << SEQ_BITS) + 3)
    opened.committer.commit([new_run(5)])
    opened.committer.commit([WriteBatch(rows=[(HISTORY, [row])])])
    assert database.next_run_no() == 10
    database.connection.execute("INSERT INTO meta VALUES ('run_no_floor', 70)")
    assert database.next_run_no() == 71


def test_a_grown_log_survives_a_clean_end_and_is_read_as_empty(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for turn in range(3):
        database = open_database(folder, SERVER)
        committer = database.committer(SERVER)
        assert committer.commit([new_run(turn)])[0].error is None
        committer.close()
        database.close()
        assert folder.joinpath(DATABASE_NAME + "-wal").stat().st_size >= SERVER.presized_wal_bytes
    database = open_database(folder, SERVER)
    assert database.connection.execute("SELECT count(*) FROM runs").get == 3
    database.close()
