"""Names: what reaches outside is refused, what is unknown is found, with hint and place."""

from __future__ import annotations

import pytest

from counterpoint.core.expr import check_expression
from counterpoint.core.expr.vocabulary import FORBIDDEN, FUNCTIONS
from tests.property.jq_oracle import results_of


@pytest.mark.parametrize(
    "text",
    [
        "env",
        "$ENV",
        "$ENV.PATH",
        "env.PATH",
        "input",
        "inputs",
        "[inputs]",
        "input_filename",
        "input_line_number",
        "halt",
        "halt_error",
        "halt_error(1)",
        "debug",
        'debug("x")',
        "stderr",
        "now",
        "now | todate",
        "localtime",
        '0 | strflocaltime("%c")',
        "get_search_list",
        "modulemeta",
        "get_jq_origin",
        "get_prog_origin",
        "$__prog_args",
        'import "a" as a; a::f',
        'include "a"; .',
        "module {}; .",
        "getenv",
        "rand",
        '"x\\(env)"',
        "{a: $ENV}",
        "{$ENV}",
        "[.[] | now]",
        "def f: env; f",
        ". as [$x] | $ENV",
        "try env catch .",
        "reduce inputs as $x (0; . + 1)",
        ".a |= now",
        "if halt then 1 end",
        '@base64 "\\(env)"',
        "label $x | env",
        ". as {(env | keys[0]): $x} | $x",
    ],
)
def test_what_reaches_outside_the_value_is_refused(text: str) -> None:
    problems = check_expression(text)
    assert len(problems) == 1
    assert "not allowed" in problems[0].message or "no function" in problems[0].message


def test_the_place_of_a_forbidden_name_is_given() -> None:
    (problem,) = check_expression(".a | [env]")
    assert problem.offset == 6
    assert "environment" in problem.message


def test_a_definition_of_its_own_may_take_a_forbidden_name() -> None:
    assert check_expression("def now: 1; now") == []


def test_a_shadowed_variable_may_take_a_forbidden_name() -> None:
    assert check_expression(". as $ENV | $ENV") == []


def test_every_function_of_libjq_is_either_known_or_forbidden() -> None:
    (names,) = results_of("builtins", None, {})
    known = {f"{name}/{arity}" for name, arities in FUNCTIONS.items() for arity in arities}
    missing = {name for name in names if name not in known and name.split("/")[0] not in FORBIDDEN}
    assert missing == set()
    assert known - set(names) == set()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("selct(.a)", "select"),
        (".a | lenght", "length"),
        ("[.[] | tostrng]", "tostring"),
        ("@bas64", "@base64"),
    ],
)
def test_an_unknown_name_brings_the_nearest_known_one(text: str, hint: str) -> None:
    (problem,) = check_expression(text)
    assert hint in problem.hint


def test_a_wrong_number_of_arguments_is_found() -> None:
    (problem,) = check_expression("select(.a; .b)")
    assert "takes 1 arguments, not 2" in problem.message


def test_a_local_function_is_visible_in_its_scope_only() -> None:
    assert check_expression("def f: 1; f") == []
    assert check_expression("def f(g; $x): g + $x + x; f(1; 2)") == []
    assert check_expression("(def f: 1; f) | f") != []
    assert check_expression("def f: f; f") == []


def test_variables_are_known_where_a_pattern_binds_them() -> None:
    allowed = frozenset({"context"})
    for text in (
        ". as $x | $x",
        ". as [$a, {b: $c, $d}] | $a + $c + $d",
        "reduce .[] as $i (0; . + $i)",
        "foreach .[] as [$i] (0; $i; $i)",
        "def f($p): $p; f(1)",
        ". as [$a] ?// $b | [$a, $b]",
        "$context.x",
        "{$context}",
        "$__loc__",
    ):
        assert check_expression(text, allowed) == [], text
    for text in ("$x", "(. as $x | $x) | $x", "reduce $i as $i (0; .)", ". as $x | $y", "{$contxt}"):
        assert len(check_expression(text, allowed)) == 1, text


def test_a_variable_that_does_not_exist_brings_those_that_do() -> None:
    (problem,) = check_expression("$contxt.a", frozenset({"context", "input"}))
    assert problem.message == "`$contxt` does not exist here"
    assert "$context" in problem.hint
    (problem,) = check_expression("1 + $zzz", frozenset({"context", "input"}))
    assert problem.hint == "here are: $context, $input"
    assert problem.offset == 4


def test_all_problems_come_at_once() -> None:
    assert len(check_expression("env + $nope + foo | @bar", frozenset())) == 4


def test_a_break_needs_its_label() -> None:
    assert check_expression("label $out | break $out") == []
    (problem,) = check_expression("break $out")
    assert "label $out |" in problem.hint


@pytest.mark.parametrize("text", ["{(1): 2}", "{(null): 2}", "{([]): 2}", "1e999", "99999999999999999999"])
def test_constants_that_can_never_work_are_found(text: str) -> None:
    assert len(check_expression(text)) == 1


def test_single_quotes_bring_a_hint() -> None:
    (problem,) = check_expression(".a == 'x'")
    assert "double quotes" in problem.hint
    assert problem.offset == 6
