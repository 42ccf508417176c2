"""Runs the groups of tests, one after the other, and tells how long each took.

Each group is a folder below `tests/`; the first, `style`, is format, lint and types. A run has one seed,
printed at the start and the end, which changes from day to day unless it is given: `--seed 20260131` repeats
a run. `--scale 20` multiplies the number of random cases where a test has such a number.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


class Group(NamedTuple):
    """A group of tests: its folder below `tests/`, and whether two processes may share the work."""

    name: str
    is_parallel: bool
    is_fast: bool = False


GROUPS = (
    Group("style", is_parallel=False, is_fast=True),
    Group("architecture", is_parallel=False, is_fast=True),
    Group("unit", is_parallel=True, is_fast=True),
    Group("property", is_parallel=True),
    Group("conformance", is_parallel=True),
    Group("replay", is_parallel=True),
    Group("simulation", is_parallel=True),
    Group("contract", is_parallel=True),
    Group("crash", is_parallel=True),
    Group("e2e", is_parallel=False),
)
STYLE = (
    [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
    [str(BIN / "ruff"), "check", "--quiet", "."],
    [str(BIN / "mypy"), "--no-error-summary"],
)


class Outcome(NamedTuple):
    """How a group went."""

    name: str
    seconds: float
    is_green: bool


def has_tests(group: Group) -> bool:
    """Whether there is anything to run."""
    return group.name == "style" or any((ROOT / "tests" / group.name).rglob("test_*.py"))


def commands_of(group: Group, seed: int, scale: int) -> list[list[str]]:
    """Command lines of a group."""
    if group.name == "style":
        return [list(command) for command in STYLE]
    command = [sys.executable, "-m", "pytest", "-q", f"tests/{group.name}", f"--hypothesis-seed={seed}"]
    if group.is_parallel:
        command += ["-n", "2", "--dist", "loadgroup"]
    if scale > 1:
        command += ["-o", "timeout=7200"]
    return [command]


def run_group(group: Group, seed: int, scale: int) -> Outcome:
    """Run one group to its end, whatever fails in it."""
    print(f"\n=== {group.name} ".ljust(100, "="), flush=True)
    environment = {**os.environ, "COUNTERPOINT_SEED": str(seed), "COUNTERPOINT_SCALE": str(scale)}
    started = time.perf_counter()
    codes = [
        subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        for command in commands_of(group, seed, scale)
    ]
    outcome = Outcome(group.name, time.perf_counter() - started, not any(codes))
    print(
        f"--- {group.name}: {'passed' if outcome.is_green else 'FAILED'} in {outcome.seconds:.1f} s",
        flush=True,
    )
    return outcome


def chosen(names: list[str], *, is_fast: bool) -> list[Group]:
    """Groups to run, in their order; a name that there is none of ends the program."""
    known = {group.name for group in GROUPS}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"There is no group {', '.join(unknown)}; there are {', '.join(sorted(known))}.")
    wanted = [g for g in GROUPS if (g.name in names if names else g.is_fast or not is_fast)]
    return [group for group in wanted if has_tests(group)]


def summary(outcomes: list[Outcome], seed: int) -> str:
    """Table of the times, with the seed that repeats the run."""
    rows = [f"{o.name:<14}{o.seconds:>8.1f} s  {'passed' if o.is_green else 'FAILED'}" for o in outcomes]
    total = sum(o.seconds for o in outcomes)
    return "\n".join([*rows, f"{'all':<14}{total:>8.1f} s  seed {seed}"])


def main() -> int:
    """Run what was asked for; the exit code says whether everything passed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="groups to run; all when none is named")
    parser.add_argument("--fast", action="store_true", help="only the groups that take seconds")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("COUNTERPOINT_SEED") or today()))
    parser.add_argument(
        "--scale", type=int, default=1, help="how many times the usual number of random cases"
    )
    arguments = parser.parse_args()
    groups = chosen(arguments.groups, is_fast=arguments.fast)
    print(f"Seed {arguments.seed}; repeat with `make test SEED={arguments.seed}`.", flush=True)
    outcomes = [run_group(group, arguments.seed, arguments.scale) for group in groups]
    print("\n" + summary(outcomes, arguments.seed), flush=True)
    return 0 if outcomes and all(outcome.is_green for outcome in outcomes) else 1


def today() -> int:
    """Seed of the day, such as 20260131."""
    return int(datetime.now(UTC).strftime("%Y%m%d"))


if __name__ == "__main__":
    sys.exit(main())
