"""A stand-in server, and the HTTP target that may call it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from counterpoint.connectors.http import HttpSettings, HttpTarget
from counterpoint.ports.connectors import AttemptResult
from tests.unit.connectors.attempts import attempt
from tests.unit.connectors.http.stand_in import StandIn

Call: TypeAlias = Callable[..., Awaitable[AttemptResult]]


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    stand_in = StandIn()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest.fixture
async def target() -> AsyncIterator[HttpTarget]:
    made = HttpTarget(HttpSettings(allow_private_hosts=("127.0.0.1",)))
    yield made
    await made.close()


@pytest.fixture
def call(server: StandIn, target: HttpTarget) -> Call:
    """Make one attempt; a path is completed to an address of the stand-in."""

    async def make(endpoint: str = "/", method: str = "GET", **arguments: Any) -> AttemptResult:
        endpoint = server.url + endpoint if endpoint.startswith("/") else endpoint
        return await target.perform(attempt("http", {"method": method, "endpoint": endpoint, **arguments}))

    return make
