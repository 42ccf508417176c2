"""What expressions see: arguments, loop and catch variables, and how far each reaches."""

from __future__ import annotations

from typing import Any

import pytest

from counterpoint.core.interp.scope import moment
from counterpoint.errors import DefinitionError, FaultRaised
from tests.unit.core.interp.plain_context import STARTED, run


async def test_the_arguments_of_the_workflow_the_task_and_the_runtime_are_there() -> None:
    seen = {
        "id": "${ $workflow.id }",
        "input": "${ $workflow.input }",
        "own": "${ $input }",
        "task": "${ $task.name }",
        "place": "${ $task.reference }",
        "raw": "${ $task.input }",
        "started": "${ $workflow.startedAt.epoch.seconds }",
        "runtime": "${ $runtime.name }",
    }
    output, _ = await run([{"look": {"input": {"from": "${ .a }"}, "set": seen}}], {"a": 1})
    assert output == {
        "id": "run-1",
        "input": {"a": 1},
        "own": 1,
        "task": "look",
        "place": "/do/0/look",
        "raw": {"a": 1},
        "started": STARTED // 1_000_000,
        "runtime": "counterpoint",
    }


async def test_variables_of_inner_loops_shadow_outer_ones_and_end_with_their_loop() -> None:
    inner = {
        "for": {"each": "x", "at": "i", "in": "${ [9] }"},
        "do": [{"s": {"set": {"v": "${ [$x, $i] }"}}}],
    }
    after = {"set": {"inner": "${ .v }", "outer": "${ [$x, $i] }"}}
    outer = {"for": {"each": "x", "at": "i", "in": "${ [5, 6] }"}, "do": [{"in": inner}, {"out": after}]}
    output, _ = await run([{"loop": outer}])
    assert output == {"inner": [9, 0], "outer": [6, 1]}


async def test_the_caught_error_is_a_variable_inside_catch_alone() -> None:
    caught = {"as": "problem", "do": [{"tell": {"set": {"status": "${ $problem.status }"}}}]}
    failing = {
        "try": [{"f": {"raise": {"error": {"type": "https://x.example/e", "status": 418}}}}],
        "catch": caught,
    }
    output, _ = await run([{"guarded": failing}])
    assert output == {"status": 418}


async def test_context_is_what_was_exported_last_and_starts_empty() -> None:
    tasks: list[dict[str, Any]] = [
        {"one": {"set": {"before": "${ $context }"}, "export": {"as": "${ { n: 1 } }"}}},
        {"two": {"set": {"after": "${ $context }", "before": "${ .before }"}}},
    ]
    output, _ = await run(tasks)
    assert output == {"before": {}, "after": {"n": 1}}


async def test_a_branch_sees_its_own_context_and_the_join_has_both() -> None:
    def branch(name: str) -> dict[str, Any]:
        return {
            "do": [
                {"put": {"set": {"x": 1}, "export": {"as": f"${{ $context + {{ {name}: 1 }} }}"}}},
                {"look": {"set": {"c": "${ $context }"}}},
            ]
        }

    tasks = [
        {"both": {"fork": {"branches": [{"l": branch("left")}, {"r": branch("right")}]}}},
        {"after": {"set": {"branches": "${ . }", "c": "${ $context }"}}},
    ]
    output, _ = await run(tasks)
    assert output["branches"] == [{"c": {"left": 1}}, {"c": {"right": 1}}]
    assert output["c"] == {"left": 1, "right": 1}


async def test_a_skipped_task_leaves_everything_as_it_was_and_takes_no_directive() -> None:
    tasks = [
        {"skipped": {"if": "${ false }", "set": {"x": 1}, "export": {"as": "${ 7 }"}, "then": "end"}},
        {"next": {"set": {"seen": "${ .a }", "context": "${ $context }"}}},
    ]
    output, context = await run(tasks, {"a": 1})
    assert output == {"seen": 1, "context": {}}
    assert [(note.kind, note.choice) for note in context.notes] == [("if", False)]


async def test_a_function_sees_its_arguments_and_not_the_variables_of_its_caller() -> None:
    function = {"set": {"given": "${ . }", "x": "${ $x }"}}
    loop = {"for": {"each": "x", "in": "${ [1] }"}, "do": [{"c": {"call": "f", "with": {"a": "${ $x }"}}}]}
    with pytest.raises(DefinitionError, match=r"\$x"):
        await run([{"loop": loop}], None, use={"functions": {"f": function}})
    del function["set"]["x"]
    output, _ = await run([{"loop": loop}], None, use={"functions": {"f": function}})
    assert output == {"given": {"a": 1}}


async def test_a_fault_of_an_expression_names_it_and_the_place_without_the_data() -> None:
    with pytest.raises(FaultRaised) as caught:
        await run([{"bad": {"set": {"x": "${ .a + 1 }"}}}], {"a": "secret"})
    fault = caught.value.fault
    assert (fault.status, fault.instance) == (400, "/do/0/bad")
    assert "secret" not in str(fault)


def test_a_moment_tells_seconds_milliseconds_and_text() -> None:
    assert moment(1_500_000) == {
        "iso8601": "1970-01-01T00:00:01.500Z",
        "epoch": {"seconds": 1, "milliseconds": 1_500},
    }
