"""What goes on the wire for the arguments of a call."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from counterpoint.connectors.http import HttpSettings, HttpTarget
from counterpoint.ports.connectors import Verdict
from tests.unit.connectors.attempts import KEY, TRACEPARENT, attempt
from tests.unit.connectors.http.conftest import Call
from tests.unit.connectors.http.stand_in import Loopback, StandIn, answer


async def test_every_call_carries_trace_correlation_and_agent(server: StandIn, call: Call) -> None:
    await call("/tickets/7")
    headers = server.seen[0].headers
    assert server.seen[0].line == "GET /tickets/7 HTTP/1.1"
    assert headers["traceparent"] == TRACEPARENT
    assert headers["x-correlation-id"] == "chain-1"
    assert headers["user-agent"] == "counterpoint"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_methods_that_change_something_carry_the_idempotency_key(
    server: StandIn, call: Call, method: str
) -> None:
    await call("/", method)
    assert server.seen[0].headers["idempotency-key"] == KEY


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_reads_carry_no_key(server: StandIn, call: Call, method: str) -> None:
    await call("/", method)
    assert "idempotency-key" not in server.seen[0].headers


async def test_the_key_goes_into_the_header_that_the_task_names(server: StandIn, target: HttpTarget) -> None:
    arguments = {"method": "POST", "endpoint": server.url}
    await target.perform(attempt("http", arguments, key_header="X-Request-Token"))
    assert server.seen[0].headers["x-request-token"] == KEY
    assert "idempotency-key" not in server.seen[0].headers


async def test_headers_of_the_document_win_whatever_their_case(server: StandIn, call: Call) -> None:
    headers = {
        "user-AGENT": "mine",
        "IDEMPOTENCY-key": "own",
        "X-Number": 3,
        "x-flag": True,
        "traceparent": None,
    }
    await call("/", "POST", headers=headers)
    seen = server.seen[0]
    assert seen.headers["user-agent"] == "mine"
    assert seen.headers["idempotency-key"] == "own"
    assert seen.headers["x-number"] == "3"
    assert seen.headers["x-flag"] == "true"
    assert "traceparent" not in seen.headers
    assert seen.head.lower().count(b"idempotency-key:") == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "a\r\nX-B: b"},
        {"X-A": "a\nb"},
        {"X-A": "a\x00b"},
        {"X-A\r\nX-B": "b"},
        {"X A": "b"},
        {"X-A:": "b"},
        {"": "b"},
        {"X-A": "\ud800"},
        {"X-A": ["b"]},
        {"X-A": {"b": 1}},
        {"Content-Length": "5"},
        {"transfer-encoding": "chunked"},
        {"Connection": "close"},
        {"Upgrade": "h2c"},
        ["X-A"],
    ],
)
async def test_a_header_that_could_change_the_message_is_refused_and_nothing_is_sent(
    server: StandIn, call: Call, headers: Any
) -> None:
    result = await call("/", "POST", headers=headers, body={"a": 1})
    assert result.verdict is Verdict.PERMANENT
    assert result.fault is not None
    assert (result.fault.type.rpartition("/")[2], result.fault.status) == ("validation", 400)
    assert server.seen == []


async def test_scalars_and_lists_become_query_parameters(server: StandIn, call: Call) -> None:
    query = {"s": "a b&c=d", "n": 1, "f": 1.5, "t": True, "none": None, "many": ["x", 2, None], "ü": "é/?#"}
    await call("/find?kept=1", query=query)
    assert server.seen[0].line == (
        "GET /find?kept=1&s=a+b%26c%3Dd&n=1&f=1.5&t=true&many=x&many=2&%C3%BC=%C3%A9/?%23 HTTP/1.1"
    )


@pytest.mark.parametrize("query", [{"a": {"b": 1}}, {"a": [[1]]}, [1], "a=b"])
async def test_a_query_that_has_no_form_is_refused(server: StandIn, call: Call, query: Any) -> None:
    result = await call("/", query=query)
    assert result.fault is not None
    assert result.fault.status == 400
    assert server.seen == []


async def test_the_path_goes_out_as_it_was_encoded(server: StandIn, call: Call) -> None:
    await call("/a%2Fb/c%20d/%C3%A9/x;y=1/.well-known/...?q=%26#part")
    assert server.seen[0].line == "GET /a%2Fb/c%20d/%C3%A9/x;y=1/.well-known/...?q=%26 HTTP/1.1"


@pytest.mark.parametrize(
    "path", ["/pets/..", "/pets/../admin", "/pets/./x", "/pets/%2e%2E/x", "/.%2e", "/a/.?x"]
)
async def test_a_path_that_climbs_is_refused(server: StandIn, call: Call, path: str) -> None:
    result = await call(path)
    assert result.fault is not None
    assert result.fault.status == 400
    assert server.seen == []


@pytest.mark.parametrize(
    "endpoint",
    ["", "/relative", "tickets", "http://", "http:///x", "ftp://h/x", "file:///etc/hostname", "javascript:1",
     "http://h:99999/", "http://h:port/", "http://u@example.com/", "http://u:p@example.com/",
     "http://example.com/a\r\nX: y", "http://example.com\\@127.0.0.1/", "http://exa mple.com/", "http://%31.com/",
     "http://a..b/", 7, None],
)  # fmt: skip
async def test_an_endpoint_that_is_no_address_is_refused(target: HttpTarget, endpoint: Any) -> None:
    result = await target.perform(attempt("http", {"method": "GET", "endpoint": endpoint}))
    assert result.verdict is Verdict.PERMANENT
    assert result.fault is not None
    assert (result.fault.type.rpartition("/")[2], result.fault.status) == ("validation", 400)


@pytest.mark.parametrize("method", ["CONNECT", "GE T", "", "GET\r\nX: y"])
async def test_a_method_that_is_none_is_refused(server: StandIn, call: Call, method: str) -> None:
    result = await call("/", method)
    assert result.fault is not None
    assert result.fault.status == 400
    assert server.seen == []


JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "content_type", "sent", "sent_type"),
    [
        ({"a": [1, None, "é"]}, None, '{"a":[1,null,"é"]}', JSON),
        ([1, 2], None, "[1,2]", JSON),
        (7, None, "7", JSON),
        (True, None, "true", JSON),
        ("grün", None, "grün", "text/plain; charset=utf-8"),
        ("text", JSON, '"text"', JSON),
        ({"a": 1}, "application/merge-patch+json", '{"a":1}', "application/merge-patch+json"),
        ({"a": "x y", "b": [1, True], "c": None}, FORM, "a=x+y&b=1&b=true", FORM),
        ("a=1&b=2", FORM, "a=1&b=2", FORM),
        ({"a": 1}, "text/plain", '{"a":1}', "text/plain"),
        ("<a/>", "application/xml", "<a/>", "application/xml"),
        ({}, None, "{}", JSON),
        ("", None, "", "text/plain; charset=utf-8"),
    ],
)
async def test_the_body_takes_the_form_of_its_content_type(
    server: StandIn, call: Call, body: Any, content_type: str | None, sent: str, sent_type: str
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    assert (await call("/", "POST", body=body, headers=headers)).verdict is Verdict.DONE
    seen = server.seen[0]
    assert seen.body.decode() == sent
    assert seen.headers["content-type"] == sent_type
    assert seen.headers["content-length"] == str(len(sent.encode()))


async def test_a_text_is_sent_in_the_character_set_that_its_type_names(server: StandIn, call: Call) -> None:
    await call("/", "POST", body="grün", headers={"Content-Type": 'text/plain; charset="iso-8859-1"'})
    assert server.seen[0].body == "grün".encode("latin-1")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [({"a": 1}, "application/xml"), ([1], FORM), ({"a": {"b": 1}}, FORM), ("x", "text/plain; charset=none"),
     ("€", "text/plain; charset=latin-1")],
)  # fmt: skip
async def test_a_body_that_its_type_cannot_carry_is_refused(
    server: StandIn, call: Call, body: Any, content_type: str
) -> None:
    result = await call("/", "POST", body=body, headers={"Content-Type": content_type})
    assert result.fault is not None
    assert (result.fault.type.rpartition("/")[2], result.fault.status) == ("validation", 400)
    assert server.seen == []


async def test_without_a_body_none_is_sent(server: StandIn, call: Call) -> None:
    await call("/", "POST", body=None)
    assert server.seen[0].body == b""


@pytest.mark.parametrize(
    ("authentication", "sent"),
    [
        (
            {"scheme": "basic", "properties": {"username": "Aladdin", "password": "open sesame"}},
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        (
            {"scheme": "basic", "properties": {"username": "test", "password": "123£"}},
            "Basic dGVzdDoxMjPCow==",
        ),
        ({"scheme": "bearer", "properties": {"token": "mF_9.B5f-4.1JqM"}}, "Bearer mF_9.B5f-4.1JqM"),
    ],
)
async def test_credentials_are_sent_as_the_standards_write_them(
    server: StandIn, call: Call, authentication: Any, sent: str
) -> None:
    await call("/", authentication=authentication)
    assert server.seen[0].headers["authorization"] == sent


@pytest.mark.parametrize(
    ("authentication", "kind"),
    [
        ({"scheme": "bearer", "properties": {}}, "configuration"),
        ({"scheme": "bearer", "properties": {"token": 5}}, "configuration"),
        ({"scheme": "basic", "properties": {"username": "a:b", "password": "c"}}, "configuration"),
        ({"scheme": "digest", "properties": {"username": "a", "password": "c"}}, "configuration"),
        ({"scheme": "bearer", "properties": {"token": "a\r\nX-B: c"}}, "validation"),
    ],
)
async def test_credentials_that_cannot_be_sent_are_refused(
    server: StandIn, call: Call, authentication: Any, kind: str
) -> None:
    result = await call("/", authentication=authentication)
    assert result.verdict is Verdict.PERMANENT
    assert result.fault is not None
    assert result.fault.type.endswith(f"/{kind}")
    assert server.seen == []


async def test_cookies_of_one_call_do_not_reach_the_next(server: StandIn) -> None:
    # By name: a jar would not keep the cookies of an address.
    settings = HttpSettings(allow_private_hosts=("127.0.0.1",))
    target = HttpTarget(settings, rewrite=lambda url: url.with_port(server.port), resolver=Loopback())
    server.answers(answer(200, b"", "Set-Cookie: session=abc; Path=/"))
    for _ in range(2):
        await target.perform(attempt("http", {"method": "GET", "endpoint": "http://desk.example/"}))
    assert "cookie" not in server.seen[1].headers
    await target.close()


async def test_connections_are_kept_and_used_again(server: StandIn, call: Call) -> None:
    for _ in range(5):
        await call("/", "POST", body={"a": 1})
    assert server.connections == 1


async def test_a_compressed_answer_is_unpacked(server: StandIn, call: Call) -> None:
    packed = gzip.compress(b'{"a": 1}')
    server.answers(answer(200, packed, "Content-Type: application/json", "Content-Encoding: gzip"))
    assert (await call("/")).value == {"a": 1}


async def test_proxies_of_the_surroundings_are_ignored(
    server: StandIn, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert (await call("/")).verdict is Verdict.DONE
