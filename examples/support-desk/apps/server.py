"""The HTTP server of the apps."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from apps.balance import balance_of
from apps.failures import Failures, Switch
from apps.store import KINDS, Arrival, Store

Make = Callable[[web.Request, dict[str, Any]], dict[str, Any]]

STORE = web.AppKey("store", Store)
FAILURES = web.AppKey("failures", Failures)
UNDER_WAY = web.AppKey("under_way", set[tuple[str, str]])


def build_server(store: Store, failures: Failures) -> web.Application:
    """The apps and their administration.

    Args:
        store: Where they keep everything.
        failures: Switches that make them fail.
    """
    server = web.Application(middlewares=[_recorded])
    server[STORE], server[FAILURES], server[UNDER_WAY] = store, failures, set()
    server.add_routes(
        [
            web.post("/ticketing/issues", _maker("issue", "title")),
            web.get("/ticketing/issues/{number:[0-9]+}", _shown("issue")),
            web.patch("/ticketing/issues/{number:[0-9]+}", _change_issue),
            web.get("/crm/accounts/{id}", _show_account),
            web.post("/crm/accounts/{id}/notes", _maker("note", "text")),
            web.post("/chat/channels/{name}/messages", _maker("message", "text")),
            web.post("/incidents", _maker("incident", "title")),
            web.get("/incidents/{number:[0-9]+}", _shown("incident")),
            web.put("/admin/failures", _set_failures),
            web.get("/admin/figures", _show_figures),
            web.get("/admin/balance", _show_balance),
            web.post("/admin/balance", _show_balance),
        ]
    )
    return server


def _problem(status: int, title: str, **headers: str) -> web.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"title": title, "status": status}
    return web.json_response(body, status=status, headers=named, content_type="application/problem+json")


@web.middleware
async def _recorded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Record each request, and let it fail if a switch says so."""
    if request.path.startswith("/admin/"):
        return await handler(request)
    store, key = request.app[STORE], request.headers.get("Idempotency-Key", "")
    text = await request.text()
    arrival = Arrival(
        method=request.method,
        path=request.path,
        key=key,
        ticket=_ticket_of(text),
        correlation=request.headers.get("X-Correlation-Id", ""),
        traceparent=request.headers.get("traceparent", ""),
    )
    number, seen = store.record(arrival)
    request["number"] = number
    switch = request.app[FAILURES].strike(request.method, request.path, arrival.ticket, seen)
    if switch is not None and switch.kind in _REFUSALS:
        response: web.StreamResponse = _REFUSALS[switch.kind](switch)
    else:
        response = await _answered(request, handler, switch)
    is_lost = switch is not None and switch.kind == "lostReply"
    replayed = response.headers.get("Idempotent-Replayed") == "true"
    store.settle(number, 0 if is_lost else response.status, switch.kind if switch else "", replayed)
    if is_lost and request.transport is not None:
        # The effect is committed; whoever asked will never hear of it.
        request.transport.abort()
    return response


def _ticket_of(text: str) -> str:
    try:
        body = json.loads(text)
    except ValueError:
        return ""
    return str(body.get("reference", "")) if isinstance(body, dict) else ""


async def _answered(
    request: web.Request,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    switch: Switch | None,
) -> web.StreamResponse:
    """The handler's answer, held back while a switch says so; its key is taken all that time."""
    key = request.headers.get("Idempotency-Key", "")
    # Without a key each request is one of its own.
    claim = (key or f"request {request['number']}", request.path)
    under_way = request.app[UNDER_WAY]
    if claim in under_way:
        return _problem(409, "a request with this key is under way", Retry_After="1")
    under_way.add(claim)
    try:
        response = await handler(request)
        if switch is not None and switch.kind == "slow":
            await asyncio.sleep(switch.delay_ms / 1000)
        return response
    finally:
        under_way.discard(claim)


_REFUSALS: dict[str, Callable[[Switch], web.Response]] = {
    "unavailable": lambda _: _problem(503, "down for a moment"),
    "throttled": lambda switch: _problem(429, "too many requests", Retry_After=str(switch.retry_after_s)),
    "unauthorized": lambda _: _problem(401, "the credential has expired", WWW_Authenticate="Bearer"),
}


async def _body_of(request: web.Request, *required: str) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError as error:
        raise web.HTTPBadRequest(reason="the body is no JSON") from error
    if not isinstance(body, dict) or any(not isinstance(body.get(name), str) for name in required):
        raise web.HTTPBadRequest(reason=f"the body is no object with {', '.join(required)}")
    return body


def _maker(kind: str, *required: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Handler that makes a thing, once for each idempotency key."""

    async def make(request: web.Request) -> web.Response:
        body = await _body_of(request, "reference", *required)
        body.update(request.match_info)
        if kind == "note" and request.app[STORE].account(request.match_info["id"]) is None:
            return _problem(404, "no such account")
        store, key = request.app[STORE], request.headers.get("Idempotency-Key", "")
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        if key and (earlier := store.answer(key, request.path)) is not None:
            if earlier.digest != digest:
                return _problem(422, "this key was used for another request")
            headers = {"Idempotent-Replayed": "true"}
            return web.json_response(text=earlier.body, status=earlier.status, headers=headers)
        thing = store.make(kind, body, request["number"], (key, request.path, digest) if key else None)
        return web.json_response(thing, status=201)

    return make


def _shown(kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def show(request: web.Request) -> web.Response:
        thing = request.app[STORE].thing(kind, int(request.match_info["number"]))
        return _problem(404, f"no such {kind}") if thing is None else web.json_response(thing)

    return show


async def _change_issue(request: web.Request) -> web.Response:
    changes = await _body_of(request)
    thing = request.app[STORE].change("issue", int(request.match_info["number"]), changes)
    return _problem(404, "no such issue") if thing is None else web.json_response(thing)


async def _show_account(request: web.Request) -> web.Response:
    account = request.app[STORE].account(request.match_info["id"])
    return _problem(404, "no such account") if account is None else web.json_response(account)


async def _set_failures(request: web.Request) -> web.Response:
    try:
        request.app[FAILURES].set(await request.json())
    except (ValueError, TypeError) as error:
        return _problem(422, str(error))
    return web.Response(status=204)


async def _show_figures(request: web.Request) -> web.Response:
    figures = request.app[STORE].figures()
    return web.json_response({**figures, "underWay": len(request.app[UNDER_WAY])})


async def _show_balance(request: web.Request) -> web.Response:
    """Counts and doubles; with a body that names the expected references, also what is lost."""
    store = request.app[STORE]
    found = {kind: store.references(kind) for kind in KINDS}
    expected = await request.json() if request.method == "POST" else found
    return web.json_response(balance_of(found, expected))
