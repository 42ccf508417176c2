"""Where, why, what to do next."""

from __future__ import annotations

from typing import Any

import pytest

from counterpoint.errors import STANDARD_FAULTS, Fault, standard_fault
from counterpoint.ports.advice import MAX_DETAIL, Cause, Circumstance, advise, error_name


def cause(**more: Any) -> Cause:
    facts: dict[str, Any] = {
        "code": "fault",
        "run_id": "r1",
        "namespace": "finance",
        "workflow": "refund",
        "pointer": "/do/0/pay",
        "task": "pay",
        "step": "pay",
        "target": "bank.pay",
    }
    return advise(Circumstance(**{**facts, **more}))


@pytest.mark.parametrize(
    "code", ["fault", "inDoubt", "nonDeterminism", "operator", "historyCorrupt", "storageFull", "x"]
)
def test_every_code_has_three_sentences(code: str) -> None:
    found = cause(code=code)
    for sentence in (found.where, found.why, found.next):
        assert sentence.endswith(".")
        assert len(sentence) > 20


@pytest.mark.parametrize("name", sorted(STANDARD_FAULTS))
def test_every_standard_fault_says_what_to_do(name: str) -> None:
    found = cause(fault=standard_fault(name, "detail"))
    assert "document raised" not in found.next
    assert "detail" in found.why


@pytest.mark.parametrize(
    ("more", "following"),
    [
        ({"verdict": "authentication"}, "renew the credential"),
        ({"verdict": "authentication", "owner": "team-pay"}, "the owner (team-pay)"),
        ({"verdict": "throttled"}, "asks for fewer calls"),
        ({"fault": standard_fault("communication", "", status=503)}, "is up and reachable"),
        ({"fault": standard_fault("communication", "", status=404)}, "the same one will fail again"),
        ({"fault": standard_fault("communication", "", status=429)}, "is up and reachable"),
        ({"fault": standard_fault("communication", ""), "step": ""}, "The document raised this fault itself"),
        ({"fault": Fault("https://acme.example/stock", 409)}, "The document raised this fault itself"),
        ({"runbook": "https://wiki.example/pay"}, "Runbook: https://wiki.example/pay."),
    ],
)
def test_the_next_step_depends_on_what_failed(more: dict[str, Any], following: str) -> None:
    assert following in cause(**more).next


def test_attempts_target_and_place_are_named() -> None:
    found = cause(attempts=3, fault=standard_fault("communication", "no answer", status=503))
    assert found.where == "Workflow refund, task pay (/do/0/pay), calling bank.pay."
    assert found.why == "It failed after 3 attempts: Communication Error (503): no answer."


def test_the_place_comes_from_the_fault_when_no_task_is_known() -> None:
    found = cause(pointer="", task="", target="", fault=standard_fault("validation", "bad", "/do/3/check"))
    assert found.where == "Workflow refund, task check (/do/3/check)."
    assert cause(pointer="", fault=None).where == "Workflow refund, outside any task."


def test_a_long_detail_is_cut() -> None:
    found = cause(fault=standard_fault("runtime", "x" * 10_000))
    assert len(found.why) < MAX_DETAIL + 100


def test_runs_share_a_group_only_when_code_workflow_place_type_and_status_agree() -> None:
    one = standard_fault("communication", "first", status=503)
    base = cause(fault=one)
    same = cause(run_id="r2", attempts=9, fault=standard_fault("communication", "second", status=503))
    assert same.group == base.group
    others = [
        cause(code="inDoubt", fault=one),
        cause(workflow="other", fault=one),
        cause(namespace="sales", fault=one),
        cause(pointer="/do/1/pay", fault=one),
        cause(fault=standard_fault("communication", "", status=502)),
        cause(fault=standard_fault("timeout", "", status=503)),
    ]
    assert base.group not in {other.group for other in others}
    assert len({other.group for other in others}) == len(others)


@pytest.mark.parametrize(
    "address",
    ["https://serverlessworkflow.io/spec/1.0.0/errors/", "https://serverlessworkflow.io/dsl/errors/types/"],
)
def test_all_addresses_of_a_standard_error_are_one(address: str) -> None:
    assert error_name(address + "timeout") == "timeout"
    assert error_name("https://acme.example/errors/stock") == "https://acme.example/errors/stock"


def test_the_stored_form_leaves_empty_members_out_and_keeps_the_fault() -> None:
    stored = cause(step="", fault=standard_fault("timeout", "late")).as_json()
    assert "step" not in stored
    assert stored["fault"]["status"] == 408
