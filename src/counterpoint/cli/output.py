"""What a command says: results on stdout, all else on stderr; for people, or as JSON for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from counterpoint.core.values import JsonValue

if TYPE_CHECKING:  # rich costs a tenth of a second, and --json needs none of it
    from rich.console import Console, RenderableType

WIDTH = 160
"""Columns of output that goes to no terminal."""


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

    def show(self, value: JsonValue, render: Callable[[Any], RenderableType]) -> None:
        """Print a result: as one JSON document, or as `render` shows it."""
        if self.is_json:
            self.data(value)
        else:
            self.people.print(render(value))

    def item(self, value: JsonValue, render: Callable[[Any], RenderableType]) -> None:
        """Print one item of a stream: as a line of JSON, or as `render` shows it."""
        if self.is_json:
            write_json(sys.stdout, msgspec.json.encode(value))
        else:
            self.people.print(render(value))

    def data(self, value: JsonValue) -> None:
        """Print a value as JSON, indented."""
        write_json(sys.stdout, msgspec.json.format(msgspec.json.encode(value), indent=2))

    def note(self, text: str) -> None:
        """Tell people something that is no result; programs do not see it."""
        if not self.is_json:
            self.notes.print(text, style="dim")


def write_json(stream: TextIO, encoded: bytes) -> None:
    """Write a line of JSON, in UTF-8 whatever the encoding of the stream is."""
    stream.flush()
    stream.buffer.write(encoded + b"\n")
    stream.buffer.flush()


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    # A file or pipe has no width of its own; COLUMNS, if set, still counts.
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDTH
    # No markup, emoji or highlighting: what is printed is data, and data must not turn into instructions.
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)
