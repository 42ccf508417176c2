"""The last boundary: whatever happens, a sentence and an exit code."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import click
import pytest

from counterpoint.cli import bugs
from counterpoint.cli.context import CommandContext
from counterpoint.cli.failures import guarded
from counterpoint.cli.problems import error_from, internal_problem, problem_of
from counterpoint.cli.render.text import duration, one_line, safe, size
from counterpoint.errors import (
    LEAVES,
    CounterpointError,
    DefinitionError,
    EngineError,
    FaultRaised,
    Problem,
    standard_fault,
)


def _instance(kind: type[CounterpointError]) -> CounterpointError:
    if kind is DefinitionError:
        return DefinitionError([Problem("/do", "wrong", 1, 2, "right")])
    if kind is FaultRaised:
        return FaultRaised(standard_fault("timeout", "too late", "/do/0"), "do.x")
    return kind("what failed on what")


def _raise(error: BaseException) -> int:
    raise error


@pytest.fixture
def context(tmp_path: Path) -> CommandContext:
    context = CommandContext()
    context.options = {"data": str(tmp_path / "data")}
    return context


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.code)
def test_every_error_has_its_exit_code_a_message_and_a_wire_form(
    context: CommandContext, kind: type[CounterpointError], capsys: pytest.CaptureFixture[str]
) -> None:
    error = _instance(kind)
    assert guarded(context, lambda: _raise(error)) == LEAVES[kind].exit_code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.strip()
    again = error_from(json.loads(json.dumps(problem_of(error))))
    assert type(again) is kind
    assert str(again) == str(error)


def test_every_error_is_a_json_problem_for_programs(
    context: CommandContext, capsys: pytest.CaptureFixture[str]
) -> None:
    context.is_json = True
    for kind, row in LEAVES.items():
        assert guarded(context, lambda kind=kind: _raise(_instance(kind))) == row.exit_code
        problem = json.loads(capsys.readouterr().err)
        assert (problem["code"], problem["status"]) == (kind.code, row.http_status)


def test_an_error_of_a_newer_owner_is_understood_as_far_as_it_goes() -> None:
    assert isinstance(error_from({"code": "fromTheFuture", "detail": "odd"}), EngineError)
    assert isinstance(error_from({}), EngineError)
    assert isinstance(error_from(internal_problem("abc")), EngineError)
    assert str(error_from(internal_problem("abc"))).endswith("(reference abc).")


@pytest.mark.parametrize("is_json", [False, True])
def test_a_bug_shows_a_reference_and_keeps_its_traceback_in_a_private_file(
    context: CommandContext, capsys: pytest.CaptureFixture[str], is_json: bool
) -> None:
    context.is_json = is_json
    assert guarded(context, lambda: _raise(RuntimeError("inner secret"))) == 70
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "inner secret" not in said
    log = context.data / "failures.log"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "inner secret" in log.read_text()
    assert log.read_text().split("reference=")[1][:8] in said


def test_a_bug_whose_details_cannot_be_written_is_still_one_sentence(
    context: CommandContext, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").write_text("a file, no folder")
    assert guarded(context, lambda: _raise(RuntimeError("x"))) == 70
    assert "could not be written" in capsys.readouterr().err


def test_the_log_of_failures_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bugs, "MAX_BYTES", 100)
    for _ in range(5):
        assert bugs.record_bug(ValueError("x"), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["failures.log", "failures.log.1"]


def test_an_interruption_says_what_becomes_of_the_run(
    context: CommandContext, capsys: pytest.CaptureFixture[str]
) -> None:
    context.interruption = "Run r-1 goes on without this command."
    assert guarded(context, lambda: _raise(KeyboardInterrupt())) == 130
    assert "Run r-1 goes on" in capsys.readouterr().err


def test_a_reader_that_left_is_no_failure_to_talk_about(
    context: CommandContext, capfd: pytest.CaptureFixture[str]
) -> None:
    assert guarded(context, lambda: _raise(BrokenPipeError())) == 141
    assert capfd.readouterr().err == ""


def test_click_may_leave_with_a_code_of_its_own(context: CommandContext) -> None:
    assert guarded(context, lambda: _raise(click.exceptions.Exit(3))) == 3
    assert guarded(context, lambda: 4) == 4


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (-5, "0 µs"),
        (850, "850 µs"),
        (12_345, "12 ms"),
        (3_440_000, "3.4 s"),
        (125_000_000, "2 min 5 s"),
        (11_520_000_000, "3 h 12 min"),
        (187_200_000_000, "2 d 4 h"),
        (86_400_000_000, "1 d"),
    ],
)
def test_a_duration_reads_as_people_say_it(micros: int, text: str) -> None:
    assert duration(micros) == text


def test_sizes_and_text_are_made_for_people() -> None:
    assert [size(n) for n in (12, 2048, 5 * 1024**2, 3 * 1024**4)] == [
        "12 B",
        "2.0 KiB",
        "5.0 MiB",
        "3.0 TiB",
    ]
    assert one_line("a\n  b\tc") == "a b c"
    assert one_line("abcdef", 4) == "abc…"
    assert safe("a\x1b[31mb\x9bc") == "a\ufffd[31mb\ufffdc"
