"""Sizes: a class that takes everything starts as one that is a little too long.

Complexity and the number of arguments are checked by the linter. An exception below names what is too long
and why; one that is no longer needed fails, so that the list only shrinks.
"""

from __future__ import annotations

import ast
from pathlib import Path

from tests.architecture.source import definitions, label, python_files, tree_of

MODULE_LINES = 500
TEST_FILE_LINES = 800
FUNCTION_LINES = 60
CLASS_LINES = 300
PROTOCOL_METHODS = 12

EXCEPTIONS: dict[str, str] = {
    "src/counterpoint/core/context.py: protocol DurableContext": (
        "all that the interpreter may ask of an engine stands in one list, so that it asks nothing elsewhere"
    ),
}
"""What is too long (as the message names it, such as `src/a.py: class B`) and the reason."""

FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "managers", "base", "misc"}
FORBIDDEN_ENDINGS = ("Manager", "Helper", "Helpers", "Utils", "Util", "Base", "Impl")


def is_protocol(node: ast.ClassDef) -> bool:
    """Whether a class is a contract."""
    return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)


def too_long_in(path: Path) -> list[str]:
    """What passes a limit in a file.

    The size itself is left out, so that an exception stays true when it shrinks.
    """
    found = []
    is_test = label(path).startswith("tests/")
    if len(path.read_text(encoding="utf-8").splitlines()) > (TEST_FILE_LINES if is_test else MODULE_LINES):
        found.append(f"{label(path)}: module")
    for name, node in definitions(tree_of(path)):
        lines = (node.end_lineno or 0) - node.lineno + 1
        if isinstance(node, ast.ClassDef):
            if lines > CLASS_LINES and not is_test:
                found.append(f"{label(path)}: class {name}")
            methods = [part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
            if is_protocol(node) and len(methods) > PROTOCOL_METHODS:
                found.append(f"{label(path)}: protocol {name}")
        elif lines > FUNCTION_LINES:
            found.append(f"{label(path)}: function {name}")
    return found


def test_nothing_is_too_long() -> None:
    folders = ("src", "tests", "examples", "benchmarks", "scripts")
    too_long = {entry for path in python_files(*folders) for entry in too_long_in(path)}
    assert sorted(too_long - EXCEPTIONS.keys()) == [], "split it, or give a reason in EXCEPTIONS"
    assert sorted(EXCEPTIONS.keys() - too_long) == [], "no longer too long: take it off the list"


def test_each_exception_gives_a_reason() -> None:
    assert [entry for entry, reason in EXCEPTIONS.items() if len(reason.split()) < 4] == []


def test_no_module_or_class_is_named_for_nothing() -> None:
    bad = [label(path) for path in python_files("src") if path.stem.strip("_") in FORBIDDEN_NAMES]
    bad += [
        f"{label(path)}: {name}"
        for path in python_files("src")
        for name, node in definitions(tree_of(path))
        if isinstance(node, ast.ClassDef) and node.name.endswith(FORBIDDEN_ENDINGS)
    ]
    assert bad == []
