"""Lines are written by the library, which is set up before the first of them and only then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from counterpoint.ports.logs import Log, configure_with


@pytest.fixture(autouse=True)
def _nothing_waits() -> Iterator[None]:
    configure_with(lambda: None)
    Log("tests").debug("now nothing waits")
    yield
    structlog.reset_defaults()


def test_each_level_and_every_field_reaches_the_library() -> None:
    log = Log("tests")
    with capture_logs() as lines:
        for level in ("debug", "info", "warning", "error", "critical"):
            getattr(log, level)("happened", level_asked=level)
    assert [(line["log_level"], line["level_asked"]) for line in lines] == [
        (level, level) for level in ("debug", "info", "warning", "error", "critical")
    ]


def test_the_set_up_is_called_once_before_the_first_line() -> None:
    calls: list[str] = []
    configure_with(lambda: calls.append("first plan"))
    configure_with(lambda: calls.append("set up"))
    assert calls == []
    with capture_logs() as lines:
        Log("tests").info("one")
        Log("others").info("two")
    assert calls == ["set up"]
    assert [line["event"] for line in lines] == ["one", "two"]
