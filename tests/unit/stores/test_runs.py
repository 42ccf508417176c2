"""Runs as rows: look-up by prefix, pages by keyset, stuck groups, actors."""

from __future__ import annotations

import pytest

from counterpoint.core.values import Scope, encode_json
from counterpoint.errors import Conflict, InvalidRequest, NotFound, standard_fault
from counterpoint.ports.advice import Circumstance, advise
from counterpoint.ports.records import RunQuery
from counterpoint.stores.sqlite.run_lists import RANGE
from tests.unit.stores.conftest import FINANCE, House

EVERYWHERE = Scope("*", "default")


def cause_of(code: str = "fault", status: int = 503) -> str:
    fault = standard_fault("communication", "no answer", "/do/0/call", status=status)
    facts = Circumstance(
        code=code, run_id="r", namespace="finance", workflow="refund", task="call", step="call", fault=fault
    )
    return encode_json(advise(facts).as_json()).decode()


async def pages(house: House, scope: Scope, query: RunQuery) -> list[str]:
    found: list[str] = []
    while True:
        page = await house.records.runs(scope, query)
        assert len(page.items) <= query.limit
        found.extend(run.id for run in page.items)
        if not page.next:
            return found
        query = RunQuery(query.workflow, query.status, page.next, query.limit)


async def test_a_run_is_found_by_its_id_and_by_a_prefix_that_fits_it_alone(house: House) -> None:
    revision = await house.deploy("refund")
    ids = await house.add_runs(revision, 10)
    assert (await house.records.run(FINANCE, ids[0])).id == ids[0]
    assert (await house.records.run(EVERYWHERE, "run-0000001")).id == ids[9]
    for bad in ("run-00000", "run-9", "run-00", "nothing"):
        with pytest.raises(NotFound):
            await house.records.run(FINANCE, bad)


async def test_an_id_that_is_the_beginning_of_another_is_found(house: House) -> None:
    revision = await house.deploy("refund")
    ids = await house.add_runs(revision, 2)
    await house.write("UPDATE runs SET id = id || 'x' WHERE id = ?", [(ids[1],)])
    await house.write("UPDATE runs SET id = ? || 'xy' WHERE id = ?", [(ids[1], ids[0])])
    assert (await house.records.run(FINANCE, ids[1] + "x")).id == ids[1] + "x"


async def test_a_run_of_another_environment_is_not_found(house: House) -> None:
    revision = await house.deploy("refund")
    ids = await house.add_runs(revision, 1)
    with pytest.raises(NotFound):
        await house.records.run(Scope("*", "production"), ids[0])


async def test_pages_follow_each_other_without_gap_or_repetition_newest_first(house: House) -> None:
    refund, invoice = await house.deploy("refund"), await house.deploy("invoice")
    ids = []
    for status in (7, 6, 3):
        ids += await house.add_runs(refund, 7, status=status)
        ids += await house.add_runs(invoice, 5, status=status)
    assert await pages(house, EVERYWHERE, RunQuery(limit=4)) == ids[::-1]
    mine = [i for i in ids if (await house.records.run(FINANCE, i)).workflow == "invoice"]
    assert await pages(house, FINANCE, RunQuery("invoice", limit=2)) == mine[::-1]
    assert await pages(house, FINANCE, RunQuery("", "waiting", limit=5)) == ids[24:][::-1]


async def test_runs_that_started_in_the_same_microsecond_are_not_lost_between_pages(house: House) -> None:
    revision = await house.deploy("refund")
    ids = await house.add_runs(revision, 9, started=5)
    assert await pages(house, FINANCE, RunQuery(limit=2)) == ids[::-1]


async def test_a_list_reads_ranges_of_the_index_and_sorts_no_table(house: House) -> None:
    rows = house.connection.execute(f"EXPLAIN QUERY PLAN {RANGE}", (1, 7, 9, 9, 0, 5)).fetchall()
    assert len(rows) == 1
    assert "SEARCH runs USING COVERING INDEX runs_list" in str(rows[0][3])


