"""Order of semantic versions."""

from __future__ import annotations

import pytest

from counterpoint.core.dsl.versions import highest, highest_release, is_release, precedence

ORDER = [
    "0.0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
    "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.9.0", "1.10.0", "2.0.0-0", "2.0.0",
]  # fmt: skip


def test_versions_sort_as_the_specification_of_semantic_versions_says() -> None:
    shuffled = ORDER[1::2] + ORDER[::2]
    assert sorted(shuffled, key=precedence) == ORDER


def test_build_metadata_does_not_count() -> None:
    assert precedence("1.0.0+a") == precedence("1.0.0+b") == precedence("1.0.0")
    assert is_release("1.0.0+exp-1")


@pytest.mark.parametrize("bad", ["1.0", "", "v1.0.0", "1.0.0 ", "1.0.0-", "１.0.0"])
def test_anything_else_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="semantic version"):
        precedence(bad)


def test_the_highest_release_passes_over_pre_releases() -> None:
    assert highest_release(ORDER[:-1]) == "1.10.0"
    assert highest_release(["1.0.0-rc.1"]) is None


def test_a_pre_release_is_the_highest_only_when_there_is_no_release() -> None:
    assert highest(["1.0.0-rc.1", "0.1.0"]) == "0.1.0"
    assert highest(["1.0.0-rc.1", "1.0.0-alpha"]) == "1.0.0-rc.1"
    assert highest([]) is None
