"""What a command says: results on stdout, all else on stderr; for people, or as JSON for programs."""

from __future__ import annotations

import importlib
import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

import msgspec

from counterpoint.core.values import JsonValue

if TYPE_CHECKING:  # rich costs a tenth of a second, and --json needs none of it
    from rich.console import Console, RenderableType

WIDTH = 160
"""Columns of output that goes to no terminal."""

_VIEWS = "counterpoint.cli.render"


class Output:
    """The two streams of a command.

    Args:
        is_json: Whether results are JSON for programs.
    """

    def __init__(self, is_json: bool) -> None:
        self.is_json = is_json

    @cached_property
    def people(self) -> Console:
        """Console for results."""
        return _console(sys.stdout)

    @cached_property
    def notes(self) -> Console:
        """Console for progress, hints and errors."""
        return _console(sys.stderr)

    def show(self, value: JsonValue, view: str) -> None:
        """Print a result: as one JSON document, or as a view shows it.

        Args:
            value: The result.
            view: `MODULE.FUNCTION` of the render package.
        """
        if self.is_json:
            self.data(value)
        else:
            self.people.print(_render(view, value))

    def item(self, value: JsonValue, view: str) -> None:
        """Print one item of a stream: as a line of JSON, or as a view shows it."""
        if self.is_json:
            write_json(sys.stdout, msgspec.json.encode(value))
        else:
            self.people.print(_render(view, value))

    def data(self, value: JsonValue) -> None:
        """Print a value as JSON, indented."""
        write_json(sys.stdout, msgspec.json.format(msgspec.json.encode(value), indent=2))

    def note(self, text: str) -> None:
        """Tell people something that is no result; programs do not see it."""
        if not self.is_json:
            self.notes.print(text, style="dim")


def _render(view: str, value: JsonValue) -> RenderableType:
    # Looked up by name, so that --json, which shows nothing, does not load what shows.
    module, _, function = view.partition(".")
    shown: RenderableType = getattr(importlib.import_module(f"{_VIEWS}.{module}"), function)(value)
    return shown


def write_json(stream: TextIO, encoded: bytes) -> None:
    """Write a line of JSON, in UTF-8 whatever the encoding of the stream is."""
    stream.flush()
    stream.buffer.write(encoded + b"\n")
    stream.buffer.flush()


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    class PipedConsole(Console):
        """Leaves a broken pipe to the boundary of the command, where rich would end the process."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    # A file or pipe has no width of its own; COLUMNS, if set, still counts.
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDTH
    # No markup, emoji or highlighting: what is printed is data, and data must not turn into instructions.
    return PipedConsole(file=stream, width=width, markup=False, emoji=False, highlight=False)
