"""Expressions as a document holds them: enclosed or bare, inside values, with places."""

from __future__ import annotations

from typing import Any

import pytest

from counterpoint.core.expr import (
    ExpressionFailed,
    ExpressionInvalid,
    NativeLimit,
    Program,
    Variables,
    compile_expression,
    compile_template,
    fill,
    has_embedded_expression,
    is_truthy,
    looks_like_expression,
    run_program,
    strip_expression,
)

FOREIGN = "def f: .a; f"


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("${ .a }", ".a"),
        ("  ${.a}  ", ".a"),
        ("${\n  .a |\n  .b\n}\n", ".a |\n  .b"),
        ("${ {a: 1} }", "{a: 1}"),
        ("${}", ""),
        (".a", None),
        ("x ${ .a }", None),
        ("${ .a } x", None),
        ("$ { .a }", None),
        ("", None),
    ],
)
def test_only_a_text_that_is_enclosed_as_a_whole_is_an_expression(text: str, inner: str | None) -> None:
    assert strip_expression(text) == inner


def test_bare_and_enclosed_give_the_same_program() -> None:
    assert compile_expression(".a") is compile_expression("${ .a }")


def test_a_program_names_its_free_variables() -> None:
    program = compile_expression("$context.a + (.b as $x | $x) + $y")
    assert program.variables == {"context", "y"}
    assert program.text == "$context.a + (.b as $x | $x) + $y"


def test_offsets_count_in_the_text_that_was_given() -> None:
    text = "  ${  .a + env }"
    with pytest.raises(ExpressionInvalid) as caught:
        compile_expression(text)
    assert text[caught.value.problems[0].offset :].startswith("env")
    with pytest.raises(ExpressionInvalid) as caught:
        compile_expression("  .a + env")
    assert caught.value.problems[0].offset == 7


def test_two_expressions_in_one_text_bring_a_hint() -> None:
    with pytest.raises(ExpressionInvalid) as caught:
        compile_expression("${ .a } and ${ .b }")
    assert "enclose the whole text" in caught.value.problems[0].hint


def test_variables_that_do_not_exist_are_refused() -> None:
    compile_expression("$input", frozenset({"input"}))
    with pytest.raises(ExpressionInvalid):
        compile_expression("$output", frozenset({"input"}))


def test_the_subset_is_native_and_the_rest_is_not() -> None:
    assert compile_expression(".a.b").native is not None
    assert compile_expression(FOREIGN).native is None


@pytest.mark.parametrize(
    "text", [".a", ".a.b[0]", "$context.x", "$input", '."a b"', ".[0]", " .a | length ", ".a == 1"]
)
def test_a_bare_string_that_was_meant_as_an_expression_is_noticed(text: str) -> None:
    assert looks_like_expression(text)


@pytest.mark.parametrize(
    "text", ["", "hello", "./run.sh", "...", ".", "$5", "$HOME/x", "a.b", "1 + 1", ".a b", "${ .a }"]
)
def test_other_strings_are_left_alone(text: str) -> None:
    assert not looks_like_expression(text)


def test_an_expression_inside_other_text_is_noticed() -> None:
    assert has_embedded_expression("echo ${ .a } now")
    assert not has_embedded_expression("${ .a }")
    assert not has_embedded_expression("echo $HOME")


def test_truth_is_everything_but_null_and_false() -> None:
    assert [is_truthy(value) for value in (None, False, 0, "", [], {}, True)] == [False, False, *[True] * 5]


