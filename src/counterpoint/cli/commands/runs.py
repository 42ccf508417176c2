"""`counterpoint runs`: list, follow, explain and steer runs."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import click

from counterpoint.cli.context import CommandContext
from counterpoint.cli.following import EXIT_CODES, follow_run, tell_result, tell_where_it_goes_on
from counterpoint.cli.group import CommandGroup
from counterpoint.cli.session import Session
from counterpoint.core.values import JsonValue

STATUSES = ("pending", "running", "waiting", "suspended", "cancelled", "faulted", "completed")
NOT_ALL = 1

run_argument = click.argument("run_id", metavar="RUN")
reason_option = click.option("--reason", default="", help="Why; kept in the history.")
wait_option = click.option("--wait", "is_followed", is_flag=True, help="Follow the run to its end.")


@click.group(cls=CommandGroup)
def command() -> None:
    """List, follow, explain and steer runs.

    RUN is the id of a run or a beginning of it that only one run has.
    """


@command.command(name="list")
@click.option("--workflow", default="", metavar="NAME", help="Runs of this workflow only.")
@click.option(
    "--status", default="", type=click.Choice(["", *STATUSES]), metavar="STATUS", help="In this status."
)
@click.option("--limit", default=20, type=click.IntRange(1, 500), show_default=True, help="Runs to show.")
@click.option("--before", default="", metavar="CURSOR", help="Go on after a page.")
@click.option("--stuck", is_flag=True, help="Group faulted and paused runs by cause.")
@click.pass_obj
def list_(context: CommandContext, workflow: str, status: str, limit: int, before: str, stuck: bool) -> None:
    """List runs, newest first; with --stuck what needs a person, by cause."""
    if stuck:
        context.out.show(context.ask("runs.stuck"), "runs.stuck_groups")
        return
    query: dict[str, JsonValue] = {"workflow": workflow, "status": status, "limit": limit, "before": before}
    context.out.show(context.ask("runs.list", **query), "runs.run_list")


@command.command()
@run_argument
@click.pass_obj
def show(context: CommandContext, run_id: str) -> None:
    """Show a run with its steps, input and output."""
    context.out.show(context.ask("runs.show", id=run_id), "runs.run_detail")


@command.command()
@run_argument
@click.pass_obj
def watch(context: CommandContext, run_id: str) -> int:
    """Follow a run from now on until it ends or pauses.

    With --json each event is one line. The exit code is that of `run`.
    """

    async def work(session: Session) -> int:
        context.interruption = "The run goes on without this command."
        if not context.is_json:
            return tell_result(context, await follow_run(context, session, run_id))
        async with aclosing(session.stream("runs.watch", context.params(id=run_id))) as events:
            async for event in events:
                context.out.item(event, "progress.event_line")
        result: dict[str, Any] = await session.call("runs.wait", context.params(id=run_id))
        return EXIT_CODES.get(result["status"], 1)

    return context.within_session(work)


@command.command()
@run_argument
@click.pass_obj
def explain(context: CommandContext, run_id: str) -> None:
    """Say why a run is where it is: trigger, choices with their values, attempts, and what to do next."""
    context.out.show(context.ask("runs.explain", id=run_id), "runs.explanation")


@command.command()
@run_argument
@click.pass_obj
def effects(context: CommandContext, run_id: str) -> None:
    """List what a run did outside: done, not done or unknown, and what to do about it."""
    context.out.show(context.ask("runs.effects", id=run_id), "runs.effect_report")


@command.command()
@run_argument
@click.option("--after", default=0, type=click.IntRange(0), help="Rows after this number.")
@click.option("--limit", default=100, type=click.IntRange(1, 1000), show_default=True, help="Rows to show.")
@click.pass_obj
def history(context: CommandContext, run_id: str, after: int, limit: int) -> None:
    """Show the recorded rows of a run."""
    context.out.show(context.ask("runs.history", id=run_id, after=after, limit=limit), "runs.history")


@command.command()
@run_argument
@click.pass_obj
def verify(context: CommandContext, run_id: str) -> int:
    """Recompute a run's digest chain from the stored bytes; exit code 1 if it is broken."""
    result = context.ask("runs.verify", id=run_id)
    context.out.show(result, "runs.verification")
    return 0 if result["isIntact"] else NOT_ALL


@command.command()
@run_argument
@reason_option
@click.pass_obj
def cancel(context: CommandContext, run_id: str, reason: str) -> int:
    """Cancel a run; effects already made stay."""
    return _steer(context, "runs.cancel", {"id": run_id, "reason": reason}, False)


@command.command()
@run_argument
@reason_option
@click.pass_obj
def suspend(context: CommandContext, run_id: str, reason: str) -> int:
    """Halt a run until it is resumed."""
    return _steer(context, "runs.suspend", {"id": run_id, "reason": reason}, False)


@command.command()
@run_argument
@wait_option
@click.pass_obj
def resume(context: CommandContext, run_id: str, is_followed: bool) -> int:
    """Let a suspended run go on."""
    return _steer(context, "runs.resume", {"id": run_id}, is_followed)


@command.command()
@click.argument("run_id", metavar="[RUN]", default="")
@wait_option
@click.option("--stuck", is_flag=True, help="Retry all runs that are stuck for one cause, one first.")
@click.option("--cause", default="", metavar="GROUP", help="The cause, as `runs list --stuck` names it.")
@click.option(
    "--rate", default=10.0, type=click.FloatRange(0.01, 1000), show_default=True, help="Runs per second."
)
@click.option("--limit", default=0, type=click.IntRange(0), help="Most runs; 0 for all.")
@click.pass_obj
def retry(context: CommandContext, /, run_id: str, is_followed: bool, stuck: bool, **bulk: Any) -> int:
    """Try the failed steps of a run again, with the same keys; with --stuck of all runs of one cause."""
    if stuck:
        if not bulk["cause"] or run_id:
            raise click.UsageError("--stuck goes with --cause GROUP; `runs list --stuck` names the groups.")
        return _retry_stuck(context, bulk)
    if not run_id or bulk["cause"]:
        raise click.UsageError("Name a run, or use --stuck with --cause.")
    return _steer(context, "runs.retry", {"id": run_id}, is_followed)


def _steer(context: CommandContext, name: str, request: dict[str, JsonValue], is_followed: bool) -> int:
    """Exit code of a command to one run."""

    async def work(session: Session) -> int:
        record: dict[str, Any] = await session.call(name, context.params(**request))
        if is_followed:
            context.interruption = f"Run {record['id']} goes on without this command."
            return tell_result(context, await follow_run(context, session, record["id"]))

        context.out.show(record, "runs.steered")
        if record["status"] in {"pending", "running", "waiting"}:
            tell_where_it_goes_on(context, session, record["id"])
        return 0

    return context.within_session(work)


def _retry_stuck(context: CommandContext, request: dict[str, JsonValue]) -> int:
    """Exit code of a bulk retry: 0 when the first run passed and none was refused."""

    async def work(session: Session) -> int:
        last: dict[str, Any] = {}
        async with aclosing(session.stream("runs.retryBulk", context.params(**request))) as items:
            async for item in items:
                last = item
                context.out.item(item, "runs.bulk_progress")
        return 0 if last.get("kind") == "finished" and not last.get("refused") else NOT_ALL

    return context.within_session(work)
