"""A document that no longer fits its run's history: the run pauses, and nothing is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from counterpoint.ports.history import InputKind
from tests.unit.engines.standing import SCOPE, Steering, document, standing


def text(*tasks: dict[str, Any]) -> str:
    """A document with these tasks before the one that holds the run."""
    hold = {"hold": {"call": "t.keyed", "with": {"name": "x"}}}
    return document("changing", {"do": [*tasks, hold, {"last": {"call": "t.echo", "with": {"value": 1}}}]})


FIRST = {"first": {"call": "t.echo", "with": {"value": "a"}}}
CHANGES = {
    "other arguments": text({"first": {"call": "t.echo", "with": {"value": "b"}}}),
    "another action": text({"first": {"call": "t.keyed", "with": {"name": "a"}}}),
    "another name": text({"renamed": {"call": "t.echo", "with": {"value": "a"}}}),
    "one step more": text({"before": {"call": "t.echo", "with": {"value": 0}}}, FIRST),
    "one step less": text(),
    "a wait instead": text({"first": {"wait": {"hours": 1}}}),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_changed_document_pauses_the_run_and_the_old_one_lets_it_go_on(
    tmp_path: Path, change: str
) -> None:
    steering = Steering()
    original = text(FIRST)
    async with standing(tmp_path, {"changing": original}, steering) as on:
        run_id = await on.start("changing")
        await steering.arrival("x").wait()
        # Revisions never change in the product: this is what a wrong migration or a bug of ours would do.
        await on.change("UPDATE revisions SET document = ?", (CHANGES[change].encode(),))
    called = list(steering.calls)
    steering.gate("x").set()
    async with standing(tmp_path, {}, steering) as on:
        result = await on.engine.wait(SCOPE, run_id)
        assert (result.status, result.cause) == ("suspended", "nonDeterminism")
        assert steering.calls == called
        await on.change("UPDATE revisions SET document = ?", (original.encode(),))
    async with standing(tmp_path, {}, steering) as on:
        assert (await on.engine.wait(SCOPE, run_id)).status == "suspended"
        await on.engine.resume(SCOPE, run_id, "ana")
        assert (await on.engine.wait(SCOPE, run_id)).output == 1
        assert (await on.engine.histories.verify(SCOPE, run_id)).is_intact
        kinds = [entry.kind for entry in await on.engine.histories.entries(SCOPE, run_id)]
        assert kinds.count(InputKind.STARTED) == 1
    assert [step for step, *_ in steering.calls].count("do.first") == 1
