"""`counterpoint actors`: local actors and their tokens."""

from __future__ import annotations

import click

from counterpoint.cli.context import CommandContext
from counterpoint.cli.group import CommandGroup


@click.group(cls=CommandGroup)
def command() -> None:
    """Add, list and disable local actors."""


@command.command()
@click.argument("name", metavar="NAME")
@click.pass_obj
def add(context: CommandContext, name: str) -> None:
    """Add a local actor and print its token, this once."""
    added = context.ask("actors.add", name=name)
    if context.is_json:
        context.out.data(added)
        return
    context.out.note(
        f"Actor {added['name']} was added. Its token is shown this once; pass it as COUNTERPOINT_TOKEN:"
    )
    context.out.people.print(added["token"], soft_wrap=True)


@command.command(name="list")
@click.pass_obj
def list_(context: CommandContext) -> None:
    """List local actors."""
    context.out.show(context.ask("actors.list"), "records.actors")


@command.command()
@click.argument("name", metavar="NAME")
@click.pass_obj
def disable(context: CommandContext, name: str) -> None:
    """Make an actor's token worthless, at once."""
    context.ask("actors.disable", name=name)
    if context.is_json:
        context.out.data({"name": name, "isDisabled": True})
    else:
        context.out.note(f"Actor {name} was disabled.")
