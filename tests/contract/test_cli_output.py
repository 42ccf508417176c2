"""The command line as people and scripts meet it: real processes, the real product, a real data directory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterpoint import __version__

HELLO = """\
document:
  dsl: '1.0.3'
  namespace: demo
  name: hello
  version: '0.1.0'
do:
  - greet:
      set:
        hello: ${ .name // "world" }
  - decide:
      switch:
        - loud: { when: '.hello == "ada"', then: shout }
        - quiet: { then: end }
  - shout:
      set:
        loud: ${ .hello + "!" }
"""

SLOW = HELLO.replace("name: hello", "name: slow").replace(
    "  - decide:", "  - pause:\n      wait: { hours: 1 }\n  - decide:"
)

FAULTY = """\
document: { dsl: '1.0.3', namespace: demo, name: faulty, version: '0.1.0' }
do:
  - give:
      raise:
        error:
          type: https://open-workflow-specification.org/spec/1.0.0/errors/runtime
          status: 500
          title: Given up
          detail: on purpose
"""


class Shell:
    """Runs the command line as processes of its own in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("COUNTERPOINT_")}

    def __call__(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "counterpoint.cli.main", *arguments],
            cwd=self.folder,
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "counterpoint.cli.main", *arguments],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    for name, text in (("hello", HELLO), ("slow", SLOW), ("faulty", FAULTY)):
        (tmp_path / f"{name}.yaml").write_text(text)
    return Shell(tmp_path)


@pytest.fixture
def owner(shell: Shell) -> Iterator[subprocess.Popen[str]]:
    process = shell.start("serve")
    try:
        await_ready(process)
        yield process
    finally:
        stop(process)


def await_ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stderr is not None
    for line in process.stderr:
        entry: dict[str, Any] = json.loads(line)
        if entry["event"] == "ready":
            return entry
    raise AssertionError("the owner ended before it was ready")


def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, list[Any]]:
    """Exit code of the process and the lines that it logged while it ended."""
    if process.poll() is None:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert out == ""
    return process.returncode, [json.loads(line) for line in err.splitlines()]


def test_the_version_is_printed_without_loading_anything_heavy(shell: Shell) -> None:
    assert shell("--version").stdout == f"counterpoint {__version__}\n"
    script = "import sys\nfrom counterpoint.cli.main import main\nmain(['--version'])\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"click", "rich", "msgspec", "asyncio", "apsw", "aiohttp", "yaml"} & set(done.stdout.split())


def test_a_command_through_the_socket_loads_neither_database_nor_http(
    shell: Shell, owner: subprocess.Popen[str]
) -> None:
    script = (
        "import sys\nfrom counterpoint.cli.main import run\n"
        "assert run(['runs', 'list', '--json']) == 0\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=shell.folder,
        env=shell.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"apsw", "aiohttp", "jq", "jsonschema_rs", "structlog", "rich"} & set(done.stderr.split())


def test_a_first_workflow_runs_without_any_preparation(shell: Shell) -> None:
    done = shell("run", "hello.yaml", "--set", "name=ada")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"loud": "ada!"})
    [run] = shell.json("runs", "list")["items"]
    assert run["status"] == "completed"
    explained = shell("runs", "explain", run["id"][:12])
    assert "loud" in explained.stdout
    assert '.hello == "ada"' in explained.stdout
    assert shell("runs", "verify", run["id"]).returncode == 0
    [deployed] = shell.json("audit", "list")[-1:]
    assert deployed["actor"].startswith("os:")


def test_a_fault_has_its_exit_code_and_says_where_and_why(shell: Shell) -> None:
    done = shell("run", "faulty.yaml")
    assert done.returncode == 1
    assert done.stdout == ""
    for words in ("Given up", "on purpose", "/do/0/give", "runs explain"):
        assert words in done.stderr


def test_a_bad_document_is_shown_with_its_lines(shell: Shell) -> None:
    (shell.folder / "bad.yaml").write_text(
        HELLO.replace("set:", "sett:", 1).replace("then: end", "then: nowhere")
    )
    done = shell("validate", "bad.yaml")
    assert done.returncode == 2
    assert "sett" in done.stdout
    assert "nowhere" in done.stdout
    assert "^" in done.stdout
    assert shell("run", "bad.yaml").returncode == 2