class TestTemplates:
    def test_a_constant_template_returns_its_shared_value(self) -> None:
        source = {"a": [1, "x", ".b", "say ${ .c }"]}
        template = compile_template(source)
        assert template.is_constant
        assert template.native is not None
        assert template.native(None, {}) is source

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("${ .a }", 1),
            ({"x": "${ .a }"}, {"x": 1}),
            ({"x": "${ .a }", "y": 2}, {"x": 1, "y": 2}),
            (
                {"x": "${ .a }", "y": [1, "${ .b.c }"], "z": {"k": "${ $v }"}},
                {"x": 1, "y": [1, "c"], "z": {"k": 9}},
            ),
            (
                {"a": "${ .a }", "b": 1, "c": 2, "d": 3, "e": "${ .no }"},
                {"a": 1, "b": 1, "c": 2, "d": 3, "e": None},
            ),
            (["${ .a }", "${ .a + 1 }", ".a"], [1, 2, ".a"]),
            ({"a": ["${ .a }"]}, {"a": [1]}),
        ],
    )
    def test_holes_are_filled_and_the_rest_stays(self, source: Any, expected: Any) -> None:
        template = compile_template(source)
        assert template.native is not None
        result = template.native({"a": 1, "b": {"c": "c"}}, {"v": 9})
        assert result == expected
        if isinstance(expected, dict):
            assert list(result) == list(expected)

    def test_holes_have_their_paths_in_the_order_of_the_document(self) -> None:
        template = compile_template({"x": ["${ .a }", 1], "y": {"z": "${ $v }"}})
        assert [(path, program.text) for path, program in template.holes] == [
            (("x", 0), ".a"),
            (("y", "z"), "$v"),
        ]
        assert template.variables == {"v"}

    def test_all_problems_come_at_once_with_their_paths(self) -> None:
        with pytest.raises(ExpressionInvalid) as caught:
            compile_template(
                {"a": "${ env }", "b": ["${ .x", "${ .x. }"], "c": "${ $nope }"}, allowed=frozenset()
            )
        assert [problem.path for problem in caught.value.problems] == [("a",), ("b", 1), ("c",)]

    def test_a_foreign_hole_leaves_the_template_to_the_worker(self) -> None:
        assert compile_template({"a": "${ .x }", "b": "${ " + FOREIGN + " }"}).native is None

    def test_a_failing_hole_fails_the_template(self) -> None:
        template = compile_template({"a": "${ .x.y }"})
        assert template.native is not None
        with pytest.raises(ExpressionFailed):
            template.native({"x": 1}, {})


class TestLooseMode:
    def test_every_string_is_tried_as_an_expression(self) -> None:
        template = compile_template({"a": ".x", "b": "hello there", "c": "hello", "d": "${ .x }"}, "loose")
        assert template.native is not None
        assert template.native({"x": 1}, {}) == {"a": 1, "b": "hello there", "c": "hello", "d": 1}

    def test_an_expression_that_fails_is_its_text(self) -> None:
        template = compile_template({"a": ".x.y", "b": "${ .x.y }"}, "loose")
        assert template.native is not None
        assert template.native({"x": 1}, {}) == {"a": ".x.y", "b": "${ .x.y }"}

    async def test_a_foreign_expression_that_fails_is_its_text(self) -> None:
        template = compile_template({"a": FOREIGN, "b": ".x"}, "loose")
        assert await fill(template, {"x": 2}, {}, failing) == {"a": FOREIGN, "b": 2}


async def failing(program: Program, value: Any, variables: Variables) -> Any:
    """A worker on which everything fails."""
    raise ExpressionFailed("no")


class Recorder:
    """A worker that remembers what it was asked and gives the text back."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, program: Program, value: Any, variables: Variables) -> Any:
        """Give the text of the program back."""
        self.asked.append(program.text)
        return f"<{program.text}>"


class TestFilling:
    async def test_only_foreign_holes_go_to_the_worker(self) -> None:
        source = {"a": "${ .x }", "b": ["${ " + FOREIGN + " }", 1], "c": {"d": 2}}
        template, worker = compile_template(source), Recorder()
        result = await fill(template, {"x": 1}, {}, worker)
        assert result == {"a": 1, "b": [f"<{FOREIGN}>", 1], "c": {"d": 2}}
        assert worker.asked == [FOREIGN]
        assert source == {"a": "${ .x }", "b": ["${ " + FOREIGN + " }", 1], "c": {"d": 2}}

    async def test_a_native_template_needs_no_worker(self) -> None:
        assert await fill(compile_template({"a": "${ .x }"}), {"x": 1}, {}, failing) == {"a": 1}

    async def test_a_program_that_is_too_much_work_goes_to_the_worker(self) -> None:
        program, worker = compile_expression("[range(100000)] | length"), Recorder()
        assert program.native is not None
        with pytest.raises(NativeLimit):
            program.native(None, {})
        assert await run_program(program, None, {}, worker) == f"<{program.text}>"
        assert (
            await fill(compile_template("${ [range(100000)] | length }"), None, {}, worker)
            == f"<{program.text}>"
        )

    async def test_a_failing_foreign_hole_fails_the_template(self) -> None:
        with pytest.raises(ExpressionFailed):
            await fill(compile_template({"b": "${ " + FOREIGN + " }"}), None, {}, failing)
