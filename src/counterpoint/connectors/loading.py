"""Connectors that the operator's settings name: modules and files, imported once, before anything runs."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from counterpoint.errors import DefinitionError, Problem
from counterpoint.sdk import Connector


def load_connectors(modules: Sequence[str], folder: Path | None = None) -> list[Connector]:
    """All connectors that the named modules hold, in order.

    Args:
        modules: Module names (`acme.crm`), or paths of files that end in `.py`.
        folder: Folder that relative paths start from; the current one when None.

    Raises:
        DefinitionError: With one problem for each module that cannot be imported or holds no connector, and
            each name that two connectors share.
    """
    found: dict[str, tuple[Connector, str]] = {}
    problems: list[Problem] = []
    for name in modules:
        try:
            held = _connectors_of(_import(name, folder))
        except _Unusable as error:
            problems.append(error.problem)
            continue
        if not held:
            problems.append(Problem(name, "holds no Connector; create one at module level", code="connector"))
        for connector in held:
            kept, where = found.setdefault(connector.name, (connector, name))
            if kept is not connector:
                message = f"connector {connector.name!r} is also in {where}; rename one"
                problems.append(Problem(name, message, code="connector"))
    if problems:
        raise DefinitionError(problems)
    return [connector for connector, _ in found.values()]


class _Unusable(Exception):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


def _connectors_of(module: ModuleType) -> list[Connector]:
    return [value for value in vars(module).values() if isinstance(value, Connector)]


def _import(name: str, folder: Path | None) -> ModuleType:
    path = _file_of(name, folder)
    try:
        return importlib.import_module(name) if path is None else _import_file(path)
    except DefinitionError as error:
        message = "; ".join(f"{p.pointer}: {p.message}" for p in error.problems)
        raise _unusable(name, message, error, path) from error
    # A module's own code runs here, so anything may come out; the author gets one sentence with the line.
    except (Exception, SystemExit) as error:
        raise _unusable(name, f"{type(error).__name__}: {error}", error, path) from error


def _file_of(name: str, folder: Path | None) -> Path | None:
    if not name.endswith(".py"):
        return None
    return ((folder or Path.cwd()) / name).resolve()


def _import_file(path: Path) -> ModuleType:
    # Named by its whole path: two files called `actions.py` are two modules.
    name = f"counterpoint_connectors_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if (loaded := sys.modules.get(name)) is not None:
        return loaded
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Before it runs: annotations are resolved through the table of modules.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _unusable(name: str, message: str, error: BaseException, path: Path | None) -> _Unusable:
    line = _line_of(error, path)
    hint = "check the name and that it is installed" if isinstance(error, ModuleNotFoundError) else ""
    return _Unusable(Problem(name, f"cannot be imported: {message}", line, hint=hint, code="connector"))


def _line_of(error: BaseException, path: Path | None) -> int:
    """Line of the failing statement in the author's file; 0 when it lies elsewhere."""
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    if path is None:
        return 0
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return (lines[-1] or 0) if lines else 0
