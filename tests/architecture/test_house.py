"""The house: its commands, its pages and its words."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.run_tests import GROUPS
from tests.architecture.source import ROOT, label, python_files

TARGETS = ("setup", "up", "test", "check", "bench", "crash", "soak", "help")
PAGES = (
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/glossary.md",
    "docs/explanation/delivery-semantics.md",
)
WORDS = """
    workflow, revision, run, task, step, history, replay, fault, flow directive, status,
    event, event log, subscription, consumer, filter, delivery, attempt, acknowledge, redeliver, dead letter,
    contract, idempotency key, correlation,
    connector, action, trigger, connection, environment, policy, approval, ledger, checkpoint, evidence
"""


def test_make_explains_itself() -> None:
    told = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [target for target in TARGETS if f"make {target} " not in told] == []


def test_ci_runs_the_command_that_the_readme_gives() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make up" in readme
    assert "make test" in readme


def test_every_test_belongs_to_a_group_that_is_run() -> None:
    groups = {group.name for group in GROUPS}
    tests = [path for path in python_files("tests") if path.name.startswith("test_")]
    assert [label(path) for path in tests if path.relative_to(ROOT).parts[1] not in groups] == []


@pytest.mark.parametrize(("body", "code"), [("assert True", 0), ("assert False", 1)])
def test_a_run_of_the_tests_is_green_only_if_every_test_is(body: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "run_tests.py", tmp_path / "scripts")
    (tmp_path / "tests" / "e2e").mkdir(parents=True)
    (tmp_path / "tests" / "e2e" / "test_one.py").write_text(f"def test_one():\n    {body}\n")
    command = [sys.executable, "scripts/run_tests.py", "--seed", "7", "e2e"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == code
    assert "seed 7" in ran.stdout
    assert re.search(r"^e2e +\d+\.\d s  " + ("FAILED" if code else "passed"), ran.stdout, re.MULTILINE)


def test_the_pages_are_there() -> None:
    assert [page for page in PAGES if not (ROOT / page).is_file()] == []


def test_the_glossary_defines_the_words() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").lower()
    defined = set(re.findall(r"^\*\*([^*]+)\*\*", text, flags=re.MULTILINE))
    assert sorted({word.strip() for word in WORDS.split(",")} - defined) == []


def test_decisions_are_numbered_without_gaps_and_short() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert [page.name[:4] for page in pages] == [f"{n:04}" for n in range(1, len(pages) + 1)]
    assert [page.name for page in pages if len(page.read_text(encoding="utf-8").split()) > 450] == []
