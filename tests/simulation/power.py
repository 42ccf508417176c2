"""Weather on a disk that remembers: the power can go at any write, and the disk can fill up or fail."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from counterpoint.storage.database import Tuning
from counterpoint.testing.faulty_disk import CrashImages, FaultyDisk
from tests.simulation.weather import Forecast, Weather

CALM_DISK = Forecast(starts=0.03, controls=0.008, deaths=0.0, jumps=0.0, looks=0.0)


class PowerWeather(Weather):
    """Weather whose process stands on a faulty disk.

    Args:
        folder: Empty folder; each life gets a folder in it.
        seed: Decides everything.
        synchronous: Setting of the database; all but FULL must be found out.

    Attributes:
        disk: Of the life that runs now.
        cuts: How often the power went.
    """

    def __init__(self, folder: Path, seed: int, synchronous: str = "FULL") -> None:
        super().__init__(folder / "life0", seed, CALM_DISK)
        self._root = folder
        self._seed = seed
        self._synchronous = synchronous
        self._source = random.Random(seed)
        self.cuts = 0
        self.disk: FaultyDisk
        self._use_disk()

    def outlive(self, steps: int, cut: float) -> None:
        """Let events pass; after each one the power may go, also in the middle of what it wrote."""
        simulation = self.simulation
        for _ in range(steps):
            if self.random.random() < self.forecast.starts:
                self._start()
            if self.random.random() < self.forecast.controls:
                self._control()
            before = self.disk.point
            if not simulation.time.step():
                self._start()
            # Between two events hardly anything can be torn; a commit is where it matters.
            has_written = self.disk.point > before
            if self._source.random() < (cut * 6 if has_written else cut / 4):
                self.cut_power(self._source.randint(before, self.disk.point))

    def cut_power(self, point: int) -> None:
        """The power goes at a point of the recording; a process boots on what the disk may have kept."""
        simulation, old = self.simulation, self.simulation.folder
        simulation.crash()
        self.cuts += 1
        simulation.folder = self._root / f"life{self.cuts}"
        simulation.folder.mkdir()
        CrashImages(self.disk.operations, self._source).write(point, simulation.folder)
        if (old / "blobs").is_dir():
            shutil.copytree(old / "blobs", simulation.folder / "blobs")
        self.close()
        shutil.rmtree(old)
        simulation.fatal.clear()
        self._use_disk()
        self.disk.remember(simulation.folder)
        simulation.boot()
        self.auditor.after_power_cut()

    def close(self) -> None:
        """Take the disk away; its database must be closed."""
        self.disk.close()

    def _use_disk(self) -> None:
        self.disk = FaultyDisk(f"power-{self._seed}-{self._synchronous}-{self.cuts}")
        self.simulation.tuning = Tuning(
            idle_checkpoint_bytes=48 * 1024,
            forced_checkpoint_bytes=96 * 1024,
            vfs=self.disk.name,
            synchronous=self._synchronous,
        )
