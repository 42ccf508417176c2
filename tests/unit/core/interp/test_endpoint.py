"""Endpoints of `call: http`: templates are filled with the task's input, everything else is refused."""

from __future__ import annotations

from typing import Any

import pytest

from counterpoint.core.context import Invocation
from counterpoint.errors import FaultRaised
from tests.unit.core.interp.plain_context import run


async def endpoint(template: Any, value: Any) -> str:
    """Where the call goes."""
    _, context = await run(
        [{"get": {"call": "http", "with": {"method": "get", "endpoint": template}}}], value
    )
    ((_, invocation),) = context.calls
    assert isinstance(invocation, Invocation)
    return invocation.arguments["endpoint"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"id": "a"}, "https://x.example/p/a"),
        ({"id": 12}, "https://x.example/p/12"),
        ({"id": 1.5}, "https://x.example/p/1.5"),
        ({"id": True}, "https://x.example/p/true"),
        ({"id": False}, "https://x.example/p/false"),
        ({"id": None}, "https://x.example/p/"),
        ({}, "https://x.example/p/"),
        (None, "https://x.example/p/"),
        ({"id": "a/../b?c#d"}, "https://x.example/p/a%2F..%2Fb%3Fc%23d"),
        ({"id": "ä {x}"}, "https://x.example/p/%C3%A4%20%7Bx%7D"),
        ({"id": "a-._~b"}, "https://x.example/p/a-._~b"),
    ],
)
async def test_a_variable_is_one_encoded_component(value: Any, expected: str) -> None:
    assert await endpoint("https://x.example/p/{id}", value) == expected


@pytest.mark.parametrize("value", [{"id": ["a"]}, {"id": {"a": 1}}])
async def test_an_array_or_object_cannot_be_part_of_an_address(value: Any) -> None:
    with pytest.raises(FaultRaised) as caught:
        await endpoint("https://x.example/p/{id}", value)
    assert (caught.value.fault.status, caught.value.fault.instance) == (400, "/do/0/get")


async def test_an_expression_gives_the_whole_address_as_it_is() -> None:
    assert await endpoint('${ .base + "/{id}" }', {"base": "https://x.example"}) == "https://x.example/{id}"


@pytest.mark.parametrize("base", [7, None, ["https://x.example"]])
async def test_an_expression_that_gives_no_text_is_no_address(base: Any) -> None:
    with pytest.raises(FaultRaised, match="must be a string"):
        await endpoint("${ .base }", {"base": base})
