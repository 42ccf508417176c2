"""`counterpoint workflows`: what is deployed."""

from __future__ import annotations

import click

from counterpoint.cli.context import CommandContext
from counterpoint.cli.group import CommandGroup


@click.group(cls=CommandGroup)
def command() -> None:
    """List and show deployed workflows."""


@command.command(name="list")
@click.pass_obj
def list_(context: CommandContext) -> None:
    """List the active revision of each workflow."""
    context.out.show(context.ask("workflows.list"), "records.workflows")


@command.command()
@click.argument("name", metavar="NAME")
@click.option("--version", default="", help="Version to show; the active one by default.")
@click.option("--document", "is_document", is_flag=True, help="Print the document alone.")
@click.pass_obj
def show(context: CommandContext, name: str, version: str, is_document: bool) -> None:
    """Show a workflow NAME or NAMESPACE/NAME, its versions and its document."""
    from counterpoint.cli.render.text import safe_document

    detail = context.ask("workflows.show", name=name, version=version)
    if is_document and not context.is_json:
        context.out.people.print(safe_document(detail["document"]), soft_wrap=True)
        return
    context.out.show(detail, "records.workflow_detail")
