"""Where the specification's data lies: needed while tests are collected, so no fixture."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = Path(os.environ.get("COUNTERPOINT_SPEC") or ROOT.parent / "shared" / "spec")
CTK = SPEC / "ctk"
EXAMPLES = SPEC / "examples"

needs_spec = pytest.mark.skipif(
    not SPEC.is_dir(), reason=f"the specification's data is not at {SPEC}: set COUNTERPOINT_SPEC"
)
