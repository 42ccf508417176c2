"""Cost of typical expressions: the native closure beside libjq in the same process, in processor time.

Run with `python benchmarks/expressions.py`. The engine itself never calls libjq in its own process, because a
hostile program could end it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jq

from counterpoint.core.expr import compile_expression, compile_template

DOCUMENT = {
    "id": 17,
    "n": 3,
    "priority": "critical",
    "amount": 129.5,
    "customer": {"name": "Ada", "address": {"city": "Turin", "zip": "10121"}},
    "items": [{"sku": f"S-{number}", "qty": number, "ok": number % 2 == 0} for number in range(10)],
}
EXPRESSIONS = (
    ".id",
    ".customer.name",
    ".customer.address.city",
    ".n + 1",
    '.priority == "critical"',
    '.priority == "critical" and .amount > 100',
    "{ id: .id, n: (.n + 1) }",
    '.missing // "none"',
    '"ticket \\(.id) of \\(.customer.name)"',
    "[.items[] | select(.ok) | .sku]",
    ".items | map(.qty) | add",
    "$context.customer.name",
)
VARIABLES = {"context": DOCUMENT}
ROUNDS = 7


def micros(run: Callable[[], Any], calls: int) -> float:
    """Least processor time of one call over several rounds, in microseconds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.thread_time()
        for _ in range(calls):
            run()
        best = min(best, (time.thread_time() - start) / calls)
    return best * 1e6


def main() -> None:
    """Print one row per expression."""
    print(f"{'expression':46} {'native µs':>10} {'libjq µs':>10}")
    for text in EXPRESSIONS:
        native = compile_expression(text).native
        assert native is not None
        ours = micros(lambda native=native: native(DOCUMENT, VARIABLES), 5_000)
        program = jq.compile(text, args=VARIABLES)
        theirs = micros(lambda program=program: program.input_value(DOCUMENT).first(), 200)
        print(f"{text:46} {ours:10.3f} {theirs:10.1f}")
    template = compile_template({"id": "${ .id }", "name": "${ .customer.name }", "kind": "ticket"}).native
    assert template is not None
    filled = micros(lambda: template(DOCUMENT, VARIABLES), 5_000)
    print(f"{'template of two holes and a constant':46} {filled:10.3f}")


if __name__ == "__main__":
    main()
