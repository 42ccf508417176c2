"""`counterpoint backup`: copy the data directory while work goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from counterpoint.cli.context import CommandContext
from counterpoint.cli.group import JsonCommand
from counterpoint.cli.session import Session


@click.command(cls=JsonCommand)
@click.argument("target", metavar="FOLDER", type=click.Path(path_type=Path))
@click.pass_obj
def command(context: CommandContext, target: Path) -> None:
    """Copy everything to a new FOLDER, consistently, and check the copy."""
    from counterpoint.cli.render.records import backup_progress

    async def work(session: Session) -> dict[str, Any]:
        last: dict[str, Any] = {}
        async for item in session.stream("backup.create", context.params(target=str(target.absolute()))):
            last = item
            if not context.is_json:
                context.out.notes.print(
                    backup_progress(item), end="\r" if context.out.notes.is_terminal else "\n"
                )
        return last

    done = context.within_session(work)
    if context.is_json:
        context.out.data(done)
    else:
        context.out.people.print(f"The backup is complete: {target}")