async def test_a_damaged_cursor_or_an_unknown_status_is_refused_in_words(house: House) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        await house.records.runs(FINANCE, RunQuery(before="1;drop table runs"))
    with pytest.raises(InvalidRequest) as unknown:
        await house.records.runs(FINANCE, RunQuery(status="paused"))
    assert "suspended" in unknown.value.hint


async def test_children_are_found_by_their_parent(house: House) -> None:
    revision = await house.deploy("refund")
    parent = (await house.add_runs(revision, 1))[0]
    children = await house.add_runs(revision, 2, parent_no=1)
    found = await house.records.children(FINANCE, parent)
    assert [child.id for child in found] == children
    assert found[0].parent_id == parent


async def test_stuck_runs_are_grouped_by_cause_and_completed_ones_are_left_out(house: House) -> None:
    refund = await house.deploy("refund")
    await house.add_runs(refund, 4, status=7)
    down = await house.add_runs(refund, 3, status=6, cause=cause_of())
    doubt = await house.add_runs(refund, 2, status=4, cause=cause_of("inDoubt"))
    await house.add_runs(refund, 1, status=6, cause=cause_of(status=404))
    report = await house.stuck.groups(EVERYWHERE)
    assert report.is_complete
    assert [(g.code, g.status, g.count, g.example) for g in report.groups[:2]] == [
        ("fault", 503, 3, down[0]),
        ("inDoubt", 503, 2, doubt[0]),
    ]
    assert report.groups[0].task == "call"
    assert "retry" in report.groups[0].next
    members = await house.stuck.members(EVERYWHERE, report.groups[0].group)
    assert [run.id for run in members] == down
    rest = await house.stuck.members(EVERYWHERE, report.groups[0].group, after=members[0].run_no, limit=1)
    assert [run.id for run in rest] == down[1:2]
    assert (await house.stuck.groups(Scope("*", "production"))).groups == []


async def test_stuck_runs_beyond_one_read_are_all_counted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund = await house.deploy("refund")
    await house.add_runs(refund, 4_500, status=6, cause=cause_of())
    report = await house.stuck.groups(EVERYWHERE)
    assert [group.count for group in report.groups] == [4_500]
    members = await house.stuck.members(EVERYWHERE, report.groups[0].group, after=4_400)
    assert len(members) == 100
    monkeypatch.setattr("counterpoint.stores.sqlite.stuck.MAX_SCANNED", 2_000)
    assert not (await house.stuck.groups(EVERYWHERE)).is_complete


async def test_an_actor_is_found_by_its_token_until_it_is_disabled(house: House) -> None:
    await house.records.add_actor("ci", b"digest", "os:ann")
    assert await house.records.actor_by_token(b"digest") == "ci"
    assert await house.records.actor_by_token(b"other") is None
    with pytest.raises(Conflict):
        await house.records.add_actor("ci", b"digest2", "os:ann")
    await house.records.disable_actor("ci", "os:bob")
    assert await house.records.actor_by_token(b"digest") is None
    with pytest.raises(NotFound):
        await house.records.disable_actor("nobody", "os:bob")
    assert [(a.name, a.created_by, a.is_disabled) for a in await house.records.actors()] == [
        ("ci", "os:ann", True)
    ]
    assert await house.audit_actions() == [("actor.add", "ci", "os:ann"), ("actor.disable", "ci", "os:bob")]


async def test_audit_rows_are_paged_backwards(house: House) -> None:
    for number in range(5):
        await house.records.add_actor(f"a{number}", bytes([number]), "os:ann")
    newest = await house.records.audit(FINANCE, limit=2)
    assert [row.target for row in newest] == ["a4", "a3"]
    older = await house.records.audit(FINANCE, before=newest[-1].audit_no, limit=10)
    assert [row.target for row in older] == ["a2", "a1", "a0"]
