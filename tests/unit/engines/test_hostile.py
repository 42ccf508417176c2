"""S-15, S-17: hostile documents and expressions run beside a well-behaved one, which must not notice.

Time is not asserted here (`benchmarks/engine_stall.py` measures it). What is: the well-behaved run makes step
after step while the hostile one goes on, the hostile one ends as it should, and nothing leaks.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks.hostile_documents import DOCUMENTS, Hostile
from counterpoint.core.dsl.loader import load
from counterpoint.errors import DefinitionError
from counterpoint.ports.engine import RunResult, StartRun
from counterpoint.runners.jq_worker import JqWorker
from counterpoint.runners.supervision import Limits
from tests.unit.engines.standing import SCOPE, Standing, document, standing
from tests.unit.runners.test_jq_worker import BOMBS

STEPS = 200
TICKING = document(
    "ticking",
    {
        "do": [
            {"start": {"set": {"n": 0}}},
            {
                "step": {
                    "call": "t.echo",
                    "with": {"value": "${ .n }"},
                    "output": {"as": "${ { n: (. + 1) } }"},
                }
            },
            {
                "more": {
                    "switch": [{"go": {"when": f".n < {STEPS}", "then": "step"}}, {"stop": {"then": "end"}}]
                }
            },
        ]
    },
)
LONG = [
    one
    for one in DOCUMENTS
    if one.name in ("endless-then", "endless-switch", "deep-values", "caught-for-ever")
]


def text_of(hostile: Hostile) -> str:
    """The document in the namespace and with the actions of these tests."""
    return (
        hostile.text.replace("namespace: 'bench'", "namespace: 'test'")
        .replace("bench.noop", "t.echo")
        .replace('"namespace": "bench"', '"namespace": "test"')
    )


def is_kept(folder: Path, text: bytes) -> bool:
    """Whether a file of a folder holds a text."""
    return any(text in path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def beside(on: Standing, name: str) -> tuple[RunResult, RunResult, int]:
    """Results of the hostile run and of the one beside it, and the steps that this one made meanwhile."""
    hostile = asyncio.create_task(on.run(name))
    ticking = asyncio.create_task(on.run("ticking"))
    await hostile
    meanwhile = sum(step.startswith("do.step") for step, *_ in on.steering.calls)
    return hostile.result(), await ticking, meanwhile


@pytest.mark.parametrize("hostile", DOCUMENTS, ids=lambda one: one.name)
async def test_a_hostile_document_ends_as_it_should_and_alone(tmp_path: Path, hostile: Hostile) -> None:
    async with standing(tmp_path, {hostile.name: text_of(hostile), "ticking": TICKING}) as on:
        result, other, _ = await beside(on, hostile.name)
        detail = "" if result.fault is None else result.fault.detail or ""
        assert (result.status, hostile.detail in detail) == (hostile.status, True), detail
        assert (other.status, other.output) == ("completed", {"n": STEPS})


@pytest.mark.parametrize("hostile", LONG, ids=lambda one: one.name)
async def test_others_make_steps_while_a_run_goes_round_in_circles(tmp_path: Path, hostile: Hostile) -> None:
    async with standing(tmp_path, {hostile.name: text_of(hostile), "ticking": TICKING}) as on:
        _, _, meanwhile = await beside(on, hostile.name)
        assert meanwhile > 20


async def test_many_endless_runs_share_the_turns_with_one_that_works(tmp_path: Path) -> None:
    endless = document("endless", {"do": [{"a": {"set": {"x": 1}, "then": "a"}}]})
    async with standing(tmp_path, {"endless": endless, "ticking": TICKING}) as on:
        runs = [asyncio.create_task(on.run("endless")) for _ in range(20)]
        ticking = asyncio.create_task(on.run("ticking"))
        await asyncio.wait(runs, return_when=asyncio.FIRST_COMPLETED)
        assert len(on.steering.calls) > 20
        assert (await ticking).output == {"n": STEPS}
        results = await asyncio.gather(*runs)
        assert {result.status for result in results} == {"faulted"}


async def test_each_expression_bomb_faults_its_own_run(tmp_path: Path) -> None:
    documents: dict[str, str] = {}
    refused = 0
    for number, bomb in enumerate(BOMBS):
        text = document(f"bomb{number}", {"do": [{"go": {"set": {"x": f"${{ {bomb} }}"}}}]})
        try:
            load(text)
        except DefinitionError:
            refused += 1
        else:
            documents[f"bomb{number}"] = text
    assert len(BOMBS) >= 60
    assert 0 < refused < len(BOMBS)
    async with standing(tmp_path, {**documents, "ticking": TICKING}) as on:
        quick = JqWorker(Limits(timeout_s=0.25, memory_bytes=256 * 1024 * 1024), processes=2)
        on.engine._host._worker = quick
        try:
            ticking = asyncio.create_task(on.run("ticking"))
            results = await asyncio.gather(*(on.run(name) for name in documents))
            assert {result.status for result in results} == {"faulted"}
            assert {result.fault.status for result in results if result.fault is not None} == {400}
            assert (await ticking).output == {"n": STEPS}
        finally:
            await quick.close()


async def test_no_expression_and_no_fault_tells_anything_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERPOINT_CANARY", "canary-77b1c0")
    curious = [
        "env",
        "$ENV",
        "$ENV.COUNTERPOINT_CANARY",
        "input_filename",
        "$__prog_args",
        "getenv",
        "def f: env; f",
    ]
    for text in curious:
        with pytest.raises(DefinitionError):
            load(document("curious", {"do": [{"go": {"set": {"x": f"${{ {text} }}"}}}]}))
    foreign = document("foreign", {"do": [{"go": {"set": {"x": "${ def f: $__loc__; f }"}}}]})
    async with standing(tmp_path, {"foreign": foreign}) as on:
        result = await on.run("foreign")
        assert "canary" not in str(result)
    assert os.environ["COUNTERPOINT_CANARY"] == "canary-77b1c0"
    assert not is_kept(tmp_path, b"canary-77b1c0")


@pytest.mark.parametrize("text", ["(?=a)", "(a)\\1", "(?<!b)c", "a{1,100000}{1,100000}"])
def test_a_pattern_that_could_backtrack_is_refused_with_the_document(text: str) -> None:
    schema = {"document": {"type": "string", "pattern": text}}
    with pytest.raises(DefinitionError):
        load(document("pattern", {"input": {"schema": schema}, "do": [{"a": {"set": {"x": 1}}}]}))


async def test_a_start_that_compiles_a_large_document_lets_others_go_on(tmp_path: Path) -> None:
    (huge,) = [one for one in DOCUMENTS if one.name == "huge-document"]
    async with standing(tmp_path, {huge.name: text_of(huge), "ticking": TICKING}) as on:
        await on.engine.start(SCOPE, StartRun("ticking", None, "tester"))
        starting = asyncio.create_task(on.start(huge.name))
        rounds = 0
        while not starting.done():
            await asyncio.sleep(0)
            rounds += 1
        assert rounds > 10


async def test_results_that_arrive_together_are_taken_in_the_order_of_their_arrival(tmp_path: Path) -> None:
    loop: dict[str, Any] = {
        "for": {"each": "i", "in": "${ [range(300)] }"},
        "do": [{"ask": {"call": "t.echo", "with": {"value": "${ $i }"}}}],
        "metadata": {"counterpoint": {"parallel": 300}},
    }
    async with standing(tmp_path, {"wide": document("wide", {"do": [{"loop": loop}]})}) as on:
        run_id = await on.start("wide")
        assert (await on.engine.wait(SCOPE, run_id)).output == list(range(300))
        assert (await on.engine.histories.verify(SCOPE, run_id)).is_intact
