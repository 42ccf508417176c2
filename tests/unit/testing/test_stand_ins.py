"""Stand-ins: hosts and functions that answer as they are told, and remember what they were asked."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from yarl import URL

from counterpoint.core.context import Invocation
from counterpoint.core.values import Scope
from counterpoint.ports.connectors import Attempt, AttemptResult, Verdict
from counterpoint.testing.conformance import Behaviour, Reply, Route
from counterpoint.testing.stand_ins import StandIns
from counterpoint.testing.stub_http import StubHttp


def attempt(target: str, arguments: object) -> Attempt:
    """An attempt of a call."""
    invocation = Invocation(target, arguments, "/do/0/a", "a")
    return Attempt(Scope("n"), "run", "w", "do.a", 1, invocation, "key", "Idempotency-Key", "c", "t")


async def ask(stub: StubHttp, method: str, address: str, **headers: str) -> tuple[int, bytes]:
    """Status and body of a request to the stand-in of an address."""
    url = URL(address)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, stub.rewrite(url), headers={"Host": str(url.host), **headers}) as answer,
    ):
        return answer.status, await answer.read()


async def test_a_route_gives_its_replies_in_order_and_then_the_last() -> None:
    replies = [Reply(status=503, times=2), Reply(body={"n": 1}), Reply(text="end")]
    async with StubHttp([Route(method="GET", host="a.example.com", path="/x", replies=replies)]) as stub:
        seen = [await ask(stub, "GET", "https://a.example.com/x") for _ in range(5)]
    assert seen == [(503, b""), (503, b""), (200, b'{"n":1}'), (200, b"end"), (200, b"end")]


async def test_a_route_is_found_by_method_host_and_path() -> None:
    route = Route(method="GET", host="a.example.com", path="/x%2Fy", replies=[Reply()])
    async with StubHttp([route]) as stub:
        assert (await ask(stub, "GET", "https://a.example.com/x%2Fy?q=1"))[0] == 200
        assert (await ask(stub, "PUT", "https://a.example.com/x%2Fy"))[0] == 404
        assert (await ask(stub, "GET", "https://b.example.com/x%2Fy"))[0] == 404
        assert (await ask(stub, "GET", "https://a.example.com/x/y"))[0] == 404
        assert [call.query for call in stub.calls] == [{"q": ["1"]}, {}, {}, {}]


async def test_a_request_without_the_headers_of_its_route_is_unauthorized() -> None:
    route = Route(method="GET", host="a.example.com", path="/", headers={"X-Key": "k"}, replies=[Reply()])
    async with StubHttp([route]) as stub:
        assert (await ask(stub, "GET", "https://a.example.com/"))[0] == 401
        assert (await ask(stub, "GET", "https://a.example.com/", **{"X-Key": "k"}))[0] == 200


async def test_a_dropped_connection_gives_no_answer() -> None:
    route = Route(method="POST", host="a.example.com", path="/", replies=[Reply(drop=True)])
    async with StubHttp([route]) as stub:
        with pytest.raises(aiohttp.ClientError):
            await ask(stub, "POST", "https://a.example.com/")
        assert len(stub.calls) == 1


async def test_a_function_behaves_as_told_call_by_call() -> None:
    behaviours = [Behaviour(value=None), Behaviour(echo=True), Behaviour(fail="throttled", status=429)]
    stand_ins = StandIns({"pets.find": behaviours})
    results = [await stand_ins.perform(attempt("pets.find", {"n": n})) for n in range(4)]
    assert [result.verdict for result in results] == [Verdict.DONE] * 2 + [Verdict.THROTTLED] * 2
    assert [result.value for result in results[:2]] == [None, {"n": 1}]
    assert [result.fault.status for result in results[2:] if result.fault] == [429, 429]
    assert [call.arguments for call in stand_ins.calls] == [{"n": n} for n in range(4)]


async def test_a_hanging_function_is_counted_until_it_is_cancelled() -> None:
    stand_ins = StandIns({"pets.find": [Behaviour(hang=True)]})
    task = asyncio.ensure_future(stand_ins.perform(attempt("pets.find", {})))
    await asyncio.sleep(0)
    assert stand_ins.hanging == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stand_ins.hanging == 0


async def test_what_has_no_stand_in_goes_to_the_others() -> None:
    others = StandIns({"crm.find": [Behaviour(value="other")]})
    stand_ins = StandIns({"pets.find": [Behaviour(value="own")]}, others)
    assert await stand_ins.perform(attempt("crm.find", {})) == AttemptResult(Verdict.DONE, "other")
    assert stand_ins.describe(Invocation("crm.find", {}, "", "")) is not None
    assert StandIns({}).describe(Invocation("crm.find", {}, "", "")) is None
    refused = await StandIns({}).perform(attempt("crm.find", {}))
    assert refused.fault is not None
    assert refused.fault.type.endswith("configuration")


def test_a_function_is_known_by_its_name_and_the_catalog_of_the_runtime() -> None:
    stand_ins = StandIns({"pets.find": [Behaviour(value=1)]})
    assert stand_ins.has_action("pets.find", "1.0.0", "default")
    assert stand_ins.has_action("pets.find", "", "")
    assert not stand_ins.has_action("pets.find", "", "elsewhere")
    assert not stand_ins.has_action("pets.lose", "", "")
