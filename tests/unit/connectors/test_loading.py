"""Connectors named in the settings: modules and files, and how a mistake in one reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterpoint.connectors.loading import load_connectors
from counterpoint.errors import DefinitionError

DESK = """
from __future__ import annotations
from dataclasses import dataclass
from counterpoint import ActionContext, Connector

desk = Connector("{name}")

@dataclass
class Ticket:
    id: int

@desk.action()
async def open_ticket(ctx: ActionContext, ticket: Ticket) -> int:
    return ticket.id
"""


def written(folder: Path, file: str, text: str) -> str:
    (folder / file).write_text(text)
    return file


def problems_of(names: list[str], folder: Path) -> list[str]:
    with pytest.raises(DefinitionError) as error:
        load_connectors(names, folder)
    return [f"{p.pointer}:{p.line}: {p.message} {p.hint}".rstrip() for p in error.value.problems]


def test_a_file_gives_its_connectors(tmp_path: Path) -> None:
    [desk] = load_connectors([written(tmp_path, "desk.py", DESK.format(name="desk"))], tmp_path)
    assert list(desk.actions) == ["desk.open_ticket"]


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    for folder, name in (("a", "one"), ("b", "two")):
        (tmp_path / folder).mkdir()
        written(tmp_path / folder, "actions.py", DESK.format(name=name))
    found = load_connectors(["a/actions.py", "b/actions.py"], tmp_path)
    assert [c.name for c in found] == ["one", "two"]


def test_a_file_that_is_named_twice_is_loaded_once(tmp_path: Path) -> None:
    name = written(tmp_path, "desk.py", DESK.format(name="desk"))
    assert len(load_connectors([name, name, str(tmp_path / name)], tmp_path)) == 1


def test_a_module_gives_its_connectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "acme_desk_module.py", DESK.format(name="acme"))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [c.name for c in load_connectors(["acme_desk_module"])] == ["acme"]


def test_no_modules_are_no_connectors() -> None:
    assert load_connectors([]) == []


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    names = [
        written(tmp_path, "syntax.py", "x = 1\ndef (:\n"),
        written(tmp_path, "raises.py", "\n\nraise ValueError('no licence key')\n"),
        written(tmp_path, "exits.py", "raise SystemExit(2)\n"),
        written(tmp_path, "empty.py", "x = 1\n"),
        written(tmp_path, "sync.py", DESK.format(name="sync").replace("async def", "def")),
        "missing.py",
        "acme_module_that_is_missing",
    ]
    problems = problems_of(names, tmp_path)
    assert problems[0].startswith("syntax.py:2: cannot be imported: SyntaxError")
    assert problems[1] == "raises.py:3: cannot be imported: ValueError: no licence key"
    assert problems[2].startswith("exits.py:1: cannot be imported: SystemExit")
    assert problems[3].startswith("empty.py:0: holds no Connector")
    assert problems[4].startswith("sync.py:")
    assert "async def" in problems[4]
    assert problems[5].startswith("missing.py:0: cannot be imported: FileNotFoundError")
    assert problems[6].endswith("check the name and that it is installed")
    assert len(problems) == 7


def test_a_name_in_two_files_is_refused(tmp_path: Path) -> None:
    names = [written(tmp_path, f, DESK.format(name="desk")) for f in ("a.py", "b.py")]
    assert problems_of(names, tmp_path) == ["b.py:0: connector 'desk' is also in a.py; rename one"]


def test_a_file_that_failed_can_be_corrected_and_loaded_again(tmp_path: Path) -> None:
    name = written(tmp_path, "desk.py", "raise ValueError\n")
    problems_of([name], tmp_path)
    written(tmp_path, "desk.py", DESK.format(name="corrected"))
    assert [c.name for c in load_connectors([name], tmp_path)] == ["corrected"]
