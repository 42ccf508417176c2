"""What statuses, lost connections and redirects mean for the next attempt."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from counterpoint.connectors.http import HttpSettings, HttpTarget
from counterpoint.core.context import Invocation
from counterpoint.ports.connectors import ActionInfo, Idempotency, Verdict
from tests.unit.connectors.attempts import KEY, POINTER, attempt
from tests.unit.connectors.http.conftest import Call
from tests.unit.connectors.http.stand_in import StandIn, answer, json_answer

READ = ActionInfo(Idempotency.NATURAL, is_effect=False)


@pytest.mark.parametrize(
    ("method", "info"),
    [
        ("GET", READ),
        ("HEAD", READ),
        ("OPTIONS", READ),
        ("PUT", ActionInfo(Idempotency.NATURAL)),
        ("DELETE", ActionInfo(Idempotency.NATURAL)),
        ("POST", ActionInfo(Idempotency.NONE)),
        ("PATCH", ActionInfo(Idempotency.NONE)),
        ("PURGE", ActionInfo(Idempotency.NONE)),
    ],
)
def test_the_method_says_what_a_repeated_call_does(method: str, info: ActionInfo) -> None:
    invocation = Invocation("http", {"method": method, "endpoint": "http://h/"}, POINTER, "t")
    assert HttpTarget().describe(invocation) == info


DATE = "Date: Wed, 01 Jul 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("status", "headers", "verdict", "wait_s"),
    [
        (400, [], Verdict.PERMANENT, None),
        (401, [], Verdict.AUTHENTICATION, None),
        (403, [], Verdict.PERMANENT, None),
        (404, [], Verdict.PERMANENT, None),
        (407, [], Verdict.AUTHENTICATION, None),
        (408, [], Verdict.RETRYABLE, None),
        (409, [], Verdict.PERMANENT, None),
        (425, [], Verdict.RETRYABLE, None),
        (429, [], Verdict.RETRYABLE, None),
        (429, ["Retry-After: 7"], Verdict.THROTTLED, 7),
        (429, ["Retry-After: Wed, 01 Jul 2026 10:01:30 GMT", DATE], Verdict.THROTTLED, 90),
        (429, ["Retry-After: Wed, 01 Jul 2026 09:00:00 GMT", DATE], Verdict.THROTTLED, 0),
        (429, ["Retry-After: Wed, 01 Jul 2026 10:01:30 GMT"], Verdict.RETRYABLE, None),
        (429, ["Retry-After: soon"], Verdict.RETRYABLE, None),
        (429, ["Retry-After: -5"], Verdict.RETRYABLE, None),
        (429, ["Retry-After: 99999999999"], Verdict.THROTTLED, 86_400),
        (500, [], Verdict.RETRYABLE, None),
        (500, ["Retry-After: 7"], Verdict.RETRYABLE, 7),
        (502, [], Verdict.RETRYABLE, None),
        (503, [], Verdict.RETRYABLE, None),
        (503, ["Retry-After: 3"], Verdict.THROTTLED, 3),
        (599, [], Verdict.RETRYABLE, None),
        (302, ["Location: /other"], Verdict.PERMANENT, None),
        (304, [], Verdict.PERMANENT, None),
    ],
)
async def test_a_status_is_classified_and_is_the_status_of_the_fault(
    server: StandIn, call: Call, status: int, headers: list[str], verdict: Verdict, wait_s: float | None
) -> None:
    server.answers(answer(status, b"", *headers))
    result = await call("/tickets", "POST")
    assert result.verdict is verdict
    assert result.retry_after_s == wait_s
    assert result.fault is not None
    assert (result.fault.type.rpartition("/")[2], result.fault.status) == ("communication", status)
    assert result.fault.instance == POINTER
    assert result.is_uncertain is False
    assert len(server.seen) == 1


async def test_a_fault_tells_the_call_the_status_and_what_the_target_says(
    server: StandIn, call: Call
) -> None:
    problem = {"title": "Out of stock", "detail": "item 7 is gone", "stack": "x" * 1000}
    server.answers(
        answer(422, json_answer(problem).partition(b"\r\n\r\n")[2], "Content-Type: application/problem+json"),
        answer(404, b"<h1>No\n\nsuch</h1>", "Content-Type: text/html"),
        answer(500, b"y" * 5000, "Content-Type: text/plain"),
        answer(418, b"\x00\x01", "Content-Type: image/png"),
        answer(500, b"{broken", "Content-Type: application/json"),
        answer(299 + 300, b"", "Content-Type: text/plain"),
    )
    details = [
        f.detail for f in [(await call("/items/7?token=abc")).fault for _ in range(6)] if f is not None
    ]
    place = f"GET {server.url}/items/7 answered"
    assert details[0] == f"{place} 422 Unprocessable Entity: Out of stock: item 7 is gone"
    assert details[1] == f"{place} 404 Not Found: <h1>No such</h1>"
    assert details[2] == f"{place} 500 Internal Server Error: {'y' * 199}…"
    assert details[3] == f"{place} 418 I'm a Teapot"
    assert details[4] == f"{place} 500 Internal Server Error: {{broken"
    assert details[5] == f"{place} 599"


async def test_a_target_that_echoes_the_credential_does_not_put_it_into_the_fault(
    server: StandIn, call: Call
) -> None:
    server.reply = lambda seen: answer(
        401, f"bad credential {seen.headers['authorization']}".encode(), "Content-Type: text/plain"
    )
    bearer = {"scheme": "bearer", "properties": {"token": "s3cret-token"}}
    result = await call("/", authentication=bearer)
    assert result.verdict is Verdict.AUTHENTICATION
    assert result.fault is not None
    assert "s3cret" not in result.fault.detail
    assert "bad credential ***" in result.fault.detail


@pytest.mark.parametrize(("method", "uncertain"), [("GET", False), ("PUT", True), ("POST", True)])
@pytest.mark.parametrize(
    "reply",
    [
        None,
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"garbage\r\n\r\n",
    ],
)
async def test_a_lost_reply_is_uncertain_and_the_request_is_made_once(
    server: StandIn, call: Call, method: str, uncertain: bool, reply: bytes | None
) -> None:
    def reply_and_close(seen: Any) -> bytes | None:
        if reply is not None:
            for writer in server._writers:
                writer.write(reply)
        return None

    server.reply = reply_and_close
    result = await call("/x?token=abc", method)
    assert result.verdict is Verdict.RETRYABLE
    assert result.is_uncertain is uncertain
    assert result.fault is not None
    assert (result.fault.type.rpartition("/")[2], result.fault.status) == ("communication", 500)
    assert "abc" not in result.fault.detail
    assert len(server.seen) == 1


async def test_a_reply_that_breaks_off_in_its_body_is_uncertain(server: StandIn, call: Call) -> None:
    def half(seen: Any) -> None:
        for writer in server._writers:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    server.reply = half
    result = await call("/", "POST")
    assert (result.verdict, result.is_uncertain) == (Verdict.RETRYABLE, True)


async def test_no_answer_in_time_is_uncertain_and_the_reason_is_told(server: StandIn) -> None:
    target = HttpTarget(HttpSettings(allow_private_hosts=("127.0.0.1",), timeout_s=0.05))
    server.hold = asyncio.Event()
    for redirect in (False, True):
        arguments = {"method": "POST", "endpoint": f"{server.url}/x?token=abc", "redirect": redirect}
        result = await target.perform(attempt("http", arguments))
        assert (result.verdict, result.is_uncertain) == (Verdict.RETRYABLE, True)
        assert result.fault is not None
        assert result.fault.detail == f"POST {server.url}/x: no answer within 0.05 s"
    server.hold.set()
    await target.close()


async def test_a_refused_connection_is_certain_not_to_have_happened(target: HttpTarget) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        arguments = {"method": "POST", "endpoint": f"http://127.0.0.1:{port}/"}
        result = await target.perform(attempt("http", arguments))
    assert (result.verdict, result.is_uncertain) == (Verdict.RETRYABLE, False)
    assert result.fault is not None
    assert result.fault.status == 500
    assert "no connection" in result.fault.detail


class Unknowing(AbstractResolver):
    """Knows no name."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise OSError("no such host")

    async def close(self) -> None: ...


