"""Every command: what it asks for, what it says to people and to programs, and its exit code."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from counterpoint.cli.group import MODULES, root
from counterpoint.errors import (
    Conflict,
    DefinitionError,
    LimitExceeded,
    NotFound,
    Problem,
    StorageError,
)
from counterpoint.ports.history import Verification
from counterpoint.ports.maintenance import BackupProgress, Finding
from counterpoint.ports.records import ActorRecord, AuditEntry
from tests.unit.cli import samples
from tests.unit.cli.conftest import CommandLine
from tests.unit.cli.samples import AT, EVIL, FAULT, event, wire

DOCUMENT = "document:\n  name: triage\ndo: []\n"


def asked(cli: CommandLine, name: str) -> dict[str, Any]:
    return next(params for operation, params, _ in cli.operations.asked if operation == name)


@pytest.fixture
def document(tmp_path: Path) -> str:
    path = tmp_path / "triage.yaml"
    path.write_text(DOCUMENT)
    return str(path)


def script_run(cli: CommandLine, status: str = "completed", **result: Any) -> None:
    cli.operations.answers |= {
        "workflows.deploy": samples.deployment(),
        "runs.start": {"runId": "run-0001", "isNew": True},
        "runs.wait": samples.result(status, **result),
        "runs.show": samples.run_detail(status),
    }
    cli.operations.streams |= {
        "runs.watch": [
            event("attemptStarted", step="enrich", task="enrich", number=1),
            event("attemptEnded", step="enrich", task="enrich", number=1, status="done"),
        ]
    }


class TestRun:
    def test_the_output_goes_to_stdout_and_progress_to_stderr(self, cli: CommandLine, document: str) -> None:
        script_run(cli, output={"answer": 42})
        assert cli("run", document, "--set", "ticket.id=7", "--set", "note=hello") == 0
        assert cli.data == {"answer": 42}
        assert "enrich" in cli.err
        start = asked(cli, "runs.start")
        assert start["workflow"] == "support/triage"
        assert start["version"] == "1.0.0"
        assert start["input"] == {"ticket": {"id": 7}, "note": "hello"}

    def test_a_file_is_deployed_for_development_with_its_folder(
        self, cli: CommandLine, document: str
    ) -> None:
        script_run(cli)
        assert cli("run", document) == 0
        deploy = asked(cli, "workflows.deploy")
        assert deploy["isDev"] is True
        assert deploy["text"] == DOCUMENT
        assert deploy["folder"] == str(Path(document).parent)
        assert cli.data is None

    def test_a_name_is_started_and_nothing_deployed(self, cli: CommandLine) -> None:
        script_run(cli)
        assert cli("run", "triage", "--version", "1.0.0") == 0
        assert asked(cli, "runs.start")["workflow"] == "triage"
        assert "workflows.deploy" not in [name for name, _, _ in cli.operations.asked]

    @pytest.mark.parametrize(
        ("status", "code"), [("completed", 0), ("faulted", 1), ("cancelled", 3), ("suspended", 4)]
    )
    def test_the_exit_code_tells_the_outcome(self, cli: CommandLine, status: str, code: int) -> None:
        script_run(cli, status, fault=FAULT if status == "faulted" else None)
        assert cli("run", "triage") == code
        if code:
            assert cli.out == ""
            assert "runs explain run-0001" in cli.err
        assert cli("--json", "run", "triage") == code
        assert cli.data["status"] == status

    def test_a_fault_is_told_with_place_and_reason(self, cli: CommandLine) -> None:
        script_run(cli, "faulted", fault=FAULT)
        cli("run", "triage")
        for part in ("503", "/do/0/enrich", "crm.test"):
            assert part in cli.err

    def test_detach_prints_the_id_alone(self, cli: CommandLine) -> None:
        script_run(cli)
        assert cli("run", "triage", "--detach") == 0
        assert cli.out == "run-0001\n"
        assert "runs.wait" not in [name for name, _, _ in cli.operations.asked]

    def test_an_existing_run_of_the_start_key_is_mentioned(self, cli: CommandLine) -> None:
        script_run(cli)
        cli.operations.answers["runs.start"] = {"runId": "run-0001", "isNew": False}
        cli("run", "triage", "--detach")
        assert "start key" in cli.err

    def test_input_comes_from_a_file_or_from_stdin(
        self, cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script_run(cli)
        (tmp_path / "in.json").write_text('{"a": {"b": 1}}')
        cli("run", "triage", "-i", str(tmp_path / "in.json"), "--set", "a.c=[2]")
        assert asked(cli, "runs.start")["input"] == {"a": {"b": 1, "c": [2]}}
        cli.operations.asked.clear()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'["from stdin"]')))
        cli("run", "triage", "-i", "-")
        assert asked(cli, "runs.start")["input"] == ["from stdin"]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["-i", "absent.json"], "absent.json cannot be read"),
            (["-i", "bad.json"], "not JSON"),
            (["-i", "empty.json"], "is empty"),
            (["-i", "deep.json"], "not JSON"),
            (["--set", "novalue"], "assigns nothing"),
            (["--set", "=1"], "assigns nothing"),
            (["--set", "a..b=1"], "assigns nothing"),
            (["--set", "a=1", "--set", "a.b=2"], "a is no object"),
            (["-i", "list.json", "--set", "a=1"], "no object"),
        ],
    )
    def test_a_bad_input_is_refused_before_anything_is_asked(
        self, cli: CommandLine, tmp_path: Path, arguments: list[str], words: str
    ) -> None:
        (tmp_path / "bad.json").write_text("{nope")
        (tmp_path / "empty.json").write_text(" \n")
        (tmp_path / "deep.json").write_text("[" * 100_000)
        (tmp_path / "list.json").write_text("[]")
        assert cli("run", "triage", *arguments) in {2, 11}
        assert words in cli.err
        assert cli.operations.asked == []

    def test_a_document_with_problems_shows_its_lines_with_carets(
        self, cli: CommandLine, document: str
    ) -> None:
        problem = Problem("/document/name", "must be longer", 2, 9, "Use 8 letters.", "pattern")
        cli.operations.answers["workflows.deploy"] = DefinitionError([problem])
        assert cli("run", document) == 2
        lines = cli.err.splitlines()
        place = next(i for i, line in enumerate(lines) if line.endswith("│   name: triage"))
        assert lines[place + 1].index("^") == lines[place].index("triage")
        assert "/document/name" in cli.err
        assert "Use 8 letters." in cli.err

    def test_an_owner_that_dies_during_a_start_leaves_an_honest_message(self, cli: CommandLine) -> None:
        script_run(cli)
        cli.operations.answers["runs.start"] = StorageError("the disk failed", is_fatal=True)
        assert cli("run", "triage") == 10
        assert "the disk failed" in cli.err


class TestValidate:
    def test_problems_are_shown_with_their_lines_and_fail(self, cli: CommandLine, document: str) -> None:
        problem = Problem("/do", "must not be empty", 3, 5, "Add a task.")
        cli.operations.answers["workflows.validate"] = samples.validation(problem)
        assert cli("validate", document) == 2
        assert "must not be empty" in cli.out
        assert "│ do: []" in cli.out

    def test_warnings_pass_unless_asked_not_to(self, cli: CommandLine, document: str) -> None:
        warning = Problem("/do", "odd", 3, 5, is_warning=True)
        cli.operations.answers["workflows.validate"] = samples.validation(warning)
        assert cli("validate", document) == 0
        assert "is valid" in cli.out
        assert cli("validate", "--strict", document) == 2

    def test_json_has_one_entry_for_each_file(self, cli: CommandLine, document: str) -> None:
        cli.operations.answers["workflows.validate"] = samples.validation()
        assert cli("validate", document, document, "--json") == 0
        assert [entry["isValid"] for entry in cli.data] == [True]

    def test_a_document_that_is_no_text_is_refused(self, cli: CommandLine, tmp_path: Path) -> None:
        (tmp_path / "bad.yaml").write_bytes(b"a: 1\n\xff\xfe")
        assert cli("validate", str(tmp_path / "bad.yaml")) == 2
        assert "not UTF-8" in cli.err

    def test_a_document_without_end_is_refused(self, cli: CommandLine) -> None:
        assert cli("validate", "/dev/zero") == 7


class TestDeploy:
    def test_the_revision_and_its_warnings_are_told(self, cli: CommandLine, document: str) -> None:
        cli.operations.answers["workflows.deploy"] = samples.deployment()
        assert cli("deploy", document) == 0
        assert "support/triage 1.0.0 was deployed." in cli.out
        assert "looks like an expression" in cli.out
        assert asked(cli, "workflows.deploy")["isDev"] is False

    def test_a_dry_run_says_would(self, cli: CommandLine, document: str) -> None:
        cli.operations.answers["workflows.deploy"] = samples.deployment(revision=None)
        assert cli("deploy", document, "--dry-run") == 0
        assert "would be deployed" in cli.out

    def test_the_same_content_again_says_so(self, cli: CommandLine, document: str) -> None:
        same = samples.revision(is_new=False, is_active=False)
        cli.operations.answers["workflows.deploy"] = samples.deployment(revision=same)
        cli("deploy", document)
        assert "already" in cli.out
        assert "A higher version stays active" in cli.out

    def test_a_conflict_has_its_own_exit_code_and_hint(self, cli: CommandLine, document: str) -> None:
        cli.operations.answers["workflows.deploy"] = Conflict(
            "differs in enrich (changed)", "Raise the version."
        )
        assert cli("deploy", document) == 5
        assert "Raise the version." in cli.err

    def test_the_bearer_of_a_token_hands_over_no_folder(self, cli: CommandLine, document: str) -> None:
        cli.operations.answers["workflows.deploy"] = samples.deployment()
        assert cli("--actor-token", "good", "deploy", document) == 0
        assert asked(cli, "workflows.deploy")["folder"] == ""
        assert cli.operations.asked[0][2] == "robot"


LOOKS: dict[str, tuple[list[str], str, Any, list[str]]] = {
    "runs list": (
        ["runs", "list"],
        "runs.list",
        samples.run_page,
        ["run-0002", "✗ faulted", "1.5 s", "cursor-9"],
    ),
    "no runs": (
        ["runs", "list"],
        "runs.list",
        lambda: {"items": [], "next": ""},
        ["No runs yet.", "counterpoint run"],
    ),
    "stuck": (
        ["runs", "list", "--stuck"],
        "runs.stuck",
        samples.stuck_report,
        [
            "12 runs",
            "support/triage at enrich: fault 503",
            "Retry when the CRM is back.",
            "retry --stuck --cause 0a1b2c3d",
        ],
    ),
    "nothing stuck": (
        ["runs", "list", "--stuck"],
        "runs.stuck",
        lambda: {"groups": []},
        ["No run is stuck."],
    ),
    "runs show": (
        ["runs", "show", "run-0001"],
        "runs.show",
        samples.run_detail,
        [
            "enrich",
            "run-0009",
            "os:ada through cli",
            "corr-1",
            '{"ticket":7}',
            "due 2026-01-01",
            "CRM is back",
        ],
    ),
    "runs explain": (
        ["runs", "explain", "run-0001"],
        "runs.explain",
        samples.explanation,
        [
            "It was started by os:ada.",
            "where: Task enrich",
            "why: 3 attempts",
            "→ Retry when the CRM is back.",
        ],
    ),
    "runs effects": (
        ["runs", "effects", "run-0001"],
        "runs.effects",
        samples.effect_report,
        [
            "partial",
            "✓ done",
            "? unknown",
            "✗ not done",
            "may have run twice",
            "Look at http.",
            "2 done, 1 not done",
        ],
    ),
    "runs history": (
        ["runs", "history", "run-0001"],
        "runs.history",
        samples.history_page,
        ["started", "attempt http", "end completed", "--after 2"],
    ),
    "runs verify": (
        ["runs", "verify", "run-0001"],
        "runs.verify",
        lambda: wire(Verification(True, 9, "ab12")),
        ["9 rows", "intact", "ab12"],
    ),
    "workflows list": (
        ["workflows", "list"],
        "workflows.list",
        lambda: [wire(samples.revision())],
        ["triage", "team-a"],
    ),
    "no workflows": (
        ["workflows", "list"],
        "workflows.list",
        list,
        ["No workflows yet.", "counterpoint deploy"],
    ),
    "workflows show": (
        ["workflows", "show", "triage"],
        "workflows.show",
        samples.workflow_detail,
        ["0.9.0", "do: []"],
    ),
    "actors list": (
        ["actors", "list"],
        "actors.list",
        lambda: [wire(ActorRecord("ci", AT, "os:ada", True))],
        ["ci", "disabled", "os:ada"],
    ),
    "no actors": (["actors", "list"], "actors.list", list, ["actors add"]),
    "audit list": (
        ["audit", "list"],
        "audit.list",
        lambda: [
            wire(AuditEntry(4, AT, "os:ada", "workflow.deploy", "support/triage", {"version": "1.0.0"}))
        ],
        ["2026-01-01 00:00:00Z", "workflow.deploy", '"version":"1.0.0"'],
    ),
    "doctor": (
        ["doctor"],
        "doctor.run",
        lambda: [wire(Finding("SQLite", "3.54", True))],
        ["SQLite", "All 1 check"],
    ),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=list(LOOKS))
def test_a_look_shows_people_what_matters_and_programs_everything(cli: CommandLine, look: Any) -> None:
    arguments, operation, answer, words = look
    cli.operations.answers[operation] = answer()
    assert cli(*arguments) == 0
    for word in words:
        assert word in cli.out
    assert "\x1b" not in cli.out
    assert cli(*arguments, "--json") == 0
    assert cli.data == json.loads(json.dumps(answer()))
    assert cli("--json", *arguments) == 0
    assert cli.err == ""


def _poisoned(value: Any) -> Any:
    """The same shape with hostile text in every place that holds free text."""
    free = {
        "workflow",
        "task",
        "why",
        "where",
        "next",
        "detail",
        "target",
        "name",
        "owner",
        "actor",
        "document",
    }
    if isinstance(value, dict):
        return {k: EVIL if k in free and isinstance(v, str) else _poisoned(v) for k, v in value.items()}
    return [_poisoned(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("look", LOOKS.values(), ids=list(LOOKS))
def test_hostile_text_never_reaches_the_terminal_as_a_command(cli: CommandLine, look: Any) -> None:
    arguments, operation, answer, _ = look
    cli.operations.answers[operation] = _poisoned(answer())
    assert cli(*arguments) == 0
    assert not set("\x1b\x07\u202e") & set(cli.out + cli.err)


@pytest.mark.parametrize("look", LOOKS.values(), ids=list(LOOKS))
def test_a_narrow_terminal_gets_everything_in_narrow_lines(
    cli: CommandLine, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, operation, answer, _ = look
    monkeypatch.setenv("COLUMNS", "40")
    cli.operations.answers[operation] = answer()
    assert cli(*arguments) == 0
    assert max(len(line) for line in cli.out.splitlines()) <= 40


class TestSteering:
    @pytest.mark.parametrize("verb", ["cancel", "suspend"])
    def test_a_command_carries_its_reason(self, cli: CommandLine, verb: str) -> None:
        cli.operations.answers[f"runs.{verb}"] = wire(samples.record("cancelled"))
        assert cli("runs", verb, "run-0", "--reason", "wrong account") == 0
        assert asked(cli, f"runs.{verb}") == {
            "environment": "default",
            "id": "run-0",
            "reason": "wrong account",
        }
        assert "run-0001" in cli.out

    @pytest.mark.parametrize("verb", ["resume", "retry"])
    def test_wait_follows_the_run_to_its_outcome(self, cli: CommandLine, verb: str) -> None:
        script_run(cli, "faulted")
        cli.operations.answers[f"runs.{verb}"] = wire(samples.record("running"))
        assert cli("runs", verb, "run-0001") == 0
        assert cli("runs", verb, "run-0001", "--wait") == 1

    def test_a_run_that_does_not_exist_is_told_with_the_hint(self, cli: CommandLine) -> None:
        cli.operations.answers["runs.cancel"] = NotFound("no run zzz", "Look at `counterpoint runs list`.")
        assert cli("runs", "cancel", "zzz") == 11
        assert "no run zzz" in cli.err
        assert "→ Look at" in cli.err
        assert cli("runs", "cancel", "zzz", "--json") == 11
        assert json.loads(cli.err)["code"] == "notFound"
        assert cli.out == ""

    def test_stuck_runs_are_retried_in_bulk_with_progress(self, cli: CommandLine) -> None:
        items = [
            {"kind": "canary", "runId": "run-1", "retried": 1, "detail": "run-1 goes first."},
            {"kind": "canaryPassed", "runId": "run-1", "retried": 1, "detail": "run-1 is completed."},
            {"kind": "retried", "runId": "run-2", "retried": 2},
            {"kind": "finished", "retried": 2, "detail": "2 let go on, 0 refused."},
        ]
        cli.operations.streams["runs.retryBulk"] = items
        assert cli("runs", "retry", "--stuck", "--cause", "0a1b", "--rate", "5") == 0
        assert "2 let go on" in cli.out
        assert asked(cli, "runs.retryBulk") == {
            "environment": "default",
            "cause": "0a1b",
            "rate": 5.0,
            "limit": 0,
        }
        assert cli("--json", "runs", "retry", "--stuck", "--cause", "0a1b") == 0
        assert [json.loads(line) for line in cli.out.splitlines()] == items

    def test_a_first_run_that_fails_again_fails_the_bulk(self, cli: CommandLine) -> None:
        cli.operations.streams["runs.retryBulk"] = [{"kind": "canaryFailed", "detail": "the same way"}]
        assert cli("runs", "retry", "--stuck", "--cause", "0a1b") == 1

    @pytest.mark.parametrize(
        "arguments", [["--stuck"], [], ["--stuck", "--cause", "x", "run-1"], ["run-1", "--cause", "x"]]
    )
    def test_what_to_retry_must_be_clear(self, cli: CommandLine, arguments: list[str]) -> None:
        assert cli("runs", "retry", *arguments) == 2
        assert cli.operations.asked == []


def test_watch_gives_programs_a_line_for_each_event_and_the_outcome_as_exit_code(cli: CommandLine) -> None:
    script_run(cli, "suspended")
    assert cli("runs", "watch", "run-0001", "--json") == 4
    kinds = [json.loads(line)["kind"] for line in cli.out.splitlines()]
    assert kinds == ["attemptStarted", "attemptEnded"]
    assert cli("runs", "watch", "run-0001") == 4
    assert "attempt ended: done" in cli.err


def test_progress_that_cannot_be_had_does_not_hide_the_result(cli: CommandLine) -> None:
    script_run(cli, output=5)
    cli.operations.streams["runs.watch"] = [LimitExceeded("too many watchers")]
    assert cli("run", "triage") == 0
    assert cli.data == 5


def test_a_broken_chain_fails_the_verification(cli: CommandLine) -> None:
    cli.operations.answers["runs.verify"] = wire(
        Verification(False, 3, "", "row 3 does not match its digest")
    )
    assert cli("runs", "verify", "run-0001") == 1
    assert "row 3" in cli.out


def test_a_bad_finding_fails_the_doctor_with_advice(cli: CommandLine) -> None:
    cli.operations.answers["doctor.run"] = [wire(Finding("disk", "1 % free", False, "Free some space."))]
    assert cli("doctor") == 1
    assert "disk: Free some space." in cli.out


def test_a_new_token_is_printed_alone_and_once(cli: CommandLine) -> None:
    cli.operations.answers["actors.add"] = {"name": "ci", "token": "cpt_" + "a" * 200}
    assert cli("actors", "add", "ci") == 0
    assert cli.out == "cpt_" + "a" * 200 + "\n"
    assert "this once" in cli.err


def test_a_backup_asks_for_an_absolute_target_and_tells_its_end(cli: CommandLine, tmp_path: Path) -> None:
    cli.operations.streams["backup.create"] = [
        wire(BackupProgress("database", 1, 4)),
        wire(BackupProgress("done", 4, 4, "copy")),
    ]
    assert cli("backup", "copy") == 0
    assert asked(cli, "backup.create")["target"] == str(tmp_path / "copy")
    assert "database 25 %" in cli.err
    assert "complete" in cli.out
    assert cli("backup", "copy", "--json") == 0
    assert cli.data["phase"] == "done"


def test_the_environment_goes_with_every_request(cli: CommandLine) -> None:
    cli.operations.answers["runs.list"] = {"items": [], "next": ""}
    cli("--environment", "prod", "runs", "list")
    assert asked(cli, "runs.list")["environment"] == "prod"


def test_an_unexpected_failure_of_the_owner_shows_a_reference_only(cli: CommandLine) -> None:
    cli.operations.answers["runs.list"] = ZeroDivisionError("inner detail")
    assert cli("runs", "list") == 70
    assert "ref-1" in cli.err
    assert "inner detail" not in cli.err


def test_a_result_of_an_unexpected_shape_becomes_one_sentence_and_a_log_entry(cli: CommandLine) -> None:
    cli.operations.answers["runs.list"] = {"surprise": True}
    assert cli("runs", "list") == 70
    log = (cli.folder / "failures.log").read_text()
    assert "KeyError" in log
    reference = log.split("reference=")[1].split()[0]
    assert reference in cli.err
    assert cli("runs", "list", "--json") == 0
    (cli.folder / "failures.log").unlink()


def test_every_command_and_group_explains_itself() -> None:
    def walk(command: Any, path: tuple[str, ...]) -> None:
        assert command.help, path
        for name in getattr(command, "commands", {}):
            walk(command.commands[name], (*path, name))

    context = root.make_context("counterpoint", [], resilient_parsing=True)
    for name, (_, summary) in MODULES.items():
        assert summary
        command = root.get_command(context, name)
        assert command is not None
        walk(command, (name,))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ruh"], "Did you mean 'run'?"),
        (["runs", "lst"], "No such command"),
        (["run"], "Missing argument"),
        (["runs", "list", "--limit", "many"], "--limit"),
        (["runs", "list", "--status", "odd"], "odd"),
        (["--nope"], "--nope"),
    ],
)
def test_a_mistake_in_the_arguments_says_how_it_is_used(
    cli: CommandLine, arguments: list[str], words: str
) -> None:
    assert cli(*arguments) == 2
    assert words in cli.err
    assert "--help" in cli.err
    assert cli("--json", *arguments) == 2
    assert json.loads(cli.err)["code"] == "usage"
