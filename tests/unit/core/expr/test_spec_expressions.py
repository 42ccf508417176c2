"""Expressions of the specification's examples and conformance kit."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from counterpoint.core.expr import compile_expression, strip_expression

ROOT = Path(__file__).resolve().parents[4]
SPEC = Path(os.environ.get("COUNTERPOINT_SPEC") or ROOT.parent / "shared" / "spec")
NATIVE_AT_LEAST = 57
_EXPRESSION_FIELDS = frozenset("if when exceptWhen while until in from as filter".split())
_IN_FEATURES = re.compile(r"\$\{(.*)\}\s*['\"]?\s*$", re.MULTILINE)


def gather(value: Any, key: str, found: set[str]) -> None:
    """Collect the expressions of a document."""
    if isinstance(value, dict):
        for name, item in value.items():
            gather(item, str(name), found)
    elif isinstance(value, list):
        for item in value:
            gather(item, key, found)
    elif isinstance(value, str):
        inner = strip_expression(value)
        if inner is not None:
            found.add(inner)
        elif key in _EXPRESSION_FIELDS and re.search(r"[.$\[(]", value):
            found.add(value)


def spec_expressions() -> set[str]:
    """Distinct expressions of examples and features."""
    found: set[str] = set()
    for path in sorted((SPEC / "examples").glob("*.yaml")):
        gather(yaml.safe_load(path.read_text()), "", found)
    for path in sorted((SPEC / "ctk").glob("*.feature")):
        found.update(text.strip() for text in _IN_FEATURES.findall(path.read_text()))
    return found


@pytest.mark.skipif(not SPEC.is_dir(), reason=f"the specification's data is not at {SPEC}")
def test_the_expressions_of_the_specification_are_native() -> None:
    texts = spec_expressions()
    foreign = [text for text in sorted(texts) if compile_expression(text).native is None]
    assert len(texts) >= NATIVE_AT_LEAST
    assert len(texts) - len(foreign) >= NATIVE_AT_LEAST, foreign
