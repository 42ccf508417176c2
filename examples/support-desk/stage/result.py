"""The result: what should exist for every ticket, what does, and how all runs ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from desk import priority_of
from tickets import Ticket

MADE = {
    "critical": ("issue", "note", "message", "incident"),
    "high": ("issue", "note", "message"),
    "normal": ("issue", "note", "message"),
    "low": ("issue",),
}
"""What a ticket of each priority should lead to, exactly once."""


@dataclass(frozen=True)
class Result:
    """How a demonstration ended.

    Attributes:
        tickets: Tickets that were fed.
        balance: Balance of the apps.
        statuses: Runs by status.
        outcomes: Runs by business outcome.
        figures: What the apps counted.
        kills: How often the engine was killed.
        recoveries: Milliseconds from each restart to readiness.
        elapsed_s: Seconds from the first ticket to the last run's end.
        example: A run worth a look: the one with the most requests.
    """

    tickets: int
    balance: dict[str, Any]
    statuses: dict[str, int]
    outcomes: dict[str, int]
    figures: dict[str, Any]
    kills: int
    recoveries: list[int]
    elapsed_s: float
    example: str

    @property
    def is_good(self) -> bool:
        """Nothing lost, nothing doubled, and a completed run for every ticket."""
        return bool(self.balance["isEven"]) and self.statuses == {"completed": self.tickets}


def expected_of(tickets: list[Ticket]) -> dict[str, list[str]]:
    """References of the tickets that should have one thing of each kind."""
    expected: dict[str, list[str]] = {kind: [] for kind in MADE["critical"]}
    for ticket in tickets:
        priority, _ = priority_of(ticket["issue"]["severity"], ticket["impact"])
        for kind in MADE[priority]:
            expected[kind].append(ticket["reference"])
    return expected
