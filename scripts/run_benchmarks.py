"""Runs the benchmarks, one after the other, and writes `benchmarks/latest.json`.

`run_benchmarks.py engine_three_steps` runs one of them; its figures replace those of the same names and the
others stay. Measure on a quiet machine: nothing else should run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import apsw

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks"
LATEST = FOLDER / "latest.json"
PROGRAM = 'if __name__ == "__main__":'
"""What tells a benchmark from the modules that benchmarks share."""


def environment() -> str:
    """What the figures depend on: processors, memory, Python, SQLite, load."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    processor = next((line for line in cpu_lines() if line.startswith("model name")), "model name: unknown")
    return "\n".join(
        [
            f"{os.cpu_count()} cores, {processor.partition(':')[2].strip()}, {memory:.0f} GiB",
            f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
            f"SQLite {apsw.sqlite_lib_version()}",
            f"load before: {', '.join(f'{value:.2f}' for value in os.getloadavg())}",
        ]
    )


def cpu_lines() -> list[str]:
    """Lines of the processor's description, where the system has one."""
    file = Path("/proc/cpuinfo")
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def benchmarks(names: list[str]) -> list[Path]:
    """Files to run: all, or those named."""
    files = sorted(FOLDER.glob("[a-z]*.py"))
    found = {p.stem: p for p in files if PROGRAM in p.read_text(encoding="utf-8")}
    unknown = [name for name in names if name not in found]
    if unknown:
        sys.exit(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(found)}.")
    return [found[name] for name in names] if names else list(found.values())


def run(file: Path) -> tuple[dict[str, dict[str, float | str]], bool]:
    """Figures of one benchmark, and whether it ended well."""
    print(f"\n=== {file.stem} ".ljust(100, "="), flush=True)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures"
        surroundings = {**os.environ, "COUNTERPOINT_BENCH_OUT": str(out), "PYTHONPATH": str(ROOT)}
        ended = subprocess.run([sys.executable, str(file)], cwd=ROOT, env=surroundings, check=False)
        lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    print(f"--- {file.stem}: {time.perf_counter() - started:.1f} s", flush=True)
    return {
        name: figures for line in lines for name, figures in json.loads(line).items()
    }, ended.returncode == 0


def main() -> int:
    """Run what was asked for and keep the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="BENCHMARK", help="benchmarks to run; all when none is named"
    )
    files = benchmarks(parser.parse_args().names)
    print(environment(), flush=True)
    kept = json.loads(LATEST.read_text(encoding="utf-8")) if LATEST.exists() else {}
    failed = []
    for file in files:
        figures, is_well = run(file)
        kept.update(figures)
        if not is_well:
            failed.append(file.stem)
    LATEST.write_text(json.dumps(dict(sorted(kept.items())), indent=2) + "\n", encoding="utf-8")
    print(f"\nwrote {LATEST.relative_to(ROOT)}" + (f"; FAILED: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
