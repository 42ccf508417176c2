"""The desk's own connector: what a ticket's priority is."""

from __future__ import annotations

from counterpoint import ActionContext, Connector

desk = Connector("desk", title="Support desk")

SEVERE = {"critical": "critical", "high": "high", "error": "high", "medium": "normal", "moderate": "normal"}
"""Priority by the severity that a scanner or an advisory gives."""

STOPPED = {"everybody": "critical", "team": "high", "person": "normal", "question": "low"}
"""Priority by whom the problem stops."""

ORDER = ("critical", "high", "normal", "low")


def priority_of(severity: str, impact: str) -> tuple[str, str]:
    """Priority of a ticket, and why: the more urgent of what its severity and its impact ask for."""
    by_impact = STOPPED.get(impact, "normal")
    by_severity = SEVERE.get(severity, "low")
    if ORDER.index(by_severity) < ORDER.index(by_impact):
        return by_severity, f"severity is {severity}"
    return by_impact, f"it stops {impact}" if impact != "question" else "it is a question"


@desk.action(idempotency="natural", effect=False)
async def classify(ctx: ActionContext, severity: str, impact: str) -> dict[str, str]:
    """Priority of a ticket and the reason for it."""
    priority, reason = priority_of(severity, impact)
    return {"priority": priority, "reason": reason}
