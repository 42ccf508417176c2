"""R-01 for the storage: the power goes at random points of a recorded workload, and nothing acknowledged is
lost.

One point is one rebuilt image that is opened as the product opens it and compared with the model: the state
must be the one after a whole number of commits, at least those acknowledged at that point and at most those
begun.
"""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import apsw
import pytest

from counterpoint.errors import StorageError
from counterpoint.storage.committer import CommitResult, Committer, WriteBatch
from counterpoint.storage.database import Database, open_database
from counterpoint.storage.schema import SEQ_BITS
from counterpoint.testing.faulty_disk import CrashImages, FaultyDisk
from tests.crash.storage_workload import Commit, Recording, honest, record, stored_state

POINTS = 500
COMMITS = 60


def failure_at(recording: Recording, point: int, image: Path) -> str:
    """What is wrong with an image; empty if nothing is."""
    try:
        database = open_database(image, now=lambda: 2)
    except StorageError as error:
        return f"does not open: {error}"
    try:
        return state_failure(recording, point, database)
    except apsw.Error as error:
        return f"cannot be read: {error}"
    finally:
        database.close()


def state_failure(recording: Recording, point: int, database: Database) -> str:
    """What is wrong with an opened image."""
    connection = database.connection
    integrity = connection.pragma("integrity_check")
    if integrity != "ok":
        return f"integrity: {integrity}"
    state = stored_state(connection)
    least, most = recording.at(point)
    if state not in recording.states[least : most + 1]:
        return f"neither of the states after {least} to {most} commits"
    last = connection.execute("SELECT max(commit_no) FROM history").get or 0
    if database.committer().last_commit < last:
        return "a commit number would be used again"
    return chain_failure(state)


def chain_failure(state: tuple[list[tuple[int, bytes, bytes, bytes]], ...]) -> str:
    """What is wrong with the rows' order and digests; independent of the model."""
    heads: dict[int, bytes] = {}
    seqs: dict[int, int] = {}
    for number, nonce, body, head in state[0]:
        run_no, seq = number >> SEQ_BITS, number & ((1 << SEQ_BITS) - 1)
        if seq != seqs.get(run_no, 0) + 1:
            return f"run {run_no} has a gap before row {seq}"
        if hashlib.sha256(heads.get(run_no, b"") + nonce + body).digest() != head:
            return f"run {run_no} has a broken chain at row {seq}"
        seqs[run_no], heads[run_no] = seq, head
    return ""


def failures(
    folder: Path, seed: int, points: int, *, synchronous: str = "FULL", commit: Commit = honest
) -> list[tuple[int, str]]:
    """Points of a recording, with what is wrong there."""
    disk = FaultyDisk(f"crash-{seed}-{synchronous}")
    recording = record(disk, folder / "live", seed, COMMITS, synchronous=synchronous, commit=commit)
    disk.close()
    source = random.Random(seed)
    images = CrashImages(disk.operations, source)
    image = folder / "image"
    image.mkdir()
    found = []
    for point in sorted(source.choices(range(disk.point + 1), k=points)):
        images.write(point, image)
        failure = failure_at(recording, point, image)
        if failure:
            found.append((point, failure))
    return found


@pytest.mark.parametrize("turn", range(4))
def test_nothing_acknowledged_is_lost_at_any_crash_point(
    tmp_path: Path, seed: int, scale: int, turn: int
) -> None:
    for repeat in range(scale):
        base = seed * 1000 + turn * 100_000_007 + repeat
        folder = tmp_path / str(repeat)
        folder.mkdir()
        assert failures(folder, base, POINTS) == [], f"workload seed {base}"


def test_a_log_that_is_not_synced_at_each_commit_is_found_to_lose_commits(tmp_path: Path, seed: int) -> None:
    found = failures(tmp_path, seed, 100, synchronous="NORMAL")
    assert any("neither of the states" in failure for _, failure in found), found


def test_a_database_that_is_never_synced_is_found_out(tmp_path: Path, seed: int) -> None:
    assert failures(tmp_path, seed, 100, synchronous="OFF")


def test_an_acknowledgement_before_the_commit_is_found_out(tmp_path: Path, seed: int) -> None:
    def hasty(
        committer: Committer, group: list[WriteBatch], disk: FaultyDisk
    ) -> tuple[list[CommitResult], int]:
        point = disk.point
        return committer.commit(group), point

    assert failures(tmp_path, seed, 100, commit=hasty)


def test_a_batch_spread_over_two_commits_is_found_out(tmp_path: Path, seed: int) -> None:
    def halved(
        committer: Committer, group: list[WriteBatch], disk: FaultyDisk
    ) -> tuple[list[CommitResult], int]:
        rows = [entry for batch in group for entry in batch.rows]
        decisions = [decision for batch in group for decision in batch.decisions]
        half = len(rows) // 2
        first = committer.commit([WriteBatch(rows=rows[:half])])
        second = committer.commit([WriteBatch(rows=rows[half:], decisions=decisions)])
        return first + second, disk.point

    assert failures(tmp_path, seed, 100, commit=halved)
