"""The project's own text, as the tests of its architecture read it."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "counterpoint"
CODE_FOLDERS = ("src", "tests", "examples", "benchmarks", "scripts")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


class Named(NamedTuple):
    """A definition with its dotted name inside the module."""

    name: str
    node: Definition

    @property
    def lines(self) -> int:
        """Lines from the `def` or `class` to the end, decorators not counted."""
        return (self.node.end_lineno or self.node.lineno) - self.node.lineno + 1


@cache
def tracked_files() -> tuple[Path, ...]:
    """Files of the project: tracked, or new and not ignored. Without git, whatever lies there."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listing.returncode == 0:
        names = [name for name in listing.stdout.decode().split("\0") if name]
        return tuple(path for name in sorted(set(names)) if (path := ROOT / name).is_file())
    folders = [*CODE_FOLDERS, "docs", ".ci"]
    return tuple(sorted(p for f in folders for p in (ROOT / f).rglob("*") if p.is_file()))


def python_files(*folders: str) -> list[Path]:
    """Python files below the named folders of the project."""
    return [p for p in tracked_files() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in folders]


@cache
def tree_of(path: Path) -> ast.Module:
    """Syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def label(path: Path) -> str:
    """Path as it is written in exceptions and messages."""
    return path.relative_to(ROOT).as_posix()


def definitions(tree: ast.AST, prefix: str = "") -> Iterator[Named]:
    """All classes and functions of a tree, nested ones included, with dotted names."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition):
            name = f"{prefix}{node.name}"
            yield Named(name, node)
            yield from definitions(node, f"{name}.")
        else:
            yield from definitions(node, prefix)


def imported_modules(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Absolute names of imported modules, with line numbers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module, node.lineno


def dotted(node: ast.AST) -> str:
    """Text of a name or attribute chain such as `os.environ.get`, or nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return ""
