"""What comes back: forms of output, types of content, limits."""

from __future__ import annotations

import gzip
from base64 import b64encode
from typing import Any

import pytest

from counterpoint.connectors.http import HttpSettings, HttpTarget
from counterpoint.ports.connectors import AttemptResult, Verdict
from tests.unit.connectors.attempts import KEY, TRACEPARENT, attempt
from tests.unit.connectors.http.conftest import Call
from tests.unit.connectors.http.stand_in import StandIn, answer, json_answer


@pytest.mark.parametrize(
    ("content_type", "body", "value"),
    [
        ("application/json", b'{"a": [1, null]}', {"a": [1, None]}),
        ("application/problem+json; charset=utf-8", b'"x"', "x"),
        ("APPLICATION/JSON", b"12345678901234567", 12345678901234567),
        ("text/plain", "grün".encode(), "grün"),
        ("text/csv; charset=iso-8859-1", "grün".encode("latin-1"), "grün"),
        ("text/plain; charset=no-such", b"abc", "abc"),
        ("application/xml", b"<a/>", "<a/>"),
        ("image/svg+xml", b"<svg/>", "<svg/>"),
        ("application/octet-stream", b"\x00\xff", b64encode(b"\x00\xff").decode()),
        ("image/png", b"\x89PNG", b64encode(b"\x89PNG").decode()),
    ],
)
async def test_content_is_decoded_by_its_type(
    server: StandIn, call: Call, content_type: str, body: bytes, value: Any
) -> None:
    server.answers(answer(200, body, f"Content-Type: {content_type}"))
    assert await call("/") == AttemptResult(Verdict.DONE, value)


async def test_content_without_a_type_is_base64(server: StandIn, call: Call) -> None:
    server.answers(answer(200, b"abc"))
    assert (await call("/")).value == b64encode(b"abc").decode()


@pytest.mark.parametrize("form", ["content", "raw"])
@pytest.mark.parametrize(
    ("method", "reply"),
    [
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"),
        ("OPTIONS", answer(200, b"", "Allow: GET")),
        ("POST", answer(201, b"", "Content-Type: application/json")),
    ],
)
async def test_no_body_is_null(server: StandIn, call: Call, method: str, reply: bytes, form: str) -> None:
    server.answers(reply)
    assert await call("/", method, output=form) == AttemptResult(Verdict.DONE, None)


async def test_raw_is_the_body_in_base64_whatever_its_type(server: StandIn, call: Call) -> None:
    server.answers(answer(200, b"not json", "Content-Type: application/json"))
    assert (await call("/", output="raw")).value == b64encode(b"not json").decode()


async def test_the_response_form_shows_both_sides_without_credentials(server: StandIn, call: Call) -> None:
    server.answers(json_answer({"id": 1}, 201, "X-Tag: a", "X-Tag: b"))
    result = await call(
        "/tickets?api_key=s3cret&q=1",
        "POST",
        output="response",
        body={"a": 1},
        headers={"X-Api-Key": "s3cret", "Accept": "application/json"},
        authentication={"scheme": "bearer", "properties": {"token": "s3cret"}},
    )
    assert result.value == {
        "request": {
            "method": "POST",
            "uri": f"{server.url}/tickets?api_key=***&q=1",
            "headers": {
                "User-Agent": "counterpoint",
                "traceparent": TRACEPARENT,
                "X-Correlation-Id": "chain-1",
                "Idempotency-Key": KEY,
                "Authorization": "***",
                "X-Api-Key": "***",
                "Accept": "application/json",
                "Content-Type": "application/json",
            },
        },
        "statusCode": 201,
        "headers": {"Content-Length": "8", "Content-Type": "application/json", "X-Tag": "a, b"},
        "content": {"id": 1},
    }
    assert server.seen[0].headers["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"NaN",
        b"1e999",
        b"18446744073709551616",
        b"[" * 129 + b"]" * 129,
        b"[" * 9999 + b"]" * 9999,
        b'"\xff"',
    ],
)
async def test_json_that_a_run_cannot_hold_is_a_communication_fault(
    server: StandIn, call: Call, body: bytes
) -> None:
    server.answers(answer(200, body, "Content-Type: application/json"))
    result = await call("/items?secret=x", "POST")
    assert result.verdict is Verdict.PERMANENT
    assert result.fault is not None
    assert (result.fault.type.rpartition("/")[2], result.fault.status) == ("communication", 500)
    assert result.fault.detail.startswith(f"POST {server.url}/items answered 200, but")
    assert result.is_uncertain is False


@pytest.fixture
async def small() -> Any:
    settings = HttpSettings(allow_private_hosts=("127.0.0.1",), max_response_bytes=1000)
    target = HttpTarget(settings)
    yield target
    await target.close()


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("reply", "fits"),
    [
        (answer(200, b"x" * 1000, "Content-Type: text/plain"), True),
        (answer(200, b"x" * 1001, "Content-Type: text/plain"), False),
        (CHUNKED + b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n", True),
        (CHUNKED + b"3e8\r\n" + b"x" * 1000 + b"\r\n1\r\nx\r\n0\r\n\r\n", False),
        (answer(200, gzip.compress(b"x" * 1000), "Content-Type: text/plain", "Content-Encoding: gzip"), True),
        (
            answer(200, gzip.compress(b"x" * 600_000), "Content-Type: text/plain", "Content-Encoding: gzip"),
            False,
        ),
    ],
)
async def test_a_response_over_the_limit_is_refused_also_when_it_unpacks_to_that(
    server: StandIn, small: HttpTarget, reply: bytes, fits: bool
) -> None:
    server.answers(reply)
    result = await small.perform(attempt("http", {"method": "GET", "endpoint": server.url}))
    if fits:
        assert result.value == "x" * 1000
    else:
        assert result.verdict is Verdict.PERMANENT
        assert result.fault is not None
        assert "larger than 1000 bytes" in result.fault.detail


async def test_a_huge_error_body_is_not_read_to_its_end(server: StandIn, call: Call) -> None:
    server.answers(answer(500, b"x" * 1_000_000, "Content-Type: text/plain"))
    result = await call("/")
    assert result.verdict is Verdict.RETRYABLE
    assert result.fault is not None
    assert result.fault.status == 500
