"""R-04 and R-05 for the storage: the disk is full, or fails, at every single write and sync of a workload.

Full: the group is refused and rolled back, everything acknowledged is still there, and once there is space
the same process goes on. Failed: nothing is tried again, every later batch is refused, and what a power cut
at that moment leaves holds everything acknowledged.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterpoint.errors import StorageError
from counterpoint.storage.database import open_database
from counterpoint.testing.faulty_disk import CrashImages, DiskFault, FaultyDisk, Kind
from tests.crash.storage_workload import Workload, open_on, stored_state

COMMITS = 8


def size_of_workload(folder: Path, seed: int, kind: Kind) -> int:
    """Operations of a kind that the workload asks for when nothing fails."""
    disk = FaultyDisk(f"measure-{kind.value}")
    database, committer = open_on(disk, folder)
    workload = Workload(seed)
    for turn in range(COMMITS):
        assert all(result.error is None for result in committer.commit(workload.group()))
        committer.checkpoint(is_idle=turn % 3 == 0)
    committer.close()
    database.close()
    disk.close()
    return disk.count(kind)


class Run:
    """The workload on a disk with a fault; the model holds what was acknowledged.

    Attributes:
        errors: The first error of each refused group.
        acknowledged: State after the last acknowledged commit.
        begun: State that the first refused group would have led to.
    """

    def __init__(self, disk: FaultyDisk, folder: Path, seed: int) -> None:
        self.disk = disk
        self.errors: list[StorageError] = []
        self.database, self.committer = open_on(disk, folder)
        self._workload = Workload(seed)
        self.acknowledged = self._workload.model.state()
        self.begun = self.acknowledged

    def go(self) -> None:
        """Commit group after group; stop at the first refusal."""
        for turn in range(COMMITS):
            group = self._workload.group()
            state = self._workload.model.state()
            results = self.committer.commit(group)
            errors = [result.error for result in results if result.error is not None]
            if errors:
                assert len(errors) == len(results)
                self.errors.append(errors[0])
                self.begun = state
                self._retry = group
                return
            self.acknowledged = self.begun = state
            self.committer.checkpoint(is_idle=turn % 3 == 0)

    def again(self) -> None:
        """Commit the refused group once more."""
        self.committer.resume()
        results = self.committer.commit(self._retry)
        assert all(result.error is None for result in results), results
        self.acknowledged = self.begun


def faults(folder: Path, seed: int, kind: Kind, *, is_full: bool, is_lasting: bool) -> Iterator[DiskFault]:
    for number in range(1, size_of_workload(folder / "measure", seed, kind) + 1):
        yield DiskFault(kind, number, is_full=is_full, is_lasting=is_lasting)


def opened(disk: FaultyDisk, folder: Path, seed: int) -> Run | None:
    """The workload, ready to go; None when the fault already hit the opening, which then must say so."""
    try:
        return Run(disk, folder, seed)
    except StorageError as error:
        if error.is_full or error.is_fatal:
            return None
        raise


@pytest.mark.parametrize("is_lasting", [True, False])
def test_a_full_disk_at_any_write_refuses_work_and_goes_on_when_there_is_space(
    tmp_path: Path, seed: int, is_lasting: bool
) -> None:
    refused = 0
    for fault in faults(tmp_path, seed, Kind.WRITE, is_full=True, is_lasting=is_lasting):
        disk = FaultyDisk(f"full-{fault.number}-{is_lasting}", fault)
        folder = tmp_path / str(fault.number)
        run = opened(disk, folder, seed)
        if run is not None:
            run.go()
            assert stored_state(run.database.connection) == run.acknowledged, fault
            assert run.committer.fatal is None, fault
            disk.heal()
            if run.errors:
                refused += 1
                assert run.errors[0].is_full, fault
                assert_held_back(run, fault)
                run.again()
            run.committer.close()
            run.database.close()
            assert_state(folder, run.acknowledged, run.acknowledged, fault)
        disk.close()
    assert refused > 20


@pytest.mark.parametrize("kind", [Kind.WRITE, Kind.SYNC])
def test_a_disk_error_at_any_write_or_sync_ends_all_work_and_loses_nothing_acknowledged(
    tmp_path: Path, seed: int, kind: Kind
) -> None:
    hit = 0
    for fault in faults(tmp_path, seed, kind, is_full=False, is_lasting=False):
        disk = FaultyDisk(f"error-{kind.value}-{fault.number}", fault)
        run = opened(disk, tmp_path / str(fault.number), seed)
        if run is not None:
            run.go()
            if run.errors:
                hit += 1
                assert run.errors[0].is_fatal, fault
                assert_all_refused(run, fault)
            point = disk.point
            run.committer.close()
            run.database.close()
            assert not run.errors or disk.point == point, f"written after {fault}"
            image = tmp_path / f"{fault.number}-image"
            image.mkdir()
            CrashImages(disk.operations, random.Random(seed + fault.number)).write(disk.point, image)
            assert_state(image, run.acknowledged, run.begun, fault)
        disk.close()
    assert hit > 8


def assert_all_refused(run: Run, fault: DiskFault) -> None:
    """After a fatal error the files are not touched again."""
    point = run.disk.point
    results = run.committer.commit(Workload(1).group())
    run.committer.checkpoint(is_idle=True)
    assert all(result.error is not None and result.error.is_fatal for result in results), fault
    assert run.disk.point == point, fault


def assert_held_back(run: Run, fault: DiskFault) -> None:
    """Nothing overtakes the refused group, though there is space again."""
    results = run.committer.commit(Workload(1).group())
    assert all(result.error is not None and result.error.is_full for result in results), fault


def assert_state(folder: Path, acknowledged: object, begun: object, fault: DiskFault) -> None:
    """What is found at the next opening is what was acknowledged, or that and the group in flight."""
    database = open_database(folder)
    try:
        assert database.connection.pragma("integrity_check") == "ok", fault
        assert stored_state(database.connection) in (acknowledged, begun), fault
    finally:
        database.close()
