"""`counterpoint doctor`: examine database, disk and clock."""

from __future__ import annotations

import click

from counterpoint.cli.context import CommandContext
from counterpoint.cli.group import JsonCommand

UNWELL = 1


@click.command(cls=JsonCommand)
@click.pass_obj
def command(context: CommandContext) -> int:
    """Examine SQLite, its pragmas, fsync latency, disk and clock.

    Exit code 1 if anything is not as it should be.
    """
    found = context.ask("doctor.run")
    context.out.show(found, "records.findings")
    return 0 if all(item["isOk"] for item in found) else UNWELL
