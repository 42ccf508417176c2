"""Compaction on disk: a loop keeps a bounded history, and a restart goes on exactly where it stood."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from counterpoint.ports.history import InputKind
from tests.unit.engines.standing import SCOPE, Standing, Steering, document, standing

ECHO = {"call": "t.echo", "with": {"value": "${ $i }"}}
SUM = {"as": "${ { n: ($input.n + .) } }"}
HOLD = {"call": "t.keyed", "with": {"name": "x"}, "output": {"as": "${ $input }"}}


def looping(count: int, *body: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A sequential loop over so many items."""
    return {"for": {"each": "i", "in": f"${{ [range({count})] }}"}, "do": list(body), **more}


DOCUMENTS = {
    "for": [{"loop": looping(120, {"add": {**ECHO, "output": SUM}})}],
    "nested": [
        {
            "loop": looping(
                12,
                {
                    "inner": {
                        "for": {"each": "i", "in": "${ [range(10)] }"},
                        "do": [{"add": {**ECHO, "output": SUM}}],
                    }
                },
            )
        }
    ],
    "then": [
        {"add": {"call": "t.echo", "with": {"value": 1}, "output": SUM}},
        {"more": {"switch": [{"again": {"when": ".n < 120", "then": "add"}}, {"go": {"then": "exit"}}]}},
    ],
    "while": [
        {
            "loop": {
                **looping(500, {"add": {"call": "t.echo", "with": {"value": 1}, "output": SUM}}),
                "while": ".n < 120",
            }
        }
    ],
    "exit": [
        {
            "loop": looping(
                500,
                {"add": {"call": "t.echo", "with": {"value": 1}, "output": SUM}},
                {"leave": {"switch": [{"enough": {"when": ".n >= 120", "then": "exit"}}]}},
            )
        }
    ],
}
EXPECTED = {"for": sum(range(120)), "nested": 12 * sum(range(10)), "then": 120, "while": 120, "exit": 120}


def text(name: str, tasks: list[dict[str, Any]]) -> str:
    """A document whose tasks stand in a list of their own, with one after it that holds the run."""
    return document(name, {"do": [{"part": {"do": tasks}}, {"hold": HOLD}]})


ALL = {name: text(name, tasks) for name, tasks in DOCUMENTS.items()}


def compact_early(on: Standing) -> None:
    """Let the engine forget from a few rows on."""
    on.engine.kernel.compaction.rows = on.engine.kernel.compaction.first_offer = 20


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_the_past_of_a_loop_is_forgotten_and_its_result_stays(tmp_path: Path, name: str) -> None:
    steering = Steering()
    async with standing(tmp_path, ALL, steering) as on:
        compact_early(on)
        run_id = await on.start(name, {"n": 0})
        await steering.arrival("x").wait()
        entries = await on.engine.histories.entries(SCOPE, run_id)
        assert len(entries) < 60
        assert any(entry.kind is InputKind.SETTLED for entry in entries)
        assert (await on.engine.histories.verify(SCOPE, run_id)).is_intact
    called = len(steering.calls)
    steering.gate("x").set()
    async with standing(tmp_path, {}, steering) as on:
        assert (await on.engine.wait(SCOPE, run_id)).output == {"n": EXPECTED[name]}
        assert (await on.engine.histories.verify(SCOPE, run_id)).is_intact
    assert len(steering.calls) == called + 1


async def test_a_restart_in_the_middle_of_a_compacted_loop_repeats_no_item(tmp_path: Path) -> None:
    held = {"if": "${ $i == 77 }", "call": "t.keyed", "with": {"name": "x"}, "output": {"as": "${ $input }"}}
    tasks = [{"loop": looping(120, {"add": {**ECHO, "output": SUM}}, {"hold": held})}]
    steering = Steering()
    async with standing(tmp_path, {"held": document("held", {"do": tasks})}, steering) as on:
        compact_early(on)
        run_id = await on.start("held", {"n": 0})
        await steering.arrival("x").wait()
    steering.gate("x").set()
    async with standing(tmp_path, {}, steering) as on:
        assert (await on.engine.wait(SCOPE, run_id)).output == {"n": sum(range(120))}
    steps = [step for step, *_ in steering.calls if step.endswith("add")]
    assert len(steps) == len(set(steps)) == 120


async def test_a_parallel_loop_keeps_its_rows_until_it_is_over(tmp_path: Path) -> None:
    loop = looping(60, {"ask": ECHO}, metadata={"counterpoint": {"parallel": 8}})
    tasks = [{"loop": loop}, {"hold": HOLD}]
    steering = Steering()
    async with standing(tmp_path, {"wide": document("wide", {"do": tasks})}, steering) as on:
        compact_early(on)
        run_id = await on.start("wide")
        await steering.arrival("x").wait()
        assert (await on.engine.histories.verify(SCOPE, run_id)).is_intact
    steering.gate("x").set()
    async with standing(tmp_path, {}, steering) as on:
        assert (await on.engine.wait(SCOPE, run_id)).output == list(range(60))
        assert (await on.engine.histories.verify(SCOPE, run_id)).is_intact


async def test_a_row_taken_out_by_hand_is_no_gap_that_compaction_made(tmp_path: Path) -> None:
    steering = Steering()
    async with standing(tmp_path, ALL, steering) as on:
        compact_early(on)
        run_id = await on.start("for", {"n": 0})
        await steering.arrival("x").wait()
        last = (await on.engine.histories.entries(SCOPE, run_id))[-2].seq
        await on.change("DELETE FROM history WHERE (history_no & 1048575) = ?", (last,))
        verification = await on.engine.histories.verify(SCOPE, run_id)
        assert not verification.is_intact
