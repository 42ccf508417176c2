"""Revisions: what replaces what, which one is active, and that every change has its audit row."""

from __future__ import annotations

import asyncio

import pytest

from counterpoint.core.values import Scope
from counterpoint.errors import Conflict, NotFound
from counterpoint.ports.records import RevisionDraft
from tests.unit.stores.conftest import FINANCE, House


async def test_a_deployed_revision_is_active_and_has_an_audit_row_with_its_actor(house: House) -> None:
    revision = await house.deploy("refund", actor="os:ann")
    assert (revision.is_active, revision.is_new, revision.version) == (True, True, "1.0.0")
    assert await house.audit_actions() == [("workflow.deploy", "finance/refund", "os:ann")]


async def test_the_same_content_again_is_the_same_revision_without_a_second_audit_row(house: House) -> None:
    first = await house.deploy("refund")
    again = await house.deploy("refund")
    assert again.revision_no == first.revision_no
    assert not again.is_new
    assert len(await house.audit_actions()) == 1


async def test_the_same_version_with_other_content_is_refused_and_leaves_nothing(house: House) -> None:
    await house.deploy("refund", word="hello")
    with pytest.raises(Conflict, match=r"1\.0\.0 of finance/refund"):
        await house.deploy("refund", word="bye")
    assert len(await house.audit_actions()) == 1
    assert len(await house.records.revisions(FINANCE, "refund")) == 1


async def test_a_refused_deploy_does_not_fail_its_neighbours_in_the_same_commit(house: House) -> None:
    await house.deploy("refund")
    answers = await asyncio.gather(
        house.deploy("refund", word="bye"), house.deploy("invoice"), return_exceptions=True
    )
    assert isinstance(answers[0], Conflict)
    assert answers[1].name == "invoice"


async def test_a_development_deploy_replaces_the_version_and_old_runs_keep_their_revision(
    house: House,
) -> None:
    first = await house.deploy("refund", word="hello", is_dev=True)
    second = await house.deploy("refund", word="bye", is_dev=True)
    assert second.revision_no != first.revision_no
    assert [r.revision_no for r in await house.records.revisions(FINANCE, "refund")] == [second.revision_no]
    assert house.revisions.resolve(FINANCE, "refund").revision_no == second.revision_no
    assert house.revisions.by_number(first.revision_no).workflow.version == "1.0.0"


async def test_a_development_deploy_never_replaces_a_released_version(house: House) -> None:
    released = await house.deploy("refund", word="hello")
    with pytest.raises(Conflict, match="released"):
        await house.deploy("refund", word="bye", is_dev=True)
    assert house.revisions.resolve(FINANCE, "refund").revision_no == released.revision_no


async def test_replaced_content_that_comes_back_takes_its_old_row_again(house: House) -> None:
    first = await house.deploy("refund", word="hello", is_dev=True)
    await house.deploy("refund", word="bye", is_dev=True)
    back = await house.deploy("refund", word="hello", is_dev=True)
    assert back.revision_no == first.revision_no
    assert back.is_active


async def test_a_development_revision_is_released_by_deploying_it_plainly(house: House) -> None:
    await house.deploy("refund", is_dev=True)
    released = await house.deploy("refund")
    assert not released.is_dev
    with pytest.raises(Conflict):
        await house.deploy("refund", word="bye")
    actions = [action for action, _, _ in await house.audit_actions()]
    assert actions == ["workflow.deploy", "workflow.release"]


async def test_the_highest_release_is_active_whatever_the_order_of_deploys(house: House) -> None:
    for version in ("1.10.0", "1.9.0", "2.0.0-rc.1", "1.2.0"):
        await house.deploy("refund", version)
    assert house.revisions.resolve(FINANCE, "refund").workflow.version == "1.10.0"
    assert [r.version for r in await house.records.workflows(FINANCE)] == ["1.10.0"]
    versions = [r.version for r in await house.records.revisions(FINANCE, "refund")]
    assert versions == ["2.0.0-rc.1", "1.10.0", "1.9.0", "1.2.0"]


async def test_a_pre_release_is_active_until_there_is_a_release_but_is_never_the_latest(house: House) -> None:
    await house.deploy("refund", "1.0.0-rc.1")
    assert house.revisions.resolve(FINANCE, "refund").workflow.version == "1.0.0-rc.1"
    with pytest.raises(NotFound):
        house.revisions.resolve(FINANCE, "refund", "latest")
    await house.deploy("refund", "1.0.0")
    assert house.revisions.resolve(FINANCE, "refund", "latest").workflow.version == "1.0.0"
    assert house.revisions.resolve(FINANCE, "refund").workflow.version == "1.0.0"


async def test_environments_and_namespaces_do_not_see_one_another(house: House) -> None:
    production = Scope("finance", "production")
    await house.deploy("refund", "1.0.0")
    await house.deploy("refund", "2.0.0", scope=production)
    await house.deploy("refund", "3.0.0", scope=Scope("sales", "default"))
    assert house.revisions.resolve(FINANCE, "refund").workflow.version == "1.0.0"
    assert [r.version for r in await house.records.workflows(production)] == ["2.0.0"]
    everywhere = await house.records.workflows(Scope("*", "default"))
    assert [(r.namespace, r.version) for r in everywhere] == [("finance", "1.0.0"), ("sales", "3.0.0")]
    assert [target for _, target, _ in await house.audit_actions(production)] == ["finance/refund"]


async def test_a_compiled_revision_is_compiled_once_and_forgotten_names_are_read_again(house: House) -> None:
    await house.deploy("refund")
    warm = house.revisions.resolve(FINANCE, "refund")
    house.connection.close()
    assert house.revisions.resolve(FINANCE, "refund") is warm
    assert house.revisions.by_number(warm.revision_no) is warm


async def test_an_unknown_workflow_or_version_is_answered_with_the_nearest_and_with_what_there_is(
    house: House,
) -> None:
    await house.deploy("refund", "1.0.0")
    with pytest.raises(NotFound) as unknown:
        house.revisions.resolve(FINANCE, "refunt")
    assert "refund" in unknown.value.hint
    with pytest.raises(NotFound) as missing:
        house.revisions.resolve(FINANCE, "refund", "9.9.9")
    assert "1.0.0" in missing.value.hint


async def test_a_document_comes_back_byte_by_byte_with_its_bundle(house: House) -> None:
    bundle = {"schemas/a.json": {"digest": "d", "text": '{"type":"object"}', "value": {"type": "object"}}}
    text = (
        b"document: {dsl: '1.0.3', namespace: finance, name: x, version: '1.0.0'}\ndo: [{a: {set: {b: 1}}}]\n"
    )
    draft = RevisionDraft("x", "1.0.0", "d", text, bundle)
    revision = await house.records.deploy(FINANCE, draft, "os:ann")
    assert await house.records.document(revision.revision_no) == (text, bundle)
