"""What must not stand in the project's text: code from data, hidden clocks, notes to self, this machine."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import dotted, imported_modules, label, python_files, tracked_files, tree_of

CODE_FROM_DATA = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "builtins.eval",
    "builtins.exec",
}
MODULES_THAT_DECODE_CODE = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "code", "codeop"}
BANNED_MODULES = {"sqlite3", "random"}
BANNED_CALLS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.datetime.now",
    "date.today",
    "uuid4",
    "uuid.uuid4",
    "uuid1",
    "uuid.uuid1",
    "time.sleep",
}

SEEDED_OR_ADAPTER = {
    "src/counterpoint/testing/": "the simulation draws from a generator that is seeded",
}
"""Folders or files that may import a banned module, with the reason."""

# Written in parts, so that this file does not find itself.
MACHINE = re.compile("|".join(["/" + "work/", "/" + "root/", "/" + "tmp/brief", "/home/" + "[a-z]+/"]))
REGISTRY = re.compile(
    "|".join(["py" + r"pi\.org", "python" + "hosted", "registry." + "npm", "npm" + r"js\.org/"])
)
NOTE_TO_SELF = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
STUB = re.compile("NotImplemented" + "Error")
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".json",
    ".jsonl",
    ".lock",
    ".txt",
    ".cfg",
    ".sh",
    ".feature",
    "",
}
VENDORED = ("LICENSE", "examples/support-desk/data/")


def own_text() -> list[Path]:
    """Text files that were written for this project."""
    return [p for p in tracked_files() if p.suffix in TEXT and not label(p).startswith(VENDORED)]


def lines_with(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    """Places where a pattern occurs."""
    return [
        f"{label(path)}:{number}: {line.strip()[:80]}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def code_from_data(tree: ast.AST) -> Iterator[str]:
    """Calls and imports that would run what arrived as data (S-01)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if dotted(node.func) in CODE_FROM_DATA:
                yield f"{node.lineno}: calls {dotted(node.func)}"
            if any(k.arg == "shell" and getattr(k.value, "value", None) is True for k in node.keywords):
                yield f"{node.lineno}: starts a shell"
    for name, line in imported_modules(tree):
        if name.partition(".")[0] in MODULES_THAT_DECODE_CODE:
            yield f"{line}: imports {name}"


def test_no_code_is_made_from_data() -> None:
    assert [f"{label(p)}:{found}" for p in python_files("src") for found in code_from_data(tree_of(p))] == []


@pytest.mark.parametrize(
    "text",
    ["eval('1')", "exec(body)", "import pickle", "from marshal import loads", "import os\nos.system('ls')",
     "import subprocess\nsubprocess.run('ls', shell=True)", "compile(text, '', 'exec')"],
)  # fmt: skip
def test_the_gate_notices_code_from_data(text: str) -> None:
    assert list(code_from_data(ast.parse(text)))


def test_no_hidden_clock_randomness_or_second_database_in_the_package() -> None:
    found = []
    for path in python_files("src"):
        if label(path).startswith(tuple(SEEDED_OR_ADAPTER)):
            continue
        tree = tree_of(path)
        found += [
            f"{label(path)}:{n}: {m}"
            for m, n in imported_modules(tree)
            if m.partition(".")[0] in BANNED_MODULES
        ]
        found += [
            f"{label(path)}:{node.lineno}: {dotted(node.func)}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and dotted(node.func) in BANNED_CALLS
        ]
    assert found == []


def test_tests_never_sleep_on_the_clock() -> None:
    found = [
        f"{label(path)}:{node.lineno}"
        for path in python_files("tests")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and dotted(node.func) == "time.sleep"
    ]
    assert found == []


def test_no_mocks_of_our_own_code() -> None:
    found = [
        f"{label(path)}:{line}: {name}"
        for path in python_files("tests", "src")
        for name, line in imported_modules(tree_of(path))
        if name.startswith(("unittest.mock", "mock"))
    ]
    assert found == []


def test_no_notes_to_self() -> None:
    assert lines_with(NOTE_TO_SELF, own_text()) == []


def test_nothing_is_left_unwritten() -> None:
    assert lines_with(STUB, python_files("src")) == []


def test_no_path_of_a_machine() -> None:
    assert lines_with(MACHINE, own_text()) == []


def test_no_address_of_a_registry() -> None:
    assert lines_with(REGISTRY, own_text()) == []


def test_every_lint_exception_names_its_rule() -> None:
    blanket = re.compile(r"#\s*noqa(?!:)|#\s*type:\s*ignore(?!\[)")
    files = [
        p for p in python_files("src", "tests", "examples", "benchmarks", "scripts") if p != Path(__file__)
    ]
    assert lines_with(blanket, files) == []
