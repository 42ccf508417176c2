"""The support desk: its apps, its workflow, and the demonstration with failures and kills."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import pytest

from counterpoint.core.dsl.loader import load
from counterpoint.core.dsl.yaml_reader import read

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "support-desk"
WORKFLOW = EXAMPLE / "support-desk.yaml"
NOTE = "/crm/accounts/ACC-001/notes"
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("COUNTERPOINT_") and name not in ("TICKETS", "CHAOS", "STAY")
}


class Reply(NamedTuple):
    """An answer of the apps."""

    status: int
    body: Any
    headers: dict[str, str]


class AppsProcess:
    """The apps as somebody else's process."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, body: Any = None, key: str = "") -> Reply:
        """One request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Content-Type": "application/json", "X-Correlation-Id": "run-1"}
            if key:
                headers["Idempotency-Key"] = key
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
            return Reply(response.status, json.loads(text) if text else None, dict(response.getheaders()))
        finally:
            connection.close()

    def post(self, path: str, reference: str, key: str = "", text: str = "hello") -> Reply:
        """Make something for a ticket."""
        return self.ask("POST", path, {"reference": reference, "title": text, "text": text}, key)

    def fail(self, *switches: dict[str, Any]) -> None:
        """Let these failures happen from now on."""
        assert self.ask("PUT", "/admin/failures", list(switches)).status == 204

    def balance(self, **expected: list[str]) -> dict[str, Any]:
        """The balance, against what is expected."""
        found: dict[str, Any] = self.ask("POST", "/admin/balance", expected).body
        return found


def start_apps(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """The process of the apps."""
    command = [sys.executable, "-m", "apps", "--database", str(folder / "apps.db"), "--with-parent", *options]
    return subprocess.Popen(command, cwd=EXAMPLE, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def ended(process: subprocess.Popen[bytes]) -> int:
    """Exit code after the parent has let go."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    return process.wait(30)


def port_of(process: subprocess.Popen[bytes]) -> int:
    """Port that the apps tell."""
    assert process.stdout is not None
    return int(json.loads(process.stdout.readline())["port"])


