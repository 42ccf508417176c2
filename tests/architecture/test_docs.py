"""The documentation: links that lead somewhere, examples that are files, commands that exist."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from scripts.write_reference import PAGES as GENERATED
from scripts.write_reference import REFERENCE, cli_page, tidy
from tests.architecture.source import label, tracked_files

PAGES = [p for p in tracked_files() if p.suffix == ".md" and not label(p).startswith(("tests/", "src/"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
CHECKED_LANGUAGES = {"yaml", "python", "json", "toml"}


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [(language, textwrap.dedent(body)) for _, language, body in BLOCK.findall(text)]


def example_lines() -> list[list[str]]:
    """Lines of each file below `examples/`."""
    files = [
        p
        for p in tracked_files()
        if label(p).startswith("examples/") and p.suffix in {".yaml", ".py", ".json", ".toml"}
    ]
    return [p.read_text(encoding="utf-8").splitlines() for p in files]


def is_excerpt(body: str, files: list[list[str]]) -> bool:
    """Whether the lines stand together, in order and equally indented, in one of the files."""
    wanted = [line.rstrip() for line in body.strip("\n").splitlines()]
    for lines in files:
        for start in range(len(lines) - len(wanted) + 1):
            window = textwrap.dedent("\n".join(lines[start : start + len(wanted)])).splitlines()
            if [line.rstrip() for line in window] == wanted:
                return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [
        t
        for t in LINK.findall(page.read_text(encoding="utf-8"))
        if "://" not in t and not t.startswith("mailto:")
    ]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_examples_are_excerpts_of_files_that_tests_use(page: Path) -> None:
    files = example_lines()
    loose = [
        body
        for language, body in blocks(page)
        if language in CHECKED_LANGUAGES and not is_excerpt(body, files)
    ]
    assert loose == [], f"{label(page)}: take the block from a file below examples/"


@pytest.mark.parametrize("name", GENERATED)
def test_pages_from_the_code_are_up_to_date(name: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == tidy(GENERATED[name]()), "run `make docs`"


def test_commands_that_pages_show_exist() -> None:
    known = set(re.findall(r"^## (counterpoint.*)$", cli_page(), flags=re.MULTILINE))
    groups = {name.rpartition(" ")[0] for name in known}
    unknown = []
    for page in PAGES:
        for shown in re.findall(
            r"^\s*\$ (counterpoint [^#\n]*)", page.read_text(encoding="utf-8"), flags=re.MULTILINE
        ):
            words = [word for word in shown.split() if not word.startswith("-")]
            names = [" ".join(words[:count]) for count in range(len(words), 1, -1)]
            found = next((name for name in names if name in known), "counterpoint")
            if found in groups:
                unknown.append(f"{label(page)}: {shown}")
    assert unknown == []
