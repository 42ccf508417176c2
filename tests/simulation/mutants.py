"""Mutants: the real code with one line changed, to see that the oracles notice."""

from __future__ import annotations

import inspect
import sys
import textwrap
from typing import Any

import pytest


def mutate(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, old: str, new: str) -> None:
    """Replace a text in the source of a function or method; it must stand there exactly once.

    Args:
        monkeypatch: Takes the mutant back.
        owner: Module or class that has the function.
        name: Name of the function.
        old: Text to replace.
        new: Text to put in its place.
    """
    function = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{name} has changed: {old!r} stands there {source.count(old)} times"
    module = owner if inspect.ismodule(owner) else sys.modules[owner.__module__]
    made: dict[str, Any] = {}
    code = compile(source.replace(old, new), f"<mutant of {name}>", "exec", flags=_ANNOTATIONS)
    exec(code, module.__dict__, made)
    monkeypatch.setattr(owner, name, made[name])


_ANNOTATIONS = __import__("__future__").annotations.compiler_flag