@pytest.fixture
def apps(tmp_path: Path) -> Iterator[AppsProcess]:
    """Fresh apps."""
    process = start_apps(tmp_path)
    try:
        yield AppsProcess(port_of(process))
    finally:
        assert ended(process) == 0


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the modules of the example importable."""
    monkeypatch.syspath_prepend(str(EXAMPLE))


def test_the_same_key_and_body_gives_the_stored_answer(apps: AppsProcess) -> None:
    first = apps.post("/incidents", "TCK-000001", "k")
    second = apps.post("/incidents", "TCK-000001", "k")
    assert (first.status, second.status, first.body) == (201, 201, second.body)
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert apps.balance(incident=["TCK-000001"])["isEven"]


def test_the_same_key_with_another_body_is_refused(apps: AppsProcess) -> None:
    apps.post("/incidents", "TCK-000001", "k")
    assert apps.post("/incidents", "TCK-000001", "k", text="something else").status == 422
    assert apps.balance(incident=["TCK-000001"])["isEven"]


def test_a_key_counts_for_its_own_route_only(apps: AppsProcess) -> None:
    apps.post("/incidents", "TCK-000001", "k")
    assert apps.post("/chat/channels/support/messages", "TCK-000001", "k").status == 201
    assert apps.balance(incident=["TCK-000001"], message=["TCK-000001"])["isEven"]


def test_without_a_key_each_request_makes_a_new_thing(apps: AppsProcess) -> None:
    numbers = [apps.post("/ticketing/issues", "TCK-000001").body["number"] for _ in range(2)]
    assert len(set(numbers)) == 2
    line = apps.balance(issue=["TCK-000001"])["kinds"]["issue"]
    assert (line["doubled"], line["lost"]) == (["TCK-000001"], [])


def test_the_balance_names_what_is_lost_doubled_and_unexpected(apps: AppsProcess) -> None:
    for reference in ("TCK-000001", "TCK-000001", "TCK-000003"):
        apps.post(NOTE, reference)
    balance = apps.balance(note=["TCK-000001", "TCK-000002"])
    assert balance["isEven"] is False
    assert balance["kinds"]["note"] == {
        "expected": 2,
        "found": 3,
        "lost": ["TCK-000002"],
        "doubled": ["TCK-000001"],
        "unexpected": ["TCK-000003"],
    }


def test_a_lost_reply_leaves_an_effect_that_a_repetition_finds(apps: AppsProcess) -> None:
    apps.fail({"kind": "lostReply"})
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        apps.post(NOTE, "TCK-000001", "k")
    apps.fail()
    assert apps.post(NOTE, "TCK-000001", "k").headers["Idempotent-Replayed"] == "true"
    assert apps.balance(note=["TCK-000001"])["isEven"]
    figures = apps.ask("GET", "/admin/figures").body
    assert figures == {
        "requests": 2, "effects": 1, "replayed": 1, "repeated": 1,
        "failures": {"lostReply": 1}, "busiest": "run-1", "underWay": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "status", "header"),
    [("unavailable", 503, ""), ("throttled", 429, "Retry-After"), ("unauthorized", 401, "WWW-Authenticate")],
)
def test_a_refusal_has_no_effect(apps: AppsProcess, kind: str, status: int, header: str) -> None:
    apps.fail({"kind": kind, "route": "/incidents"})
    reply = apps.post("/incidents", "TCK-000001", "k")
    assert reply.status == status
    assert not header or header in reply.headers
    assert apps.post(NOTE, "TCK-000001", "k").status == 201
    assert apps.balance(note=["TCK-000001"])["isEven"]


def test_a_key_that_is_under_way_is_refused_until_it_is_done(apps: AppsProcess) -> None:
    apps.fail({"kind": "slow", "every": 1, "delay_ms": 3000})
    replies: list[Reply] = []
    slow = threading.Thread(target=lambda: replies.append(apps.post("/incidents", "TCK-000001", "k")))
    slow.start()
    while not apps.ask("GET", "/admin/figures").body["underWay"]:
        pass
    refused = apps.post("/incidents", "TCK-000001", "k")
    slow.join()
    assert (refused.status, refused.headers["Retry-After"]) == (409, "1")
    assert replies[0].status == 201
    assert apps.balance(incident=["TCK-000001"])["isEven"]


def test_every_third_request_fails_if_asked_to(apps: AppsProcess) -> None:
    apps.fail({"kind": "unavailable", "every": 3})
    statuses = [apps.post("/incidents", f"TCK-{n:06}").status for n in range(6)]
    assert statuses == [201, 201, 503, 201, 201, 503]


def test_a_switch_that_does_not_exist_is_refused(apps: AppsProcess) -> None:
    assert apps.ask("PUT", "/admin/failures", [{"kind": "burning"}]).status == 422
    assert apps.ask("PUT", "/admin/failures", [{"kind": "slow", "rate": 2}]).status == 422


def test_an_issue_can_be_changed_and_an_unknown_account_is_not_found(apps: AppsProcess) -> None:
    number = apps.post("/ticketing/issues", "TCK-000001").body["number"]
    apps.ask("PATCH", f"/ticketing/issues/{number}", {"state": "closed"})
    assert apps.ask("GET", f"/ticketing/issues/{number}").body["state"] == "closed"
    assert apps.ask("GET", "/crm/accounts/ACC-001").body["plan"] == "business"
    assert apps.ask("GET", "/crm/accounts/ACC-999").status == 404


def test_the_same_seed_fails_at_the_same_requests_in_any_order_and_with_any_keys(tmp_path: Path) -> None:
    switches = json.dumps([{"kind": "unavailable", "rate": 0.4}])
    failed: list[set[str]] = []
    for seed, order in (("7", 1), ("7", -1), ("8", 1)):
        folder = tmp_path / f"{seed}{order}"
        folder.mkdir()
        process = start_apps(folder, "--seed", seed, "--failures", switches)
        try:
            apps = AppsProcess(port_of(process))
            references = [f"TCK-{n:06}" for n in range(1, 31)][::order]
            answers = {r: apps.post("/incidents", r, f"{order}{r}").status for r in references}
            failed.append({r for r, status in answers.items() if status == 503})
        finally:
            ended(process)
    assert failed[0] == failed[1] != failed[2]
    assert 0 < len(failed[0]) < 30


def test_tickets_are_real_issues_and_always_the_same(example: None) -> None:
    from desk import ORDER, priority_of
    from tickets import make_tickets

    tickets = make_tickets(400)
    assert tickets == make_tickets(500)[:400]
    assert len({ticket["reference"] for ticket in tickets}) == 400
    assert all(ticket["issue"]["title"] and ticket["issue"]["source"] for ticket in tickets)
    counts = Counter(priority_of(t["issue"]["severity"], t["impact"])[0] for t in tickets)
    assert set(counts) == set(ORDER)
    assert min(counts.values()) > 40


def test_the_more_urgent_of_severity_and_impact_decides(example: None) -> None:
    from desk import priority_of

    assert priority_of("critical", "question") == ("critical", "severity is critical")
    assert priority_of("moderate", "team") == ("high", "it stops team")
    assert priority_of("", "question") == ("low", "it is a question")


def test_the_workflow_is_valid_for_every_tool_that_knows_the_standard(spec: Path) -> None:
    text = WORKFLOW.read_text(encoding="utf-8")
    schema = read((spec / "schema" / "workflow.yaml").read_text(encoding="utf-8")).value
    jsonschema_rs.validator_for(schema).validate(read(text).value)
    assert load(text).name == "support-desk"


def demonstrate(folder: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run the demonstration; what it printed and its result."""
    command = [sys.executable, str(EXAMPLE / "demo.py"), "--folder", str(folder), *options]
    ran = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300)
    assert "Traceback" not in ran.stdout + ran.stderr, ran.stdout + ran.stderr
    result = folder / "result.json"
    assert result.exists(), ran.stdout + ran.stderr
    return ran, json.loads(result.read_text(encoding="utf-8"))


