"""Tickets for the desk, made from real issue payloads; the same number gives the same tickets, always."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "data" / "issues.jsonl"

IMPACTS = ("everybody", "team", "team", "person", "person", "person", "question", "question")
"""Whom a problem stops, as the reporter said; as often as it is listed."""

ACCOUNTS = 60
"""Accounts that tickets name; the CRM knows only the first `KNOWN_ACCOUNTS` of them."""

KNOWN_ACCOUNTS = 54

Ticket = dict[str, Any]


def make_tickets(count: int) -> list[Ticket]:
    """That many tickets, with references `TCK-000001` and on."""
    issues = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    return [_ticket(number, issues[(number - 1) % len(issues)]) for number in range(1, count + 1)]


def account_id(number: int) -> str:
    """Account by its number, from 1 on."""
    return f"ACC-{number:03}"


def _ticket(number: int, issue: dict[str, Any]) -> Ticket:
    reference = f"TCK-{number:06}"
    draw = hashlib.sha256(reference.encode()).digest()
    return {
        "reference": reference,
        "account": account_id(1 + int.from_bytes(draw[:4], "big") % ACCOUNTS),
        "impact": IMPACTS[draw[4] % len(IMPACTS)],
        "issue": issue,
    }
