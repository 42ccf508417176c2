"""The direction of imports: the contracts in pyproject.toml, and what they cannot say."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE, ROOT, imported_modules, label, python_files, tree_of

THIRD_PARTY_OF_THE_CORE = {"msgspec", "yaml", "jsonschema_rs", "re2"}
LINT_IMPORTS = Path(sys.executable).parent / "lint-imports"


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of a project whose package lies in `src`."""
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"],
        cwd=root,
        env={"PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_import_contracts_are_kept() -> None:
    checked = lint_imports(ROOT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


MUTANTS = {
    "a second SQLite library": ("stores/second.py", "import sqlite3", "No second SQLite library"),
    "an adapter that uses the application": (
        "engines/up.py",
        "import counterpoint.app",
        "Adapters see ports",
    ),
    "a core with a clock": ("core/interp/clock.py", "import time", "The core is pure"),
    "a folder without a place": ("helpers.py", "", "Folders form layers"),
    "the interpreter below the model": (
        "core/dsl/up.py",
        "import counterpoint.core.interp",
        "Layers of the core",
    ),
    "a vendor outside its adapter": ("app/web.py", "import aiohttp", "HTTP stays in the connectors"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_contracts_notice(mutant: str, tmp_path: Path) -> None:
    file, text, contract = MUTANTS[mutant]
    shutil.copytree(PACKAGE, tmp_path / "src" / "counterpoint", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "src" / "counterpoint" / file).write_text(text + "\n")
    checked = lint_imports(tmp_path)
    assert checked.returncode != 0
    assert any(contract in line and "BROKEN" in line for line in checked.stdout.splitlines()), checked.stdout


def test_the_core_imports_only_the_libraries_on_its_list() -> None:
    allowed = sys.stdlib_module_names | THIRD_PARTY_OF_THE_CORE | {"counterpoint"}
    strangers = [
        f"{label(path)}:{line} imports {name}"
        for path in python_files("src")
        if path.is_relative_to(PACKAGE / "core") or path == PACKAGE / "errors.py"
        for name, line in imported_modules(tree_of(path))
        if name.partition(".")[0] not in allowed or name == "counterpoint"
    ]
    assert strangers == []
