"""Documents that try to stop the engine: endless, exploding, deep, wide and slow ones.

Each must end in a fault, or complete, while other runs go on. Shared by `engine_stall` and by the tests.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Hostile:
    """One document.

    Attributes:
        name: Name of the workflow.
        body: What stands beside `document`.
        status: How the run must end.
        detail: Part of the fault's detail; empty when it completes.
        value: Input of the run.
    """

    name: str
    body: dict[str, Any]
    status: str = "faulted"
    detail: str = ""
    value: Any = None

    @property
    def text(self) -> str:
        """The document: a head in YAML, the rest in JSON."""
        head = {"dsl": "1.0.3", "namespace": "bench", "name": self.name, "version": "1.0.0"}
        lines = [f"  {key}: '{value}'" for key, value in head.items()]
        rest = [f"{key}: {json.dumps(value)}" for key, value in self.body.items()]
        return "\n".join(["document:", *lines, *rest])


def grown(template: Any, times: int, start: Any) -> list[dict[str, Any]]:
    """Tasks that put a value into itself again and again."""
    return [
        {"start": {"set": {"n": 0, "v": start}}},
        {"grow": {"set": {"n": "${ .n + 1 }", "v": template}}},
        {
            "more": {
                "switch": [{"again": {"when": f".n < {times}", "then": "grow"}}, {"done": {"then": "end"}}]
            }
        },
    ]


def nested_forks(depth: int, wide: int) -> dict[str, Any]:
    """Forks inside forks: `wide` to the power of `depth` branches."""
    inner: dict[str, Any] = {"wait": {"seconds": 30}}
    for _ in range(depth):
        inner = {"for": {"each": "x", "in": f"${{ [range({wide})] }}"}, "do": [{"b": inner}]}
        inner["metadata"] = {"counterpoint": {"parallel": 1000}}
    return inner


HEAVY = "[.v[] | select(. >= 0)] | length"
WIDE_SCHEMA = {"items": {"allOf": [{"minimum": -number} for number in range(2_000)]}}
PATTERN = {"pattern": "^(a|a|aa|[a-z]+)*(b|c)*$", "type": "string"}
SHARING = "${ { v: (if $i < 60 then [$input.v, $input.v] else $input.v end) } }"
MANY_ERRORS = {"items": {"type": "string", "minLength": 3}, "type": "array"}

DOCUMENTS: tuple[Hostile, ...] = (
    Hostile("endless-then", {"do": [{"a": {"set": {"x": 1}, "then": "a"}}]}, detail="endless loop"),
    Hostile(
        "endless-switch",
        {"do": [{"a": {"switch": [{"c": {"when": "true", "then": "a"}}]}}]},
        detail="endless loop",
    ),
    Hostile(
        "for-hundred-thousand",
        {"do": [{"a": {"for": {"in": "${ [range(99000)] }"}, "do": [{"b": {"set": {"x": "${ $item }"}}}]}}]},
        "completed",
    ),
    Hostile(
        "for-too-long",
        {"do": [{"a": {"for": {"in": "${ [range(1e12)] }"}, "do": [{"b": {"set": {"x": 1}}}]}}]},
        detail="failed",
    ),
    Hostile("deep-values", {"do": grown("${ { d: .v } }", 90_000, 1)}, detail="endless loop"),
    Hostile("deep-output", {"do": grown("${ { d: .v } }", 3_000, 1)}, detail="nested deeper"),
    Hostile("shared-parts", {"do": grown("${ { l: .v, r: .v } }", 100, 1)}, detail="parts"),
    Hostile(
        "shared-wide",
        {"do": grown("${ [" + ", ".join([".v"] * 100) + "] }", 30, "x" * 1000)},
        detail="The output",
    ),
    Hostile(
        "shared-argument",
        {
            "do": [
                *grown("${ { l: .v, r: .v } }", 60, 1)[:2],
                {"more": {"switch": [{"again": {"when": ".n < 60", "then": "grow"}}]}},
                {"call": {"call": "bench.noop", "with": {"value": "${ .v }"}}},
            ]
        },
        detail="parts",
    ),
    Hostile(
        "shared-in-worker",
        {
            "do": [
                *grown("${ { l: .v, r: .v } }", 60, 1)[:2],
                {"more": {"switch": [{"again": {"when": ".n < 60", "then": "grow"}}]}},
                {"ask": {"set": "${ def f: tojson; .v | f }"}},
            ]
        },
        detail="input",
    ),
    Hostile(
        "shared-in-schema",
        {
            "do": [
                *grown("${ { l: .v, r: .v } }", 60, 1)[:2],
                {"more": {"switch": [{"again": {"when": ".n < 60", "then": "grow"}}]}},
                {"ask": {"set": "${ .v }", "output": {"schema": {"document": {"type": "object"}}}}},
            ]
        },
    ),
    Hostile(
        "shared-in-context",
        {
            "do": [
                *grown("${ { l: .v, r: .v } }", 60, 1)[:2],
                {"more": {"switch": [{"again": {"when": ".n < 60", "then": "grow"}}]}},
                {
                    "ask": {
                        "fork": {
                            "branches": [
                                {"b": {"set": "${ . }", "export": {"as": "${ { a: .v } }"}}},
                                {
                                    "c": {
                                        "set": "${ . }",
                                        "export": {"as": "${ { a: { l: .v.l, r: .v.r } } }"},
                                    }
                                },
                            ]
                        }
                    }
                },
                {"last": {"set": {"x": 1}}},
            ]
        },
        "completed",
    ),
    Hostile("doubled-text", {"do": grown("${ .v + .v }", 60, "x")}, detail="failed"),
    Hostile("doubled-array", {"do": grown("${ .v + .v }", 60, [1])}),
    Hostile("doubled-object", {"do": grown("${ .v + { (.n | tostring): .v } }", 60, {})}),
    Hostile(
        "parallel-million",
        {
            "do": [
                {"m": {"set": {"v": "${ [range(100000)] }"}}},
                {
                    "a": {
                        "for": {"in": "${ .v }"},
                        "do": [{"b": {"set": {"x": 1}}}],
                        "metadata": {"counterpoint": {"parallel": 1000}},
                    }
                },
            ]
        },
        detail="parallel loop",
    ),
    Hostile("parallel-nested", {"do": [{"a": nested_forks(3, 1000)}]}, detail="concurrent branches"),
    Hostile(
        "parallel-pure",
        {
            "do": [
                {"m": {"set": {"v": "${ [range(10000)] }"}}},
                {
                    "a": {
                        "for": {"in": "${ .v }"},
                        "do": [{"b": {"set": {"x": "${ [$item, $item] }"}}}],
                        "metadata": {"counterpoint": {"parallel": 1000}},
                    }
                },
            ]
        },
        "completed",
    ),
    Hostile(
        "many-holes",
        {
            "do": [
                {"m": {"set": {"v": "${ [range(10000)] }"}}},
                {"a": {"set": {f"k{n}": "${ " + HEAVY + " }" for n in range(100)}}},
            ]
        },
        "completed",
    ),
    Hostile(
        "many-cases",
        {
            "do": [
                {"m": {"set": {"v": "${ [range(5000)] }"}}},
                {
                    "a": {
                        "switch": [
                            {f"c{n}": {"when": f"({HEAVY}) == {-1 - n}", "then": "end"}} for n in range(300)
                        ]
                    }
                },
            ]
        },
        "completed",
    ),
    Hostile(
        "heavy-tasks",
        {
            "do": [
                {"m": {"set": {"v": "${ [range(5000)] }"}}},
                *(
                    {
                        f"t{n}": {
                            "set": {"v": "${ .v }", "x": "${ " + HEAVY + " }"},
                            "if": HEAVY,
                            "export": {"as": "${ { x: (" + HEAVY + ") } }"},
                        }
                    }
                    for n in range(100)
                ),
            ]
        },
        "completed",
    ),
    Hostile(
        "wide-schema",
        {"do": [{"m": {"set": "${ [range(100000)] }", "output": {"schema": {"document": WIDE_SCHEMA}}}}]},
        detail="wide a schema",
    ),
    Hostile(
        "slow-pattern",
        {
            "do": [
                {"m": {"set": '${ "' + "a" * 40 + '" * 20000 }', "output": {"schema": {"document": PATTERN}}}}
            ]
        },
        "completed",
    ),
    Hostile(
        "many-errors",
        {"do": [{"m": {"set": "${ [range(100000)] }", "output": {"schema": {"document": MANY_ERRORS}}}}]},
        detail="schema",
    ),
    Hostile(
        "large-arguments",
        {
            "do": [
                {"m": {"set": {"v": '${ "' + "a" * 100 + '" * 9000 }'}}},
                {
                    "a": {
                        "for": {"in": "${ [range(100)] }"},
                        "do": [
                            {
                                "b": {
                                    "call": "bench.noop",
                                    "with": {"value": "${ $item }", "more": ["${ .v }"]},
                                }
                            }
                        ],
                        "output": {"as": "${ 1 }"},
                        "metadata": {"counterpoint": {"parallel": 1000}},
                    }
                },
            ]
        },
        detail="more",
    ),
    Hostile(
        "large-echo",
        {
            "do": [
                {"m": {"set": {"v": '${ "' + "a" * 100 + '" * 9000 }'}}},
                {
                    "a": {
                        "for": {"in": "${ [range(60)] }"},
                        "do": [{"b": {"call": "bench.noop", "with": {"value": ["${ $item }", "${ .v }"]}}}],
                        "output": {"as": "${ 1 }"},
                        "metadata": {"counterpoint": {"parallel": 1000}},
                    }
                },
            ]
        },
        "completed",
    ),
    Hostile(
        "small-parts",
        {
            "do": [
                {"m": {"set": {"v": "${ [range(100000)] }"}}},
                {"a": {"call": "bench.noop", "with": {"value": ["${ .v }", "${ .v }"]}}},
                {"b": {"set": {"x": 1}}},
            ]
        },
        detail="parts",
    ),
    Hostile(
        "many-steps",
        {
            "do": [
                {
                    "a": {
                        "for": {"in": "${ [range(5000)] }"},
                        "do": [{"b": {"call": "bench.noop", "with": {"value": "${ $item }"}}}],
                        "output": {"as": "${ 1 }"},
                        "metadata": {"counterpoint": {"parallel": 1000}},
                    }
                }
            ]
        },
        "completed",
    ),
    Hostile(
        "caught-for-ever",
        {
            "do": [
                {
                    "a": {
                        "try": [
                            {"b": {"raise": {"error": {"type": "https://example.com/e", "status": 400}}}}
                        ],
                        "catch": {
                            "as": "e",
                            "retry": {"delay": {"seconds": 0}, "limit": {"attempt": {"count": 1000000}}},
                        },
                    }
                }
            ]
        },
        detail="endless loop",
    ),
    Hostile(
        "shared-while-settling",
        {
            "do": [
                {"start": {"set": {"v": 1}}},
                {
                    "loop": {
                        "for": {"each": "i", "in": "${ [range(2500)] }"},
                        "do": [
                            {
                                "b": {
                                    "call": "bench.noop",
                                    "with": {"value": 1},
                                    "output": {"as": SHARING},
                                }
                            }
                        ],
                    }
                },
            ]
        },
        detail="parts",
    ),
    Hostile(
        "child-of-itself",
        {
            "do": [
                {
                    "a": {
                        "run": {
                            "workflow": {"namespace": "bench", "name": "child-of-itself", "version": "1.0.0"}
                        }
                    }
                }
            ]
        },
        detail="nested deeper",
    ),
    Hostile(
        "huge-document",
        {
            "do": [
                {f"task{n}": {"set": {"x": "${ [.x, " + str(n) + "] | length }", "note": "n" * 40}}}
                for n in range(4000)
            ]
        },
        "completed",
    ),
)
"""All documents; each ends in the status that it names."""
