"""D-07: histories that earlier versions wrote replay without a difference."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from counterpoint.core.dsl.loader import load
from counterpoint.core.values import Scope
from counterpoint.engines.embedded.rows import ROW_FORMAT, StoredRow, decode
from counterpoint.ports.history import InputKind
from counterpoint.ports.payloads import PlainCodec
from counterpoint.testing.simulation import GivenRevisions
from counterpoint.testing.world import World
from tests.replay.histories import FOLDER, Recording, read
from tests.simulation.auditor import check_chain
from tests.simulation.probe import ProbeKernel
from tests.simulation.weather import evaluate

FILES = sorted(FOLDER.glob("f*.json"))


def probe(recording: Recording, texts: list[str] | None = None) -> ProbeKernel:
    """A fresh engine with the documents of a recording."""
    workflows = [load(text) for text in texts or recording.documents]
    revisions = GivenRevisions({workflow.name: workflow for workflow in workflows})
    return ProbeKernel(revisions, World(), evaluate, no_blob)


def no_blob(digest: str) -> bytes:
    """No recorded run has one."""
    raise AssertionError(digest)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_recorded_histories_replay_to_the_recorded_state(path: Path) -> None:
    recording = read(path)
    assert recording.runs
    for run in recording.runs:
        found = msgspec.json.decode(msgspec.json.encode(probe(recording).revive(run.found())))
        different = {name for name in run.state if found[name] != run.state[name]}
        assert not different, f"run {run.facts[2]}: {[(n, run.state[n], found[n]) for n in different]}"


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_chains_of_recorded_histories_verify(path: Path) -> None:
    for run in read(path).runs:
        found = run.found()
        check_chain(run.facts[2], found.facts[11], [StoredRow(*row) for row in found.rows], no_blob)


def test_there_is_a_history_of_this_format_with_every_kind_of_input() -> None:
    kinds: set[int] = set()
    for path in FOLDER.glob(f"f{ROW_FORMAT}-*.json"):
        for run in read(path).runs:
            rows = [StoredRow(*row) for row in run.found().rows]
            kinds |= {decode(row, Scope("simulation"), PlainCodec(), row.body).kind for row in rows}
    assert kinds == set(InputKind)


def test_a_document_that_asks_for_something_else_is_noticed() -> None:
    recording = read(FILES[0])
    texts = [text.replace("value: 1 ", "value: 100 ") for text in recording.documents]
    assert texts != recording.documents
    problems = []
    for run in recording.runs:
        try:
            probe(recording, texts).revive(run.found())
        except AssertionError as problem:
            problems.append(str(problem))
    assert any("nonDeterminism" in problem for problem in problems), json.dumps(problems)
