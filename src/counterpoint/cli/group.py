"""The tree of commands: global options, and groups whose modules are imported when they are used."""

from __future__ import annotations

import importlib
from typing import Any

import click

from counterpoint import __version__
from counterpoint.cli.context import CommandContext

JSON_HELP = "Print results and errors as JSON."


class JsonCommand(click.Command):
    """A command that also takes `--json` after its name, where people write it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--json"],
                is_flag=True,
                expose_value=False,
                callback=_set_json,
                is_eager=True,
                help=JSON_HELP,
            )
        )


class CommandGroup(click.Group):
    """A group whose commands all take `--json`."""

    command_class = JsonCommand


class LazyGroup(click.Group):
    """A group that imports the module of a command when it is asked for.

    Args:
        modules: For each command its module and the first line of its help, so that help imports nothing.
    """

    def __init__(self, *args: Any, modules: dict[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands in the order of the table, which is the order of use."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by name."""
        if cmd_name not in self._modules:
            return None
        module = importlib.import_module(f"counterpoint.cli.commands.{self._modules[cmd_name][0]}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self._modules.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Command that the arguments begin with; an unknown one names the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], self._modules, 1) if args else []
            if close:
                raise click.UsageError(
                    f"No such command {args[0]!r}. Did you mean {close[0]!r}?", ctx
                ) from error
            raise


def _set_json(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(CommandContext).is_json = True


MODULES: dict[str, tuple[str, str]] = {
    "run": ("run", "Run a workflow and show it live."),
    "validate": ("validate", "Check workflow documents."),
    "deploy": ("deploy", "Make a workflow document available to run."),
    "workflows": ("workflows", "List and show deployed workflows."),
    "runs": ("runs", "List, follow, explain and steer runs."),
    "serve": ("serve", "Own the data directory and serve all other commands."),
    "backup": ("backup", "Copy the data directory while work goes on."),
    "doctor": ("doctor", "Examine database, disk and clock."),
    "config": ("config", "Show settings and where each comes from."),
    "actors": ("actors", "Add and list local actors."),
    "audit": ("audit", "Show who changed what."),
}


@click.command(
    cls=LazyGroup,
    modules=MODULES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, "-V", "--version", message="counterpoint %(version)s")
@click.option("--data", metavar="DIR", help="Data directory (COUNTERPOINT_DATA; default: .counterpoint).")
@click.option(
    "--config", metavar="FILE", help="Settings file (COUNTERPOINT_CONFIG; default: counterpoint.toml)."
)
@click.option("--environment", metavar="NAME", help="Environment to work in (COUNTERPOINT_ENVIRONMENT).")
@click.option(
    "--actor-token",
    envvar="COUNTERPOINT_TOKEN",
    default="",
    metavar="TOKEN",
    help="Act as the local actor with this token (COUNTERPOINT_TOKEN; safer there).",
)
@click.option("--json", is_flag=True, expose_value=False, callback=_set_json, is_eager=True, help=JSON_HELP)
@click.pass_obj
def root(
    context: CommandContext, data: str | None, config: str | None, environment: str | None, actor_token: str
) -> None:
    """Counterpoint runs durable workflows.

    Without an owner (`counterpoint serve`) a command becomes one for its duration.
    """
    context.options = {"data": data, "config": config, "environment": environment}
    context.token = actor_token
