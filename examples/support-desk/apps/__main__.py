"""Starts the apps: `python -m apps --database FILE`, on a free port of the loopback interface.

The first line on stdout is `{"port": N}`. The server stops on SIGTERM, on Ctrl-C, and with `--with-parent`
when its standard input ends, so that it never outlives whoever started it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from aiohttp import web
from tickets import KNOWN_ACCOUNTS, account_id

from apps.failures import Failures
from apps.server import build_server
from apps.store import Store

PLANS = ("enterprise", "business", "starter")


def main() -> None:
    parser = argparse.ArgumentParser(prog="apps", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port; a free one when 0")
    parser.add_argument("--database", type=Path, required=True, help="database file")
    parser.add_argument("--seed", type=int, default=1, help="seed of the failures")
    parser.add_argument(
        "--failures", default="[]", help="switches as JSON, as PUT /admin/failures takes them"
    )
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends")
    asyncio.run(_serve(parser.parse_args()))


async def _serve(given: argparse.Namespace) -> None:
    store, failures = Store(given.database), Failures(given.seed)
    failures.set(json.loads(given.failures))
    store.add_accounts([("unassigned", "No account", "none")])
    store.add_accounts(
        (account_id(n), f"Customer {n}", PLANS[n % len(PLANS)]) for n in range(1, KNOWN_ACCOUNTS + 1)
    )
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if given.with_parent:
        loop.add_reader(sys.stdin, lambda: sys.stdin.buffer.read1(1024) or stopped.set())
    runner = web.AppRunner(build_server(store, failures), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", given.port)
        await site.start()
        print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
        await stopped.wait()
    finally:
        await runner.cleanup()
        store.close()


if __name__ == "__main__":
    main()
