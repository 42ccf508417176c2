"""Lock files: hashes for everything, addresses for nothing."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.architecture.source import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def entries(lock: str) -> dict[str, str]:
    """Requirement by name, with its continuation lines."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=\S)", text.strip())
    return {re.split(r"[=\[ ]", block, maxsplit=1)[0]: block for block in blocks}


def name_of(requirement: str) -> str:
    """Normalised name of a requirement."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_each_package_is_pinned_with_hashes(lock: str) -> None:
    pinned = entries(lock)
    assert len(pinned) > 15
    for name, block in pinned.items():
        assert re.match(r"[a-z0-9-]+==\S+", block), block
        assert "--hash=sha256:" in block, name


@pytest.mark.parametrize("lock", LOCKS)
def test_no_address_stands_in_a_lock_file(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted-host| @ ", text)


def test_the_locks_hold_what_the_project_asks_for() -> None:
    wanted = {name_of(r) for r in PROJECT["project"]["dependencies"]}
    wanted_for_tests = wanted | {name_of(r) for r in PROJECT["dependency-groups"]["dev"]}
    assert wanted <= entries("requirements.lock").keys()
    assert wanted_for_tests <= entries("requirements-dev.lock").keys()


def test_both_locks_pin_the_same_versions() -> None:
    product, development = entries("requirements.lock"), entries("requirements-dev.lock")

    def versions(pinned: dict[str, str]) -> dict[str, str]:
        return {name: pinned[name].split()[0] for name in product}

    assert versions(development) == versions(product)
