"""Logs of the owner: one JSON object a line, with what is bound; short text for people."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from counterpoint.cli.logs import configure_logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _untouched_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_every_line_is_json_and_carries_run_step_and_attempt() -> None:
    stream = io.StringIO()
    configure_logs("json", "info", stream)
    with structlog.contextvars.bound_contextvars(run="r-1", step="do.charge", attempt=2):
        structlog.get_logger().info("attempt ended", verdict="done")
    structlog.get_logger().info("after")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert list(first)[:3] == ["at", "level", "event"]
    assert first["at"].endswith("Z")
    assert {"run": "r-1", "step": "do.charge", "attempt": 2, "verdict": "done"}.items() <= first.items()
    assert "run" not in second


def test_hostile_text_stays_within_its_line() -> None:
    stream = io.StringIO()
    configure_logs("json", "info", stream)
    structlog.get_logger().info('x\n{"event": "forged"}\x1b[2J', other=object())
    [line] = stream.getvalue().splitlines()
    assert json.loads(line)["event"].startswith("x\n")
    assert "\x1b" not in line


def test_an_exception_stays_within_its_line() -> None:
    stream = io.StringIO()
    configure_logs("json", "info", stream)
    try:
        raise ValueError("inner")
    except ValueError:
        structlog.get_logger().exception("failed")
    [line] = stream.getvalue().splitlines()
    assert "ValueError: inner" in json.loads(line)["exception"]


def test_lines_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    configure_logs("json", "warning", stream)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_libraries_that_use_logging_come_out_the_same_way() -> None:
    stream = io.StringIO()
    configure_logs("json", "info", stream)
    logging.getLogger("aiohttp").warning("odd %s", "thing")
    logging.getLogger("aiohttp").info("chatter")
    [line] = stream.getvalue().splitlines()
    assert json.loads(line)["event"] == "odd thing"


def test_auto_is_text_on_a_terminal_and_json_elsewhere() -> None:
    for stream, is_json in ((Terminal(), False), (io.StringIO(), True)):
        configure_logs("auto", "info", stream)
        structlog.get_logger().info("hello")
        assert stream.getvalue().startswith("{") is is_json
