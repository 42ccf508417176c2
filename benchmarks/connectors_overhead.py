"""Cost of a call: an in-process action in microseconds, HTTP in calls per second to a local echo server.

The echo server is another process that answers from a few lines of asyncio, so that the figures are those of
the caller. For comparison the same request is made with bare aiohttp, without preparation, guard and
classification.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection

import aiohttp
import uvloop

from benchmarks.report import publish
from counterpoint import ActionContext, Connector
from counterpoint.connectors.actions import RegisteredActions
from counterpoint.connectors.http import HttpSettings, HttpTarget
from counterpoint.connectors.hub import ConnectorHub
from counterpoint.core.context import Invocation
from counterpoint.core.values import Scope
from counterpoint.ports.connectors import Attempt

REPETITIONS = 5
ACTIONS = 100_000
HTTP_CALLS = 8_000
IN_FLIGHT = 100

connector = Connector("bench")


@connector.action()
async def untyped(ctx: ActionContext, value):  # type: ignore[no-untyped-def]
    return value


@connector.action()
async def typed(ctx: ActionContext, value: int) -> dict[str, int]:
    return {"value": value}


class Echo(asyncio.Protocol):
    """Answers every request with its body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection's transport."""
        self.transport = transport
        self.pending = b""

    def data_received(self, data: bytes) -> None:
        """Answer what is complete and keep the rest."""
        self.pending += data
        while (end := self.pending.find(b"\r\n\r\n")) >= 0:
            head = self.pending[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.pending) < end + 4 + length:
                return
            body = self.pending[end + 4 : end + 4 + length]
            self.pending = self.pending[end + 4 + length :]
            self.transport.write(  # type: ignore[attr-defined]
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (length, body)
            )


def serve(pipe: Connection) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        server.close()

    uvloop.run(main())


def attempt(target: str, arguments: dict[str, object]) -> Attempt:
    invocation = Invocation(target, arguments, "/do/0/step", "step")
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    key = "mfrggzdfmztwq2lknnwg23tpobyxe43u"
    return Attempt(
        Scope("bench"), "run", "flow", "step", 1, invocation, key, "Idempotency-Key", "chain", trace
    )


async def action_us(hub: ConnectorHub, target: str) -> float:
    made = attempt(target, {"value": 1})
    started = time.perf_counter()
    for _ in range(ACTIONS):
        hub.describe(made.invocation)
        await hub.perform(made)
    return (time.perf_counter() - started) / ACTIONS * 1e6


async def calls_per_s(call: Callable[[], Awaitable[object]]) -> float:
    async def caller() -> None:
        for _ in range(HTTP_CALLS // IN_FLIGHT):
            await call()

    await asyncio.gather(*(call() for _ in range(IN_FLIGHT)))
    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    return HTTP_CALLS / (time.perf_counter() - started)


async def measure(port: int) -> None:
    settings = HttpSettings(allow_private_hosts=("127.0.0.1",))
    hub = ConnectorHub(RegisteredActions([connector]), HttpTarget(settings))
    for name in ("untyped", "typed"):
        publish(
            f"connectors.{name}_action.us",
            [await action_us(hub, f"bench.{name}") for _ in range(REPETITIONS)],
            "µs",
        )
    url = f"http://127.0.0.1:{port}/echo"
    body = {"id": 7, "title": "A ticket", "tags": ["a", "b"]}
    made = attempt("http", {"method": "POST", "endpoint": url, "body": body, "output": "content"})

    async def ours() -> None:
        result = await hub.perform(made)
        if result.value != body:
            raise SystemExit(f"the echo is not what was sent: {result}")

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1000)) as session:

        async def bare() -> None:
            async with session.post(url, json=body) as response:
                await response.json()

        speeds = [(await calls_per_s(ours), await calls_per_s(bare)) for _ in range(REPETITIONS)]
    publish("connectors.http.calls_per_s", [speed for speed, _ in speeds], "calls/s")
    publish("connectors.bare_aiohttp.calls_per_s", [speed for _, speed in speeds], "calls/s")
    await hub.close()


def main() -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    uvloop.run(measure(ours.recv()))
    ours.send("stop")
    server.join()


if __name__ == "__main__":
    main()
