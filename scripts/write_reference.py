"""Writes the pages of the reference that the code itself knows best: errors, settings, command line.

`make docs` calls it; a test compares the pages with what it would write, so that they stay true.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from counterpoint import settings
from counterpoint.cli.group import root as root_command
from counterpoint.errors import ERROR_BASE, LEAVES, STANDARD_FAULTS

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"

WHAT_TO_DO = {
    "definition": "fix the document; each problem has its place and a hint",
    "fault": "see the cause: `counterpoint runs explain`",
    "retryable": "wait, or retry the run",
    "throttled": "wait, or lower the concurrency",
    "authentication": "renew the credential, then resume the run",
    "permanent": "change the call or its data",
    "invalidRequest": "fix the request",
    "notFound": "the hint lists what there is",
    "conflict": "look at the thing first: `show`",
    "notAuthenticated": "give a token, or ask as the user who owns the data directory",
    "notAuthorized": "ask as another actor",
    "limitExceeded": "wait, or raise the limit in the settings",
    "unsupported": "the message says what to use instead",
    "nonDeterminism": "nothing was lost: keep the data and report it",
    "historyCorrupt": "restore a backup; `counterpoint doctor` looks for the reason",
    "lockLost": "use the process that owns the directory, or end it",
    "storage": "`counterpoint doctor` tells what is wrong with the disk",
}


def meaning(thing: Any) -> str:
    """First line of a docstring as a cell of a table."""
    return (inspect.getdoc(thing) or "").splitlines()[0].replace("|", "\\|")


def errors_page() -> str:
    """Every error with its exit code and status, and the standard faults."""
    errors = "\n".join(
        f"| `{kind.code}` | {row.exit_code} | {row.http_status} | {meaning(kind)} | {WHAT_TO_DO[kind.code]} |"
        for kind, row in LEAVES.items()
    )
    faults = "\n".join(
        f"| `{name}` | {status} | {title} |" for name, (title, status) in STANDARD_FAULTS.items()
    )
    return f"""# Errors

Every error has a stable code. The command line ends with its exit code and says what failed, where, and
what to do; with `--json` it gives the same as problem details (RFC 9457) with the status given here.

| Code | Exit code | Status | Meaning | What to do |
| --- | --- | --- | --- | --- |
{errors}

Anything else is a bug: exit code 70, one sentence with a reference, and the details in a file in the data
directory. A traceback is never printed.

## Faults

A fault is an error in the terms of the workflow language: type, status, title, detail, and its place in
the document as `instance`. A `try` catches it; otherwise the run is faulted. The standard types lie below
`{ERROR_BASE}`; the three other spellings of that
address mean the same when a `catch` filters.

| Type | Usual status | Title |
| --- | --- | --- |
{faults}

A communication fault has the status that the other side answered with. `runtime` also stands for limits: too
many pure tasks without an input, a value that is too deep.
"""


def attributes_of(struct: type) -> dict[str, str]:
    """Descriptions in the `Attributes` section of a docstring, by name."""
    section = (inspect.getdoc(struct) or "").partition("Attributes:\n")[2]
    found = re.findall(r"^    (\w+): (.*(?:\n {6,}.*)*)", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def setting_rows(struct: type[msgspec.Struct], section: str) -> Iterator[str]:
    """One row per setting of a section."""
    described = attributes_of(struct)
    for field in msgspec.structs.fields(struct):
        if field.name in settings.SECTIONS:
            continue
        key = f"{section}.{field.name}" if section else field.name
        default = ", ".join(field.default) if isinstance(field.default, tuple) else str(field.default)
        shown = f"`{default}`" if default else "none"
        yield f"| `{key}` | `{settings.variable_of(key)}` | {shown} | {described[field.name]} |"


def settings_page() -> str:
    """Every setting with its variable and default."""
    sections = [("", settings.Settings), *settings.SECTIONS.items()]
    rows = "\n".join(row for section, struct in sections for row in setting_rows(struct, section))
    return f"""# Settings

A setting comes from one of four sources; the later wins: default, file, environment variable, option of the
command. `counterpoint config explain` shows each value with its source. Unknown keys are refused.

The file is `counterpoint.toml`: the one that `--config` or `COUNTERPOINT_CONFIG` names, else the one in the
data directory if that was named, else the one in the current folder. Paths in it are relative to its folder.
In a variable, a list has commas.

| Setting | Variable | Default | Meaning |
| --- | --- | --- | --- |
{rows}

```toml
[connectors]
modules = ["warehouse.py"]
```
"""


def commands_of(
    command: click.Command, path: str, parent: click.Context | None
) -> Iterator[tuple[str, click.Context]]:
    """A command and all below it, with their full names."""
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
    yield path, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from commands_of(below, f"{path} {name}", context)


def parameter_row(parameter: click.Parameter, context: click.Context) -> str | None:
    """Row of an option; nothing for what has no description of its own."""
    record = parameter.get_help_record(context)
    if record is None:
        return None
    names, text = (part.replace("|", "\\|").replace("\n", " ") for part in record)
    return f"| `{names}` | {text} |"


def command_section(path: str, context: click.Context) -> str:
    """Heading, usage, explanation and options of one command."""
    command = context.command
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    rows = [row for p in command.params if (row := parameter_row(p, context))]
    table = "\n".join(["", "| Option | |", "| --- | --- |", *rows, ""]) if rows else ""
    return f"## {path}\n\n```text\n{usage}\n```\n\n{text}\n{table}"


def cli_page() -> str:
    """Every command with its options."""
    commands = list(commands_of(root_command, "counterpoint", None))
    sections = "\n".join(command_section(path, context) for path, context in commands)
    return f"""# Command line

The options of `counterpoint` itself stand before the command. Results go to the standard output, everything
else (progress, problems) to the standard error. Ids of runs may be shortened as long as they are unique. Exit
codes of failures are those of [the errors](errors.md); `run` also tells how the run ended.

{sections}"""


PAGES = {"errors.md": errors_page, "settings.md": settings_page, "cli.md": cli_page}


def tidy(page: str) -> str:
    """Text without blanks at the ends of lines and without two empty lines in a row."""
    lines = "\n".join(line.rstrip() for line in page.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"


def main() -> int:
    """Write the pages."""
    for name, make in PAGES.items():
        (REFERENCE / name).write_text(tidy(make()), encoding="utf-8")
        print(f"wrote docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
