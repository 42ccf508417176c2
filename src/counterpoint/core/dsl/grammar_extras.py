"""Shapes of `metadata.counterpoint`: a typo there would switch safety off, so nothing unknown is accepted."""

from __future__ import annotations

from counterpoint.core.dsl.grammar_parts import DURATION
from counterpoint.core.dsl.shapes import TEXT, ByType, Fields, MapOf, Shape, Text, Whole

_ON_FAULT = Text(("fault", "pause"))
_ON_UNCERTAIN = Text(("repeat", "pause"))
_FILLED = Text(is_filled=True)

MAX_PARALLEL = 1_000
"""Most iterations of one `for` that may run at once."""


def metadata_of(extras: Shape) -> Shape:
    """An open `metadata` map whose member `counterpoint` has the given shape."""
    return Fields("`metadata`", {"counterpoint": extras}, is_open=True)


DOCUMENT_METADATA = metadata_of(
    Fields(
        "`metadata.counterpoint` of the document",
        {
            "owner": _FILLED,
            "criticality": Text(("high-risk", "customer-facing", "internal", "event-distribution")),
            "runbook": TEXT,
            "onFault": _ON_FAULT,
            "onUncertain": _ON_UNCERTAIN,
            "outcome": _FILLED,
            "startKey": _FILLED,
            "concurrency": Fields("`concurrency`", {"limit": Whole(1), "key": _FILLED}, ("limit",)),
            "schedule": Fields(
                "`schedule`",
                {
                    "timezone": _FILLED,
                    "missed": Text(("latest", "skip", "all")),
                    "overlap": Text(("allow", "skip", "queue")),
                },
            ),
            "retries": MapOf(_FILLED),
        },
    )
)


def task_metadata_of(task: Shape) -> Shape:
    """Shape of a task's `metadata`; `task` is the shape of an inline compensation."""
    return metadata_of(
        Fields(
            "`metadata.counterpoint` of a task",
            {
                "compensate": ByType("the name of a function or a task", text=_FILLED, mapping=task),
                "idempotency": Fields(
                    "`idempotency`",
                    {
                        "key": _FILLED,
                        "header": Text(
                            pattern=r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}", rule="the name of a header"
                        ),
                        "scope": Text(("attempt",)),
                    },
                    least=1,
                ),
                "onUncertain": _ON_UNCERTAIN,
                "onFault": _ON_FAULT,
                "lookback": DURATION,
                "parallel": Whole(1, MAX_PARALLEL),
                "retry": _FILLED,
            },
        )
    )
