"""`counterpoint validate`: check workflow documents."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from counterpoint.cli.context import CommandContext
from counterpoint.cli.documents import Document, read_document
from counterpoint.cli.group import JsonCommand
from counterpoint.cli.session import Session
from counterpoint.errors import Problem

INVALID = 2


@click.command(cls=JsonCommand)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--strict", is_flag=True, help="Let warnings fail too.")
@click.pass_obj
def command(context: CommandContext, files: tuple[str, ...], strict: bool) -> int:
    """Check workflow documents and report all problems at once.

    Exit code 2 if any document has problems.
    """
    texts = {file: read_document(file) for file in files}

    async def work(session: Session) -> list[dict[str, Any]]:
        return [{"file": file, **await _check(context, session, text)} for file, text in texts.items()]

    results = context.within_session(work)
    is_bad = any(not result["isValid"] or (strict and result["problems"]) for result in results)
    if context.is_json:
        context.out.data(results)
    else:
        for result in results:
            _show(context, result, texts[result["file"]])
    return INVALID if is_bad else 0


async def _check(context: CommandContext, session: Session, text: str) -> dict[str, Any]:
    result: dict[str, Any] = await session.call("workflows.validate", context.params(text=text))
    return result


def _show(context: CommandContext, result: dict[str, Any], text: str) -> None:
    from counterpoint.cli.render.failures import definition_problems

    file, problems = result["file"], msgspec.convert(result["problems"], tuple[Problem, ...])
    if problems:
        context.out.people.print(definition_problems(problems, Document(file, text)))
    if result["isValid"]:
        context.out.people.print(f"{file} is valid.", style="green")
