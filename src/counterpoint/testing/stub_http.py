"""A real HTTP server on loopback that stands in for the hosts of a conformance case or a flow test."""

from __future__ import annotations

import base64
from typing import Any

from aiohttp import web
from msgspec import UNSET
from yarl import URL

from counterpoint.core.values import decode_json, encode_json
from counterpoint.testing.conformance import HttpCall, Reply, Route


class StubHttp:
    """Serves routes and keeps what it was asked; use it as an asynchronous context manager.

    Args:
        routes: What to answer; a request that fits none gets 404, and is kept all the same.
    """

    def __init__(self, routes: list[Route] | None = None) -> None:
        self.routes = list(routes or ())
        self.calls: list[HttpCall] = []
        self._served: dict[tuple[str, str, str], int] = {}
        self._runner: web.ServerRunner | None = None
        self._port = 0

    async def __aenter__(self) -> StubHttp:
        runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._runner = runner
        self._port = runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def reset(self, routes: list[Route]) -> None:
        """Serve other routes and forget all requests."""
        self.routes = list(routes)
        self.calls = []
        self._served = {}

    def rewrite(self, url: URL) -> URL:
        """Address at this server for an address anywhere; the `Host` header says which host was meant."""
        path, query = url.raw_path, url.raw_query_string
        return URL.build(
            scheme="http", host="127.0.0.1", port=self._port, path=path, query_string=query, encoded=True
        )

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        host = request.headers.get("Host", "").partition(":")[0]
        path = request.rel_url.raw_path
        self.calls.append(await _call_of(request, host, path))
        for route in self.routes:
            if (route.method, route.host, route.path) == (request.method, host, path):
                if any(request.headers.get(name) != value for name, value in route.headers.items()):
                    return web.Response(status=401)
                return self._reply(request, route)
        return web.Response(status=404)

    def _reply(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        key = (route.method, route.host, route.path)
        number = self._served.get(key, 0)
        self._served[key] = number + 1
        replies = [reply for reply in route.replies for _ in range(reply.times)]
        reply = replies[min(number, len(replies) - 1)]
        if reply.drop:
            transport = request.transport
            if transport is not None:
                transport.abort()
        return _response_of(reply)


async def _call_of(request: web.BaseRequest, host: str, path: str) -> HttpCall:
    data = await request.read()
    query: dict[str, list[str]] = {}
    for name, value in request.rel_url.query.items():
        query.setdefault(name, []).append(value)
    headers = {name.lower(): value for name, value in request.headers.items()}
    body: Any = None
    if data and "json" in headers.get("content-type", ""):
        body = decode_json(data)
    return HttpCall(request.method, host, path, query, headers, body, data.decode("utf-8", "replace"))


def _response_of(reply: Reply) -> web.Response:
    headers = dict(reply.headers)
    data: bytes | None = None
    if reply.text is not None:
        data = reply.text.encode()
    elif reply.base64 is not None:
        data = base64.b64decode(reply.base64)
    elif reply.body is not UNSET:
        data = encode_json(reply.body)
        headers.setdefault("Content-Type", "application/json")
    return web.Response(status=reply.status, headers=headers, body=data)
