"""Records histories of this version: `python -m tests.replay.record_histories NAME`, once for each release.

Random weather is blown over all documents; from each seed the runs are kept that show something new: an input
of a kind that no run of the same workflow had, another end, a call in doubt, a compaction.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from counterpoint import __version__
from counterpoint.core.values import Status
from counterpoint.engines.embedded.rows import BLOB_FORMAT, ROW_FORMAT
from tests.replay.histories import FOLDER, RecordedRun, Recording, record, write
from tests.simulation.probe import replayed, stored
from tests.simulation.weather import DOCUMENTS, Forecast, Weather

SEEDS = 40
STEPS = 1_200
MOST_ROWS = 60
_TELLING = ("isUncertain", "isConfirmed", "isParents", "due", "again", "pause")
ROUGH = Forecast(deaths=0.01, controls=0.02, bars=0.4)


def main() -> None:
    """Record, and tell what is in the file."""
    seen: set[Any] = set()
    runs: list[RecordedRun] = []
    for seed in range(SEEDS):
        with tempfile.TemporaryDirectory() as folder:
            runs += new_runs(Path(folder), seed, seen)
    texts = [path.read_text() for path in DOCUMENTS]
    path = FOLDER / f"f{ROW_FORMAT}-{sys.argv[1]}.json"
    write(path, Recording(__version__, texts, runs))
    print(f"{path}: {len(runs)} runs, {path.stat().st_size} bytes")


def new_runs(folder: Path, seed: int, seen: set[Any]) -> list[RecordedRun]:
    """Runs of a seed that show something which no earlier one did; taken in the middle of the weather."""
    weather = Weather(folder, seed, ROUGH)
    weather.blow_on(STEPS)
    simulation = weather.simulation
    found = []
    for run_no, _, status in simulation.runs():
        run = stored(simulation, run_no)
        shown = what_it_shows(simulation, run_no, status)
        is_small = len(run.rows) <= MOST_ROWS and all(row[3] != BLOB_FORMAT for row in run.rows)
        if is_small and not shown <= seen:
            seen |= shown
            found.append(record(run, replayed(simulation, run_no)))
    simulation.crash()
    return found


def what_it_shows(simulation: Any, run_no: int, status: Status) -> set[Any]:
    """What a history has an example of, by workflow."""
    history = simulation.history(run_no)
    name = simulation.revisions.by_number(stored(simulation, run_no).facts[10]).workflow.name
    shown: set[Any] = {(name, entry.kind) for entry in history}
    shown.add((name, status))
    for entry in history:
        if entry.end is not None:
            shown.add((name, entry.end.status, entry.end.cause))
        if isinstance(entry.payload, dict):
            shown.update(
                (name, key) for key in ("isUncertain", "isConfirmed", "due", "again") if key in entry.payload
            )
    return shown


if __name__ == "__main__":
    main()
