"""`counterpoint run`: run a workflow and show it live."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from counterpoint.cli.commands.deploy import deploy_parameters, tell_warnings
from counterpoint.cli.context import CommandContext
from counterpoint.cli.documents import read_input
from counterpoint.cli.following import follow_run, tell_result, tell_where_it_goes_on
from counterpoint.cli.group import JsonCommand
from counterpoint.cli.session import Session
from counterpoint.core.values import JsonValue

SUFFIXES = (".yaml", ".yml", ".json")


@click.command(cls=JsonCommand)
@click.argument("workflow", metavar="FILE|NAME")
@click.option("-i", "--input", "source", metavar="FILE", help="Input as a JSON file, or - for stdin.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Set a member of the input.")
@click.option("--version", default="", help="Version to run; the active one by default.")
@click.option("--detach", is_flag=True, help="Print the run's id and return at once.")
@click.pass_obj
def command(
    context: CommandContext,
    workflow: str,
    source: str | None,
    assignments: tuple[str, ...],
    version: str,
    detach: bool,
) -> int:
    """Run a workflow: a FILE, which is deployed for development first, or a deployed NAME.

    Progress goes to stderr, the output as JSON to stdout. Exit code: 0 completed, 1 faulted, 3 cancelled,
    4 suspended.
    """
    value = read_input(source, assignments)
    is_file = _is_file(workflow)
    if is_file and version:
        raise click.UsageError("--version goes with the name of a workflow; a file has its own.")
    document = deploy_parameters(context, workflow, is_dev=True) if is_file else None

    async def work(session: Session) -> int:
        name, chosen = workflow, version
        if document is not None:
            deployed = await session.call("workflows.deploy", document)
            tell_warnings(context, deployed)
            name, chosen = f"{deployed['namespace']}/{deployed['name']}", deployed["version"]
        return await _start(context, session, {"workflow": name, "version": chosen, "input": value}, detach)

    return context.within_session(work)


async def _start(
    context: CommandContext, session: Session, request: dict[str, JsonValue], is_detached: bool
) -> int:
    started: dict[str, Any] = await session.call("runs.start", context.params(**request))
    run_id = started["runId"]
    if not started.get("isNew", True):
        context.out.note(f"The start key names a run that exists: {run_id}.")
    if is_detached:
        tell_where_it_goes_on(context, session, run_id)
        if context.is_json:
            context.out.data(started)
        else:
            context.out.people.print(run_id, soft_wrap=True)
        return 0
    context.interruption = _interruption(run_id, session.is_owner)
    return tell_result(context, await follow_run(context, session, run_id))


def _interruption(run_id: str, is_owner: bool) -> str:
    if is_owner:
        return f"Run {run_id} is stored and goes on with the next owner: `counterpoint serve`."
    return f"Run {run_id} goes on without this command: `counterpoint runs watch {run_id}`."


def _is_file(workflow: str) -> bool:
    """Whether the argument means a file: by its ending, or because one is there. Names may hold one slash."""
    return workflow == "-" or workflow.endswith(SUFFIXES) or Path(workflow).is_file()
