"""`counterpoint deploy`: make a workflow document available to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from counterpoint.cli.context import CommandContext
from counterpoint.cli.documents import STDIN, Document, read_document
from counterpoint.cli.group import JsonCommand


@click.command(cls=JsonCommand)
@click.argument("file", metavar="FILE")
@click.option(
    "--dev", is_flag=True, help="For development: may be replaced by the same version with other content."
)
@click.option("--dry-run", is_flag=True, help="Say what would happen; store nothing.")
@click.pass_obj
def command(context: CommandContext, file: str, dev: bool, dry_run: bool) -> None:
    """Deploy a workflow document as a closed revision; - reads it from stdin."""
    parameters = deploy_parameters(context, file, is_dev=dev, is_dry_run=dry_run)
    context.out.show(context.ask("workflows.deploy", **parameters), "records.deployment")


def deploy_parameters(
    context: CommandContext, file: str, *, is_dev: bool, is_dry_run: bool = False
) -> dict[str, Any]:
    """Parameters that deploy a file; messages about it will show its lines from now on."""
    text = read_document(file)
    context.document = Document(file, text)
    # A token says nothing about rights on files, so its bearer may not have the owner read any.
    has_folder = file != STDIN and not context.token
    folder = str(Path(file).resolve().parent) if has_folder else ""
    return context.params(text=text, folder=folder, isDev=is_dev, isDryRun=is_dry_run)


def tell_warnings(context: CommandContext, result: dict[str, Any]) -> None:
    """Show the warnings of a deploy on stderr."""
    if result.get("warnings") and not context.is_json:
        from counterpoint.cli.render.records import warning_lines

        context.out.notes.print(warning_lines(result["warnings"]))
