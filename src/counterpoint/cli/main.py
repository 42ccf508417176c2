"""Entry point of the command line.

Nothing heavy is imported at the top: `--version` and a command that fails at once must feel instant.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from counterpoint import __version__


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given in (["--version"], ["-V"]):
        sys.stdout.write(f"counterpoint {__version__}\n")
        return
    sys.exit(run(given))


def run(arguments: Sequence[str]) -> int:
    """Exit code of the command line with these arguments."""
    from counterpoint.cli.context import CommandContext
    from counterpoint.cli.failures import guarded
    from counterpoint.cli.group import root

    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows another; it is no reason to fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    context = CommandContext()
    # A mistake in the arguments is told before they are parsed, so the form of the message is looked up here.
    context.is_json = "--json" in arguments

    def command() -> int:
        code = root.main(args=list(arguments), prog_name="counterpoint", standalone_mode=False, obj=context)
        return code if isinstance(code, int) else 0

    return guarded(context, command)


if __name__ == "__main__":
    main()
