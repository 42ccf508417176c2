"""Garbage on the command line: whatever is typed, an exit code that is documented and never a traceback."""

from __future__ import annotations

import random
from typing import Any

from counterpoint.errors import LEAVES
from tests.unit.cli import samples
from tests.unit.cli.conftest import CommandLine

CASES = 400
OUTCOMES = {0, 1, 2, 3, 4}
DOCUMENTED = OUTCOMES | {row.exit_code for row in LEAVES.values()}

COMMANDS = """
run; validate; deploy; workflows list; workflows show; runs list; runs show; runs watch; runs explain;
runs effects;
runs history; runs verify; runs cancel; runs suspend; runs resume; runs retry; backup; doctor; config explain;
actors add; actors list; actors disable; audit list; runs; workflows; nonsense
"""

OPTIONS = """
--json --limit --before --after --stuck --cause --rate --status --workflow --set -i --input --detach --wait
--dev
--dry-run --strict --version --document --reason --help -h -- --nope
"""

VALUES = [
    *(
        "run-0001",
        "a.yaml",
        "absent.json",
        "/dev/null",
        "/proc/self/mem",
        ".",
        "",
        " ",
        "0",
        "-1",
        "1e309",
        "nan",
    ),
    *(
        "9" * 40,
        "a=b",
        "=",
        "a.b.c={",
        "*",
        "\u202e",
        "\x1b[2J",
        "\udcff",
        "😀",
        "%s%n",
        "../../etc/passwd",
        "$(id)",
    ),
    *("a" * 5000, "faulted", "[", "\n", "\r\n", "null", "--data=\0"),
]


def test_random_arguments_end_with_a_documented_code(cli: CommandLine, seed: int) -> None:
    detail: Any = samples.run_detail("completed")
    cli.operations.answers |= {
        "workflows.deploy": samples.deployment(),
        "workflows.validate": samples.validation(),
        "workflows.list": [],
        "workflows.show": samples.workflow_detail(),
        "runs.start": {"runId": "run-0001"},
        "runs.wait": samples.result(),
        "runs.show": detail,
        "runs.list": samples.run_page(),
        "runs.stuck": samples.stuck_report(),
        "runs.explain": samples.explanation(),
        "runs.effects": samples.effect_report(),
        "runs.history": samples.history_page(),
        "actors.list": [],
        "actors.add": {"name": "x", "token": "cpt_x"},
        "audit.list": [],
        "doctor.run": [],
    }
    cli.operations.streams |= {"runs.watch": [], "runs.retryBulk": [], "backup.create": []}
    (cli.folder.parent / "a.yaml").write_text("do: []\n")
    source = random.Random(seed)
    for _ in range(CASES):
        rest = [source.choice([*OPTIONS.split(), *VALUES]) for _ in range(source.randint(0, 5))]
        arguments = [*source.choice(COMMANDS.split(";")).split(), *rest]
        code = cli(*arguments)
        assert code in DOCUMENTED, arguments
        assert code == 0 or cli.err or code in {1, 3, 4}, arguments
        assert not (cli.folder / "failures.log").exists(), (
            arguments,
            (cli.folder / "failures.log").read_text(),
        )
