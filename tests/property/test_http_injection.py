"""Whatever data says, one call is one request of the intended shape (S-11), checked on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from counterpoint.connectors.http import HttpSettings, HttpTarget
from counterpoint.ports.connectors import AttemptResult, Verdict
from tests.unit.connectors.attempts import attempt
from tests.unit.connectors.http.stand_in import Seen, StandIn

hostile = st.text(
    alphabet=st.one_of(
        st.sampled_from("\r\n\x00\t :/?#&=%+.\\\"'@;,[]{}\x7f\x85\u2028é"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=12,
)
OURS = {
    "host",
    "user-agent",
    "traceparent",
    "x-correlation-id",
    "accept",
    "accept-encoding",
    "idempotency-key",
    "content-length",
    "content-type",
}
"""Headers of every request with a body."""


class Wire:
    """A stand-in server and a target on a loop of their own."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.server = StandIn()
        self.target = HttpTarget(HttpSettings(allow_private_hosts=("127.0.0.1",)))
        runner.run(self.server.start())

    def call(self, path: str = "/fixed", **arguments: Any) -> tuple[AttemptResult, list[Seen]]:
        """One attempt, and the requests that arrived for it."""
        self.server.seen.clear()
        endpoint = self.server.url + path
        made = attempt("http", {"method": "POST", "endpoint": endpoint, "body": {}, **arguments})
        return self.runner.run(self.target.perform(made)), list(self.server.seen)

    def close(self) -> None:
        self.runner.run(self.target.close())
        self.runner.run(self.server.stop())


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with asyncio.Runner() as runner:
        made = Wire(runner)
        yield made
        made.close()


def sent_once_or_refused(result: AttemptResult, seen: list[Seen]) -> Seen | None:
    """The one request; None when the call was refused and nothing was sent."""
    if result.verdict is Verdict.DONE:
        assert len(seen) == 1
        return seen[0]
    assert result.fault is not None
    assert result.fault.status == 400
    assert seen == []
    return None


def names_of(seen: Seen) -> list[str]:
    return [line.partition(b":")[0].decode().lower() for line in seen.head.split(b"\r\n")[1:]]


@given(value=hostile)
@example(value="a\r\nX-Evil: 1")
@example(value="a\r\n\r\nGET /evil HTTP/1.1\r\n\r\n")
def test_a_header_value_stays_one_header(wire: Wire, value: str) -> None:
    seen = sent_once_or_refused(*wire.call(headers={"X-Data": value}))
    if seen is not None:
        assert sorted(names_of(seen)) == sorted(OURS | {"x-data"})
        assert seen.headers["x-data"] == value.strip(" \t")


@given(name=hostile)
@example(name="X-A: b\r\nX-Evil")
@example(name="content-length")
def test_a_header_name_stays_one_header(wire: Wire, name: str) -> None:
    seen = sent_once_or_refused(*wire.call(headers={name: "v"}))
    if seen is not None:
        assert set(names_of(seen)) == OURS | {name.lower()}
        assert len(names_of(seen)) == len(set(names_of(seen)))


@given(segment=hostile)
@example(segment="../admin")
@example(segment="..")
@example(segment=" HTTP/1.1\r\nX-Evil: 1\r\n")
def test_an_encoded_path_segment_stays_one_segment(wire: Wire, segment: str) -> None:
    seen = sent_once_or_refused(*wire.call(f"/pets/{quote(segment, safe='')}/photos"))
    if seen is not None:
        method, path, version = seen.line.split(" ")
        parts = path.split("/")
        assert (method, version, len(parts)) == ("POST", "HTTP/1.1", 4)
        assert (parts[1], unquote(parts[2]), parts[3]) == ("pets", segment, "photos")
        assert set(names_of(seen)) == OURS


@given(text=hostile)
@example(text="/../admin")
@example(text=" HTTP/1.1\r\nX-Evil: 1\r\n")
@example(text="@evil.example/")
def test_text_that_was_not_encoded_cannot_leave_its_line_or_host(wire: Wire, text: str) -> None:
    seen = sent_once_or_refused(*wire.call("/" + text))
    if seen is not None:
        assert len(seen.line.split(" ")) == 3
        assert set(names_of(seen)) == OURS
        assert seen.headers["host"] == f"127.0.0.1:{wire.server.port}"


@given(name=hostile, value=hostile)
def test_a_query_parameter_stays_one_parameter(wire: Wire, name: str, value: str) -> None:
    seen = sent_once_or_refused(*wire.call(query={name: value}))
    assert seen is not None
    query = seen.line.split(" ")[1].partition("?")[2]
    assert parse_qsl(query, keep_blank_values=True) == [(name, value)]


@given(token=hostile)
def test_a_token_stays_one_header(wire: Wire, token: str) -> None:
    seen = sent_once_or_refused(
        *wire.call(authentication={"scheme": "bearer", "properties": {"token": token}})
    )
    if seen is not None:
        assert sorted(names_of(seen)) == sorted(OURS | {"authorization"})


@given(fields=st.dictionaries(hostile, hostile, max_size=3))
def test_form_fields_stay_what_they_are(wire: Wire, fields: dict[str, str]) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    seen = sent_once_or_refused(*wire.call(headers=form, body=fields))
    assert seen is not None
    assert dict(parse_qsl(seen.body.decode(), keep_blank_values=True)) == fields