def test_the_owner_serves_commands_and_ends_in_order(shell: Shell) -> None:
    process = shell.start("serve")
    ready = await_ready(process)
    assert ready["pid"] == process.pid
    sock = Path(ready["socket"])
    assert sock.stat().st_mode & 0o777 == 0o600
    assert sock.parent.stat().st_mode & 0o077 == 0
    assert json.loads(shell("run", "hello.yaml").stdout) == {"hello": "world"}
    run_id = shell("run", "slow.yaml", "--detach").stdout.strip()
    code, lines = stop(process)
    assert code == 0
    assert lines[-1]["event"] == "stopped"
    assert not sock.exists()
    # The run waits on; the next owner, here a command, has it.
    assert shell.json("runs", "show", run_id)["run"]["status"] in {"waiting", "running"}
    assert shell.json("runs", "cancel", run_id, "--reason", "enough")["status"] == "cancelled"


def test_a_killed_owner_leaves_nothing_in_the_way_of_the_next(shell: Shell) -> None:
    process = shell.start("serve")
    await_ready(process)
    run_id = shell("run", "slow.yaml", "--detach").stdout.strip()
    process.kill()
    process.communicate(timeout=60)
    assert shell.json("runs", "show", run_id)["run"]["status"] in {"waiting", "running"}


def test_a_second_owner_is_refused_with_the_reason(shell: Shell, owner: subprocess.Popen[str]) -> None:
    done = shell("serve")
    assert done.returncode == 10
    assert str(owner.pid) in done.stderr


def test_a_token_names_the_actor_of_what_it_does(shell: Shell, owner: subprocess.Popen[str]) -> None:
    token = shell("actors", "add", "ci").stdout.strip()
    shell.environ["COUNTERPOINT_TOKEN"] = token
    assert shell("deploy", "hello.yaml").returncode == 0
    assert shell.json("audit", "list", "--limit", "1")[0]["actor"] == "ci"
    shell.environ["COUNTERPOINT_TOKEN"] = token + "x"
    assert shell("runs", "list").returncode == 6


def test_an_interrupted_run_goes_on_and_says_so(shell: Shell, owner: subprocess.Popen[str]) -> None:
    process = shell.start("run", "slow.yaml")
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on without this command" in err
    assert "Traceback" not in first + err
    [run] = shell.json("runs", "list")["items"]
    assert run["status"] in {"waiting", "running"}


def test_a_reader_that_leaves_early_is_no_error(shell: Shell) -> None:
    command = f"{sys.executable} -m counterpoint.cli.main config explain | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=shell.folder,
        env=shell.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() in {"0", "141"}
    assert done.stderr == ""


def test_output_that_no_console_can_encode_is_no_error(shell: Shell) -> None:
    shell.environ["PYTHONIOENCODING"] = "ascii"
    assert shell("run", "hello.yaml").returncode == 0
    assert shell("runs", "list").returncode == 0


def test_settings_tell_their_sources(shell: Shell) -> None:
    (shell.folder / "counterpoint.toml").write_text("[engine]\nretention_days = 3\n")
    shell.environ["COUNTERPOINT_LOG_LEVEL"] = "debug"
    rows = {row["key"]: row for row in shell.json("--environment", "prod", "config", "explain")}
    sources = {
        key: rows[key]["source"] for key in ("engine.retention_days", "log.level", "environment", "data")
    }
    assert list(sources.values()) == ["file", "environment", "option", "default"]
    (shell.folder / "counterpoint.toml").write_text("[engine]\nretention_dys = 3\n")
    done = shell("runs", "list")
    assert done.returncode == 2
    assert "engine.retention_days" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["runs", "show", "\x1b[2J"], ["run", "\udcff.yaml"], ["deploy", "/dev/zero"], ["runs", "wach", "x"]],
)
def test_garbage_is_answered_in_words(shell: Shell, arguments: list[str]) -> None:
    done = shell(*arguments)
    assert done.returncode in {2, 7, 11}
    assert done.stdout == ""
    assert "\x1b" not in done.stderr
    assert done.stderr.strip()
