"""Three HTTP calls a run to a local echo server in a process of its own, 100 runs in flight."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop
from aiohttp import web
from engine_stand import stand
from engine_three_steps import throughput
from report import publish

FLIGHT = 100
RUNS = 3_000
REPEATS = 5

STEP = """
  - {name}:
      call: http
      with:
        method: post
        endpoint: 'http://127.0.0.1:{{port}}/echo'
        body: '${{ {{ n: .n }} }}'
      output: {{ as: '${{ $input + {{ n: (.n + 1) }} }}' }}"""

DOCUMENT = """
document:
  dsl: '1.0.3'
  namespace: bench
  name: three-http
  version: '1.0.0'
do:""" + "".join(STEP.format(name=name) for name in ("one", "two", "three"))


async def _echo(request: web.BaseRequest) -> web.Response:
    return web.Response(body=await request.read(), content_type="application/json")


async def _serve(listener: socket.socket) -> None:
    runner = web.ServerRunner(web.Server(_echo))
    await runner.setup()
    await web.SockSite(runner, listener).start()
    await asyncio.Event().wait()


def _serve_forever(ready: Connection) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    ready.send(listener.getsockname()[1])
    uvloop.run(_serve(listener))


async def measure(folder: Path, port: int) -> list[float]:
    """Runs a second, several times."""
    async with stand(folder, [DOCUMENT]) as on:
        await throughput(on, 500, FLIGHT, "three-http", {"n": 0, "port": port})
        return [
            await throughput(on, RUNS, FLIGHT, "three-http", {"n": 0, "port": port}) for _ in range(REPEATS)
        ]


def main() -> None:
    """Start the echo server, measure, end it."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve_forever, args=(theirs,), daemon=True)
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            publish(
                "engine.three_http.runs_per_s",
                uvloop.run(measure(Path(folder) / "data", ours.recv())),
                "runs/s",
            )
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
