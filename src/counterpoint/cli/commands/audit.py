"""`counterpoint audit`: who changed what."""

from __future__ import annotations

import click

from counterpoint.cli.context import CommandContext
from counterpoint.cli.group import CommandGroup


@click.group(cls=CommandGroup)
def command() -> None:
    """Show who changed what."""


@command.command(name="list")
@click.option("--limit", default=50, type=click.IntRange(1, 1000), show_default=True, help="Rows to show.")
@click.option("--before", default=0, type=click.IntRange(0), help="Show rows older than this number.")
@click.pass_obj
def list_(context: CommandContext, limit: int, before: int) -> None:
    """List changes, newest first."""
    context.out.show(context.ask("audit.list", limit=limit, before=before), "records.audit")