async def test_a_name_that_does_not_resolve_is_certain_not_to_have_happened() -> None:
    target = HttpTarget(resolver=Unknowing())
    result = await target.perform(attempt("http", {"method": "POST", "endpoint": "http://nowhere.example/"}))
    assert (result.verdict, result.is_uncertain) == (Verdict.RETRYABLE, False)
    assert result.fault is not None
    assert "could not be resolved" in result.fault.detail
    await target.close()


async def test_cancellation_passes_and_drops_the_connection(server: StandIn, call: Call) -> None:
    server.hold = asyncio.Event()
    task = asyncio.create_task(call("/", "POST"))
    await server.arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    server.hold.set()


@pytest.mark.parametrize(
    ("status", "method", "followed_by"),
    [
        (301, "GET", "GET"), (301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"),
        (303, "PUT", "GET"), (307, "POST", "POST"), (308, "PUT", "PUT"), (302, "PUT", "PUT"),
        (303, "HEAD", "HEAD"),
    ],
)  # fmt: skip
async def test_redirects_are_followed_when_asked_for(
    server: StandIn, call: Call, status: int, method: str, followed_by: str
) -> None:
    server.answers(answer(status, b"", "Location: /b%20c?x=1#part"), answer(200, b"", "X-A: b"))
    body = {"a": 1} if method in ("POST", "PUT") else None
    result = await call("/a", method, redirect=True, body=body, headers={"Authorization": "Basic eA=="})
    assert result.verdict is Verdict.DONE
    second = server.seen[1]
    assert second.line == f"{followed_by} /b%20c?x=1 HTTP/1.1"
    assert second.body == (server.seen[0].body if followed_by == method else b"")
    assert ("content-type" in second.headers) == (second.body != b"")
    assert second.headers["authorization"] == "Basic eA=="


async def test_another_origin_gets_no_credentials_and_no_key(server: StandIn, call: Call) -> None:
    other = StandIn()
    await other.start()
    server.answers(answer(307, b"", f"Location: {other.url}/b"))
    headers = {"Cookie": "a=b", "X-Api-Key": "k", "X-Plain": "p", "Host": "desk.example"}
    bearer = {"scheme": "bearer", "properties": {"token": "t"}}
    result = await call("/a", "POST", redirect=True, headers=headers, authentication=bearer, body={"a": 1})
    assert result.verdict is Verdict.DONE
    first, second = server.seen[0].headers, other.seen[0].headers
    assert (first["authorization"], first["idempotency-key"], first["host"]) == (
        "Bearer t",
        KEY,
        "desk.example",
    )
    assert not {"authorization", "cookie", "x-api-key", "idempotency-key"} & second.keys()
    assert second["x-plain"] == "p"
    assert second["host"] == f"127.0.0.1:{other.port}"
    assert other.seen[0].body == b'{"a":1}'
    await other.stop()


@pytest.mark.parametrize("headers", [[], ["Location: /x"]])
async def test_with_redirect_an_unfollowed_3xx_is_no_error(
    server: StandIn, call: Call, headers: list[str]
) -> None:
    server.answers(answer(304, b"", *headers))
    result = await call("/", redirect=True, output="response")
    assert result.verdict is Verdict.DONE
    assert result.value["statusCode"] == 304


async def test_a_chain_of_redirects_ends(server: StandIn, call: Call) -> None:
    server.answers(answer(302, b"", "Location: /again"))
    result = await call("/", redirect=True)
    assert result.verdict is Verdict.PERMANENT
    assert result.fault is not None
    assert "more than 5 redirects" in result.fault.detail
    assert len(server.seen) == 6


@pytest.mark.parametrize(
    ("location", "status"),
    [
        ("http://10.0.0.1/x", 403),
        ("http://169.254.169.254/latest/meta-data/", 403),
        ("http://[::1]/", 403),
        ("file:///etc/hostname", 400),
        ("http://u:p@127.0.0.1/", 400),
        ("http://h:port/", 302),
        ("//2130706433/", 400),
    ],
)
async def test_each_redirect_is_judged_like_a_first_request(
    server: StandIn, call: Call, location: str, status: int
) -> None:
    server.answers(answer(302, b"", f"Location: {location}"))
    result = await call("/", redirect=True)
    assert result.verdict is Verdict.PERMANENT
    assert result.fault is not None
    assert result.fault.status == status
    assert len(server.seen) == 1


async def test_a_failure_after_a_redirect_of_an_effect_is_uncertain(server: StandIn, call: Call) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server.answers(answer(303, b"", f"Location: http://127.0.0.1:{unused.getsockname()[1]}/result"))
        result = await call("/", "POST", redirect=True)
    assert (result.verdict, result.is_uncertain) == (Verdict.RETRYABLE, True)


async def test_a_rewrite_stands_in_for_a_host_and_keeps_its_name(server: StandIn) -> None:
    settings = HttpSettings(allow_private_hosts=("127.0.0.1",))
    stand_in = URL(server.url)
    target = HttpTarget(settings, rewrite=lambda url: stand_in.join(url.relative()))
    server.answers(answer(302, b"", "Location: /next"), json_answer({"ok": True}))
    arguments = {
        "method": "GET",
        "endpoint": "https://api.example.com/first",
        "redirect": True,
        "output": "response",
    }
    result = await target.perform(attempt("http", arguments))
    assert result.value["content"] == {"ok": True}
    assert result.value["request"]["uri"] == "https://api.example.com/next"
    assert [s.headers["host"] for s in server.seen] == ["api.example.com", "api.example.com"]
    await target.close()
