"""Logs of the owner: JSON lines on stderr for machines, short text for people on a terminal.

Code below binds `run`, `step` and `attempt` through structlog's context variables; every line written
meanwhile carries them.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Literal, TextIO, TypeAlias

from counterpoint.ports.logs import Log, configure_with

if TYPE_CHECKING:
    from structlog.typing import Processor, WrappedLogger

Format: TypeAlias = Literal["auto", "json", "text"]

_LEVELS = frozenset({"debug", "info", "warning", "error", "critical"})


def configure_logs_when_needed(format_: Format, level: str) -> None:
    """Set up logging once something is logged: a command that goes well loads nothing for it."""
    _capture_standard_logging(getattr(logging, level.upper()))
    configure_with(lambda: configure_logs(format_, level))


def configure_logs(format_: Format, level: str, stream: TextIO | None = None) -> None:
    """Set up logging for this process.

    Args:
        format_: `json`, `text`, or `auto`: text on a terminal, else JSON.
        level: Least severity that is written.
        stream: Where lines go; stderr when None.
    """
    import structlog

    target = sys.stderr if stream is None else stream
    is_text = format_ == "text" or (format_ == "auto" and target.isatty())
    threshold = getattr(logging, level.upper())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            *(_text_processors() if is_text else _json_processors()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    _capture_standard_logging(threshold)


def _text_processors() -> list[Processor]:
    import structlog

    return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]


def _json_processors() -> list[Processor]:
    import structlog

    return [
        structlog.processors.format_exc_info,
        _order,
        structlog.processors.JSONRenderer(default=repr, ensure_ascii=True),
    ]


def _order(logger: WrappedLogger, method: str, event: Any) -> Any:
    """Put what every line has first, so that lines can be read in a column."""
    first = {key: event.pop(key) for key in ("at", "level", "event") if key in event}
    return first | dict(event)


class _Forwarder(logging.Handler):
    """Passes what libraries log through `logging` on to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        level = record.levelname.lower()
        write = getattr(Log(record.name), level if level in _LEVELS else "warning")
        write(record.getMessage(), exc_info=record.exc_info)


def _capture_standard_logging(threshold: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_Forwarder()]
    # Libraries say nothing below a warning that an operator could use.
    root.setLevel(max(threshold, logging.WARNING))
