"""Logs, loaded with the first line: most commands write none, and the library takes long to import.

A module has one `Log`, named for what it logs about. How lines look is settled by the command line, at once
or when the first one comes (`configure_with`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_waiting: list[Callable[[], None]] = []


def configure_with(configure: Callable[[], None]) -> None:
    """Call something before the first line is written, instead of now."""
    _waiting[:] = [configure]


class Log:
    """Writes lines about one thing.

    Args:
        name: Name of the logger.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, **fields: Any) -> None:
        """What only somebody who looks for a fault of ours wants to see."""
        self._write("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """What an operator wants to see."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """What an operator should look at some day."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """What an operator must look at; `exc_info` takes an exception."""
        self._write("error", event, fields)

    def critical(self, event: str, **fields: Any) -> None:
        """What ends the process."""
        self._write("critical", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        import structlog

        while _waiting:
            _waiting.pop()()
        getattr(structlog.get_logger(self._name), level)(event, **fields)
