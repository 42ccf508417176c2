"""`counterpoint config`: settings and where each comes from."""

from __future__ import annotations

import click

from counterpoint.cli.context import CommandContext
from counterpoint.cli.group import CommandGroup
from counterpoint.settings import values_of


@click.group(cls=CommandGroup)
def command() -> None:
    """Show settings."""


@command.command()
@click.pass_obj
def explain(context: CommandContext) -> None:
    """Show each setting, its value and its source: default, file, environment or option."""
    loaded = context.loaded
    rows = [
        {"key": key, "value": value, "source": loaded.origins[key].kind, "name": loaded.origins[key].name}
        for key, value in values_of(loaded.settings).items()
    ]
    context.out.show(rows, "records.settings")
