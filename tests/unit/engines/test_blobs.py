"""Large values lie in files beside the database; one that is missing or damaged is told, never skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from counterpoint.ports.history import InputKind
from tests.unit.engines.standing import SCOPE, Standing, Steering, document, standing

LARGE = "x" * 100_000
KEEPING = document(
    "keeping",
    {
        "do": [
            {
                "large": {
                    "call": "t.echo",
                    "with": {"value": "${ .text }"},
                    "output": {"as": "${ { kept: . } }"},
                }
            },
            {"hold": {"call": "t.keyed", "with": {"name": "x"}, "output": {"as": "${ $input }"}}},
        ]
    },
)


def blobs(folder: Path) -> list[Path]:
    """Files of blobs."""
    return sorted(path for path in (folder / "blobs").rglob("*") if path.is_file())


async def held(folder: Path, steering: Steering) -> str:
    """A run with a large input and a large result, ended in the middle."""
    async with standing(folder, {"keeping": KEEPING}, steering) as on:
        run_id = await on.start("keeping", {"text": LARGE})
        await steering.arrival("x").wait()
    steering.gate("x").set()
    return run_id


async def test_a_large_input_and_a_large_result_come_back_exactly_after_a_restart(tmp_path: Path) -> None:
    steering = Steering()
    run_id = await held(tmp_path, steering)
    assert len(blobs(tmp_path)) >= 2
    async with standing(tmp_path, {}, steering) as on:
        assert (await on.engine.wait(SCOPE, run_id)).output == {"kept": LARGE}
        assert (await on.engine.histories.verify(SCOPE, run_id)).is_intact
    # The result was recorded before the restart: it was not asked for again.
    assert [step for step, *_ in steering.calls].count("do.large") == 1


async def quarantined(on: Standing) -> list[str]:
    """Reasons in the quarantine."""
    connection = on.database.readers()
    try:
        return [row[0] for row in await connection.query("SELECT reason FROM quarantine")]
    finally:
        connection.close()


def damage(path: Path, how: str) -> bytes:
    """Take a blob away or change a byte of it; gives what it was."""
    data = path.read_bytes()
    path.unlink()
    if how == "changed":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif how == "cut":
        path.write_bytes(data[: len(data) // 2])
    return data


@pytest.mark.parametrize("how", ["missing", "changed", "cut"])
async def test_a_damaged_blob_pauses_its_run_and_calls_nothing(tmp_path: Path, how: str) -> None:
    steering = Steering()
    run_id = await held(tmp_path, steering)
    called = list(steering.calls)
    kept = {path: damage(path, how) for path in blobs(tmp_path)}
    async with standing(tmp_path, {}, steering) as on:
        result = await on.engine.wait(SCOPE, run_id)
        assert (result.status, result.cause) == ("suspended", "historyCorrupt")
        assert steering.calls == called
        assert any("blob" in reason for reason in await quarantined(on))
        cause = (await on.records.run(SCOPE, run_id)).cause
        assert cause is not None
        assert cause["code"] == "historyCorrupt"
        verification = await on.engine.histories.verify(SCOPE, run_id)
        assert not verification.is_intact
    for path, data in kept.items():
        path.write_bytes(data)
        os.utime(path)
    async with standing(tmp_path, {}, steering) as on:
        await on.engine.resume(SCOPE, run_id, "ana")
        assert (await on.engine.wait(SCOPE, run_id)).output == {"kept": LARGE}
        kinds = [entry.kind for entry in await on.engine.histories.entries(SCOPE, run_id)]
        assert kinds.count(InputKind.STARTED) == 1
