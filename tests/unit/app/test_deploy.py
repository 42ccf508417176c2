"""Deploying documents."""

from __future__ import annotations

import pytest

from counterpoint.app.deploy import MAX_RESOURCES
from counterpoint.errors import Conflict, DefinitionError, NotFound
from tests.unit.app.conftest import TICKETS, Desk

WITH_SCHEMA = """
document: {dsl: '1.0.3', namespace: support, name: checked, version: '1.0.0'}
input: {schema: {resource: {endpoint: 'ticket.json'}}}
do:
  - create: {call: desk.create}
"""


async def test_a_deploy_answers_with_its_revision_and_leaves_an_audit_row(desk: Desk) -> None:
    answer = await desk.call("workflows.deploy", "os:bob", text=TICKETS)
    assert (answer["namespace"], answer["name"], answer["version"]) == ("support", "tickets", "1.0.0")
    assert answer["revision"]["isActive"]
    assert answer["revision"]["actor"] == "os:bob"
    audit = await desk.call("audit.list")
    assert [(row["actor"], row["action"], row["target"]) for row in audit] == [
        ("os:bob", "workflow.deploy", "support/tickets")
    ]


async def test_a_dry_run_stores_nothing_and_sees_the_conflict_all_the_same(desk: Desk) -> None:
    answer = await desk.call("workflows.deploy", text=TICKETS, isDryRun=True)
    assert "revision" not in answer
    assert await desk.call("workflows.list") == []
    await desk.call("workflows.deploy", text=TICKETS)
    changed = TICKETS.replace("crm.example", "crm2.example")
    with pytest.raises(Conflict, match=r"look \(changed\)"):
        await desk.call("workflows.deploy", text=changed, isDryRun=True)
    assert await desk.call("workflows.deploy", text=changed, isDryRun=True, isDev=True)


async def test_a_conflict_names_the_tasks_that_differ(desk: Desk) -> None:
    await desk.call("workflows.deploy", text=TICKETS)
    changed = TICKETS.replace("${ .title }", "${ .subject }") + "  - more: {set: {a: 1}}\n"
    with pytest.raises(Conflict, match=r"more \(new\), create \(changed\)"):
        await desk.call("workflows.deploy", text=changed)
    with pytest.raises(Conflict, match=r"`document`"):
        await desk.call("workflows.deploy", text=TICKETS.replace("name: tickets", "name: tickets, title: T"))


async def test_a_function_that_does_not_exist_is_refused_with_its_place_and_the_nearest_name(
    desk: Desk,
) -> None:
    with pytest.raises(DefinitionError) as refused:
        await desk.call("workflows.deploy", text=TICKETS.replace("desk.create", "desk.craete"))
    problem = refused.value.problems[0]
    assert problem.pointer.startswith("/do/0/create")
    assert problem.line in (4, 5)


async def test_what_this_version_does_not_run_is_refused_at_deploy_and_reported_by_validate(
    desk: Desk,
) -> None:
    text = TICKETS + "  - hear: {listen: {to: {one: {with: {type: a}}}}}\n"
    with pytest.raises(DefinitionError, match="listen"):
        await desk.call("workflows.deploy", text=text)
    answer = await desk.call("workflows.validate", text=text)
    assert not answer["isValid"]
    assert [problem["line"] for problem in answer["problems"]] == [10]


async def test_validate_gives_all_problems_at_once(desk: Desk) -> None:
    answer = await desk.call("workflows.validate", text="document: {dsl: 'x'}\ndo: {}\n")
    assert not answer["isValid"]
    assert len(answer["problems"]) >= 4
    assert (await desk.call("workflows.validate", text=TICKETS))["isValid"]


async def test_a_schema_is_fetched_once_and_kept_with_the_revision(desk: Desk) -> None:
    answer = await desk.call("workflows.deploy", text=WITH_SCHEMA, folder="/srv/flows")
    assert desk.resources.fetched == [("ticket.json", "/srv/flows")]
    assert list(answer["resources"]) == ["ticket.json"]
    deployed = desk.house.revisions.by_number(answer["revision"]["revisionNo"])
    assert deployed.workflow.input is not None
    assert deployed.workflow.input.schema is not None
    assert deployed.workflow.input.schema.check("no object")
    assert len(desk.resources.fetched) == 1


async def test_another_schema_under_the_same_version_is_other_content(desk: Desk) -> None:
    await desk.call("workflows.deploy", text=WITH_SCHEMA)
    desk.resources.replace("ticket.json", b"type: array\n")
    with pytest.raises(Conflict, match="its resources"):
        await desk.call("workflows.deploy", text=WITH_SCHEMA)


async def test_all_resources_that_cannot_be_used_are_reported_at_once(desk: Desk) -> None:
    desk.resources.replace("ticket.json", b"{broken")
    text = WITH_SCHEMA + "output: {schema: {resource: {endpoint: 'missing.json'}}}\n"
    with pytest.raises(DefinitionError) as refused:
        await desk.call("workflows.deploy", text=text)
    assert len(refused.value.problems) == 2


async def test_a_token_does_not_let_its_bearer_read_files(desk: Desk) -> None:
    await desk.call("workflows.deploy", "ci-deployer", text=WITH_SCHEMA, folder="/etc")
    assert desk.resources.fetched == [("ticket.json", "")]


async def test_a_child_workflow_that_is_not_there_yet_is_a_warning(desk: Desk) -> None:
    text = TICKETS + "  - sub: {run: {workflow: {namespace: support, name: other, version: latest}}}\n"
    answer = await desk.call("workflows.deploy", text=text)
    assert [warning["code"] for warning in answer["warnings"]] == ["missing-child"]


async def test_too_many_resources_are_refused_before_any_is_fetched(desk: Desk) -> None:
    tasks = [
        f"  - t{n}: {{set: {{a: 1}}, input: {{schema: {{resource: {{endpoint: 's{n}.json'}}}}}}}}\n"
        for n in range(MAX_RESOURCES + 1)
    ]
    head = "document: {dsl: '1.0.3', namespace: support, name: many, version: '1.0.0'}\ndo:\n"
    with pytest.raises(DefinitionError, match="at most"):
        await desk.call("workflows.deploy", text=head + "".join(tasks))
    assert desk.resources.fetched == []


async def test_a_workflow_is_shown_with_its_document_and_all_its_revisions(desk: Desk) -> None:
    await desk.call("workflows.deploy", text=TICKETS)
    await desk.call("workflows.deploy", text=TICKETS.replace("version: '1.0.0'", "version: '1.1.0'"))
    shown = await desk.call("workflows.show", name="tickets")
    assert shown["revision"]["version"] == "1.1.0"
    assert [revision["version"] for revision in shown["revisions"]] == ["1.1.0", "1.0.0"]
    old = await desk.call("workflows.show", name="support/tickets", version="1.0.0")
    assert old["document"] == TICKETS
    with pytest.raises(NotFound) as unknown:
        await desk.call("workflows.show", name="ticket")
    assert "tickets" in unknown.value.hint
    with pytest.raises(NotFound):
        await desk.call("workflows.show", name="tickets", version="3.0.0")
