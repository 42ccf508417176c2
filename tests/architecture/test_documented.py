"""Documentation in the code: everything public says what it gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import Definition, label, python_files, tree_of


def is_overload_or_setter(node: Definition) -> bool:
    """Whether the text stands at another definition of the same name."""
    names = [d.attr if isinstance(d, ast.Attribute) else getattr(d, "id", "") for d in node.decorator_list]
    return any(name in {"overload", "setter", "override"} for name in names)


def public(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Public classes, functions and methods; what is inside a function is nobody's business."""
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{prefix}{node.name}.")


def undocumented_in(path: Path) -> list[str]:
    """What lacks a docstring in a file; an empty file has nothing to say."""
    tree = tree_of(path)
    if not tree.body:
        return []
    found = [] if ast.get_docstring(tree) else [f"{label(path)}: module"]
    found += [
        f"{label(path)}: {name}"
        for name, node in public(tree)
        if not ast.get_docstring(node) and not is_overload_or_setter(node)
    ]
    return found


def test_everything_public_is_documented() -> None:
    assert [entry for path in python_files("src") for entry in undocumented_in(path)] == []


def test_programs_beside_the_package_say_what_they_are_for() -> None:
    files = python_files("tests", "examples", "benchmarks", "scripts")
    assert [label(p) for p in files if tree_of(p).body and not ast.get_docstring(tree_of(p))] == []


def test_tests_are_named_as_sentences() -> None:
    short = [
        f"{label(path)}: {node.name}"
        for path in python_files("tests")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and node.name.count("_") < 2
    ]
    assert short == []
