"""The examples of the documentation: documents that load without a remark, and the actions that they call."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterpoint.core.dsl.loader import load

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [
    p for p in sorted((ROOT / "examples").rglob("*.yaml")) if "\ndo:\n" in p.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_example_loads_without_a_warning(document: Path) -> None:
    workflow = load(document.read_text(encoding="utf-8"))
    assert [problem.message for problem in workflow.warnings] == []


def test_there_are_examples() -> None:
    assert len(DOCUMENTS) >= 2
