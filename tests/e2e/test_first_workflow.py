"""The tutorial, step by step, as a reader would do it: real commands in a fresh folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(sys.executable).parent / "counterpoint"


class Reader:
    """Somebody who follows the tutorial."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("COUNTERPOINT_")}

    def types(self, *arguments: str, code: int = 0) -> str:
        """What a command prints."""
        ran = subprocess.run(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        assert "Traceback" not in ran.stdout + ran.stderr
        return ran.stdout

    def sees(self, *arguments: str) -> Any:
        """The same as JSON."""
        return json.loads(self.types("--json", *arguments))


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """A reader with a fresh copy of the example."""
    shutil.copytree(ROOT / "examples" / "first-workflow", tmp_path / "first-workflow")
    return Reader(tmp_path / "first-workflow")


def test_the_order_is_priced_and_the_reason_for_freight_is_told(reader: Reader) -> None:
    output = reader.types("run", "order.yaml", "-i", "order.json")
    assert json.loads(output) == {"customer": "C-17", "total": 110, "shipping": "freight"}
    assert output in (ROOT / "README.md").read_text(encoding="utf-8")
    run = reader.sees("runs", "list")["items"][0]["id"]
    assert ".total >= 100" in reader.types("runs", "explain", run)


def test_an_order_without_customer_faults_before_any_task(reader: Reader) -> None:
    order = json.loads((reader.folder / "order.json").read_text())
    del order["customer"]
    (reader.folder / "order.json").write_text(json.dumps(order))
    reader.types("run", "order.yaml", "-i", "order.json", code=1)
    assert "customer" in reader.types("runs", "list", "--stuck")


def test_a_misspelt_key_is_refused_with_its_place(reader: Reader) -> None:
    document = reader.folder / "order.yaml"
    document.write_text(document.read_text().replace("coolingOff:", "coolingOff:\n      iff: .x"))
    problems = json.dumps(json.loads(reader.types("--json", "validate", "order.yaml", code=2)))
    assert "/do/1/coolingOff/iff" in problems
    assert "`if`" in problems


def test_the_warehouse_reserves_once_although_it_was_asked_twice(reader: Reader) -> None:
    first = reader.sees("run", "order-with-warehouse.yaml", "-i", "order-with-warehouse.json")
    second = reader.sees("run", "order-with-warehouse.yaml", "-i", "order-with-warehouse.json")
    assert first == second
    runs = reader.sees("runs", "list")["items"]
    assert [run["workflow"] for run in runs] == ["order-with-warehouse"]
    effects = json.dumps(reader.sees("runs", "effects", runs[0]["id"]))
    assert effects.count("warehouse.reserve") == 2
