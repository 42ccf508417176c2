"""`counterpoint serve`: own the data directory and serve all other commands."""

from __future__ import annotations

import asyncio
import os
import signal

import click

from counterpoint import __version__
from counterpoint.cli.context import CommandContext, run_loop
from counterpoint.cli.frames import SOCKET_NAME
from counterpoint.cli.group import JsonCommand


@click.command(cls=JsonCommand)
@click.pass_obj
def command(context: CommandContext) -> None:
    """Own the data directory: run workflows and serve all other commands until SIGTERM or Ctrl-C.

    Logs go to stderr; the line with event `ready` says that commands are taken.
    """
    run_loop(_serve(context))


async def _serve(context: CommandContext) -> None:
    from counterpoint.cli.logs import configure_logs
    from counterpoint.cli.owner import Owner
    from counterpoint.ports.logs import Log

    settings = context.loaded.settings
    configure_logs("json" if context.is_json else settings.log.format, settings.log.level)
    log = Log("counterpoint.serve")
    # Before the product opens: a signal during recovery must stop it in order too.
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    owner = await Owner.open(settings, context.token, serve=True)
    try:
        log.info(
            "ready",
            version=__version__,
            data=str(settings.data),
            environment=settings.environment,
            socket=str(settings.data / SOCKET_NAME),
            pid=os.getpid(),
            actor=owner.actor,
        )
        await stopped.wait()
        log.info("stopping")
    finally:
        await owner.close()
    log.info("stopped")
