"""The hub sends each call to what answers it."""

from __future__ import annotations

from counterpoint import ActionContext, Connector
from counterpoint.connectors.http import HttpSettings
from counterpoint.connectors.hub import ConnectorHub
from counterpoint.ports.connectors import Connectors, Idempotency, Verdict
from tests.unit.connectors.attempts import attempt
from tests.unit.connectors.http.stand_in import StandIn, json_answer


def desk() -> Connector:
    made = Connector("desk")

    async def confirm(ctx: ActionContext) -> str:
        return "done before"

    @made.action(idempotency="natural", confirm=confirm)
    async def act(ctx: ActionContext) -> str:
        return "done"

    return made


async def test_actions_and_http_are_reached_through_one_port() -> None:
    server = StandIn()
    await server.start()
    server.answers(json_answer("over http"))
    hub: Connectors = ConnectorHub.of([desk()], HttpSettings(allow_private_hosts=("127.0.0.1",)))
    call = attempt("desk.act", None)
    request = attempt("http", {"method": "POST", "endpoint": server.url})
    assert (await hub.perform(call)).value == "done"
    assert (await hub.perform(request)).value == "over http"
    confirmed = await hub.confirm(call)
    assert confirmed is not None
    assert confirmed.value == "done before"
    assert await hub.confirm(request) is None
    described = [hub.describe(a.invocation) for a in (call, request)]
    assert [d.idempotency for d in described if d is not None] == [Idempotency.NATURAL, Idempotency.NONE]
    await hub.close()
    await server.stop()


async def test_what_nothing_answers_has_no_description_and_cannot_be_called() -> None:
    hub = ConnectorHub.of([desk()])
    for target in ("desk.other", "other.act", "", "HTTP"):
        assert hub.describe(attempt(target, {}).invocation) is None
        assert (await hub.perform(attempt(target, {}))).verdict is Verdict.PERMANENT
        assert await hub.confirm(attempt(target, {})) is None
    assert hub.names == ["desk.act", "http"]
    await hub.close()


async def test_a_hub_can_be_closed_twice_and_unused() -> None:
    hub = ConnectorHub.of()
    await hub.close()
    await hub.close()
