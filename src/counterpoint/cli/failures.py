"""The one boundary of the command line: a failure becomes a message and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import click
import msgspec

from counterpoint.cli.bugs import FILE_NAME, record_bug
from counterpoint.cli.context import CommandContext
from counterpoint.cli.output import write_json
from counterpoint.cli.problems import internal_problem, problem_of
from counterpoint.core.values import JsonValue
from counterpoint.errors import CounterpointError, treatment_of

USAGE = 2
INTERNAL = 70
INTERRUPTED = 130
BROKEN_PIPE = 141


def guarded(context: CommandContext, command: Callable[[], int]) -> int:
    """Exit code of a command; whatever it raises is told on stderr.

    Args:
        context: What is known about the invocation.
        command: The command; gives its own exit code.
    """
    try:
        code = command()
        sys.stdout.flush()
        return code
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        _tell_usage(context, error)
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        _tell(context, {"code": "interrupted", "detail": context.interruption}, context.interruption)
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return BROKEN_PIPE
    except CounterpointError as error:
        _tell_error(context, error)
        return treatment_of(error).exit_code
    except Exception as error:  # noqa: BLE001 - the last boundary: a bug must not show its traceback
        _tell_bug(context, error)
        return INTERNAL


def _tell_usage(context: CommandContext, error: click.ClickException) -> None:
    where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "counterpoint"
    hint = f"`{where} --help` shows how it is used."
    detail = error.format_message()
    _tell(context, {"code": "usage", "detail": detail, "hint": hint}, f"{detail}\n→ {hint}")


def _tell_error(context: CommandContext, error: CounterpointError) -> None:
    if context.is_json:
        write_json(sys.stderr, msgspec.json.encode(problem_of(error)))
        return
    # Imported here: rich costs more than all of the command that --json runs.
    from counterpoint.cli.render.failures import failure

    context.out.notes.print(failure(error, context.document))


def _tell_bug(context: CommandContext, error: Exception) -> None:
    folder = context.data
    reference = record_bug(error, folder)
    if context.is_json:
        write_json(sys.stderr, msgspec.json.encode(internal_problem(reference)))
        return
    from counterpoint.cli.render.failures import bug

    context.out.notes.print(bug(reference, str(folder / FILE_NAME)))


def _tell(context: CommandContext, problem: dict[str, JsonValue], text: str) -> None:
    if context.is_json:
        write_json(sys.stderr, msgspec.json.encode(problem))
    else:
        from counterpoint.cli.render.text import safe

        sys.stderr.write("".join(f"{safe(line)}\n" for line in text.splitlines()))


def _silence_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's flush at its end does not fail once more."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, sys.stdout.fileno())
    finally:
        os.close(nothing)
