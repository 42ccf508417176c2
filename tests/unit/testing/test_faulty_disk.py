"""The faulty disk keeps what was synced, tears what was not, and fails where it is told to."""

from __future__ import annotations

import random
from pathlib import Path

import apsw
import pytest

from counterpoint.testing.faulty_disk import SECTOR, CrashImages, DiskFault, FaultyDisk, Kind, Operation

NEW = b"N" * 4 * SECTOR
OLD = b"O" * 4 * SECTOR


def write(data: bytes, offset: int = 0, file: str = "f") -> Operation:
    return Operation(file, Kind.WRITE, offset, data)


SYNC = Operation("f", Kind.SYNC)


def images(folder: Path, operations: list[Operation], count: int = 200) -> list[bytes | None]:
    """Contents of the file in many images of the end of a recording; None where it is absent."""
    found: list[bytes | None] = []
    source = random.Random(1)
    for _ in range(count):
        CrashImages(operations, source).write(len(operations), folder)
        file = folder / "f"
        found.append(file.read_bytes() if file.exists() else None)
    return found


def test_what_was_synced_is_in_every_image(tmp_path: Path) -> None:
    assert set(images(tmp_path, [write(OLD), SYNC])) == {OLD}


def test_what_was_not_synced_survives_wholly_in_part_or_not_at_all(tmp_path: Path) -> None:
    found = set(images(tmp_path, [write(OLD), SYNC, write(NEW)]))
    assert {OLD, NEW} <= found
    assert len(found) > 5
    for image in found:
        assert image is not None
        sectors = {image[start : start + SECTOR] for start in range(0, len(image), SECTOR)}
        assert sectors <= {OLD[:SECTOR], NEW[:SECTOR]}


def test_a_write_across_sectors_is_torn_at_their_borders(tmp_path: Path) -> None:
    found = set(images(tmp_path, [write(bytes(3 * SECTOR)), SYNC, write(b"N" * SECTOR, SECTOR // 2)]))
    halves = {(image[SECTOR // 2 : SECTOR], image[SECTOR : SECTOR * 3 // 2]) for image in found if image}
    zero, new = bytes(SECTOR // 2), b"N" * (SECTOR // 2)
    assert halves == {(zero, zero), (zero, new), (new, zero), (new, new)}


def test_a_hole_before_surviving_data_is_zero(tmp_path: Path) -> None:
    found = images(tmp_path, [write(OLD), write(NEW, len(OLD))])
    assert bytes(SECTOR) in {image[:SECTOR] for image in found if image and len(image) > len(OLD)}


def test_a_deletion_may_be_undone_until_its_folder_is_synced(tmp_path: Path) -> None:
    gone = Operation("f", Kind.DELETE)
    assert set(images(tmp_path, [write(OLD), SYNC, gone])) == {OLD, None}
    assert set(images(tmp_path, [write(OLD), SYNC, gone, SYNC])) == {None}


def test_a_truncation_may_be_undone_until_it_is_synced(tmp_path: Path) -> None:
    cut = Operation("f", Kind.TRUNCATE, SECTOR)
    assert set(images(tmp_path, [write(OLD), SYNC, cut])) == {OLD, OLD[:SECTOR]}
    assert set(images(tmp_path, [write(OLD), SYNC, cut, SYNC])) == {OLD[:SECTOR]}


def test_images_of_rising_points_follow_the_recording(tmp_path: Path) -> None:
    operations = [write(OLD), SYNC, write(NEW), SYNC]
    crash = CrashImages(operations, random.Random(1))
    contents = []
    for point in (2, 4):
        crash.write(point, tmp_path)
        contents.append((tmp_path / "f").read_bytes())
    assert contents == [OLD, NEW]


@pytest.mark.parametrize(("is_full", "error"), [(True, apsw.FullError), (False, apsw.IOError)])
def test_the_chosen_write_fails_as_told_and_the_next_one_succeeds(
    tmp_path: Path, is_full: bool, error: type[Exception]
) -> None:
    disk = FaultyDisk(f"unit-{is_full}", DiskFault(Kind.WRITE, 1, is_full=is_full))
    connection = apsw.Connection(str(tmp_path / "x.db"), vfs=disk.name)
    with pytest.raises(error):
        connection.execute("CREATE TABLE t (x)")
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    disk.close()


def test_a_lasting_fault_lasts_until_it_is_healed(tmp_path: Path) -> None:
    disk = FaultyDisk("unit-lasting", DiskFault(Kind.WRITE, 1, is_full=True, is_lasting=True))
    connection = apsw.Connection(str(tmp_path / "x.db"), vfs=disk.name)
    for _ in range(3):
        with pytest.raises(apsw.FullError):
            connection.execute("CREATE TABLE t (x)")
    disk.heal()
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    disk.close()


def test_the_recording_rebuilds_the_file_that_sqlite_wrote(tmp_path: Path) -> None:
    disk = FaultyDisk("unit-whole")
    live = tmp_path / "live.db"
    connection = apsw.Connection(str(live), vfs=disk.name)
    connection.execute("CREATE TABLE t (x)")
    connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(100)])
    connection.close()
    disk.close()
    folder = tmp_path / "image"
    folder.mkdir()
    CrashImages(disk.operations, random.Random(1)).write(disk.point, folder)
    assert (folder / "live.db").read_bytes() == live.read_bytes()