@pytest.mark.timeout(300)
def test_nothing_is_lost_or_doubled_although_everything_fails_and_the_engine_is_killed(
    tmp_path: Path,
) -> None:
    ran, result = demonstrate(tmp_path / "desk", "--tickets", "40", "--chaos", "--kills", "2")
    assert ran.returncode == 0, ran.stdout
    assert "Nothing lost, nothing doubled." in ran.stdout
    assert result["statuses"] == {"completed": 40}
    assert result["kills"] == 2
    assert {"lostReply", "unavailable", "unauthorized"} <= result["figures"]["failures"].keys()
    assert result["figures"]["replayed"] > 0


@pytest.mark.timeout(300)
def test_the_balance_shows_doubles_once_keys_differ_between_attempts(tmp_path: Path) -> None:
    text = WORKFLOW.read_text(encoding="utf-8")
    mutant = text.replace("header: Idempotency-Key }", "header: Idempotency-Key, scope: attempt }")
    assert mutant != text
    (tmp_path / "mutant.yaml").write_text(mutant, encoding="utf-8")
    options = ("--tickets", "40", "--chaos", "--kills", "0", "--workflow", str(tmp_path / "mutant.yaml"))
    ran, result = demonstrate(tmp_path / "desk", *options)
    assert ran.returncode == 1, ran.stdout
    assert "The balance is not even." in ran.stdout
    assert any(line["doubled"] for line in result["balance"]["kinds"].values())


def test_a_folder_that_holds_something_else_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("keep me")
    command = [sys.executable, str(EXAMPLE / "demo.py"), "--folder", str(tmp_path)]
    ran = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert (tmp_path / "letter.txt").read_text() == "keep me"
