"""How a benchmark tells its figures: `publish` prints them and hands them to `make bench`.

A benchmark is a file beside this one with a `main()`; run by itself it prints, run by `make bench` its
figures also go to `benchmarks/latest.json`. Figures are medians of several runs, with the smallest and the
largest beside them.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

OUT_VARIABLE = "COUNTERPOINT_BENCH_OUT"
"""Variable that names the file to which figures are appended, one JSON object a line."""


def publish(name: str, values: Sequence[float], unit: str) -> dict[str, float | str]:
    """Print the figures of one measure and hand them on.

    Args:
        name: Dotted name that stays the same from version to version, such as
            `engine.three_steps.runs_per_s`.
        values: One value for each repetition.
        unit: Unit, such as `runs/s` or `ms`.

    Returns:
        Smallest, median and largest value with the unit.
    """
    figures: dict[str, float | str] = {
        "min": round(min(values), 4),
        "median": round(statistics.median(values), 4),
        "max": round(max(values), 4),
        "unit": unit,
    }
    print(
        f"{name:<40} {figures['median']:>14,} {unit}  ({figures['min']:,} to {figures['max']:,})", flush=True
    )
    out = os.environ.get(OUT_VARIABLE)
    if out:
        with Path(out).open("a", encoding="utf-8") as file:
            file.write(json.dumps({name: figures}) + "\n")
    return figures
