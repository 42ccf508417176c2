"""Grammar: what is accepted, how it groups, and where an error is found."""

from __future__ import annotations

import pytest

from counterpoint.core.expr.lexer import MAX_TEXT, JqSyntaxError
from counterpoint.core.expr.parser import parse
from counterpoint.core.expr.syntax import (
    Binary,
    Bind,
    Comma,
    Index,
    Iterate,
    Negate,
    Pipe,
    Text,
    Try,
    depth_of,
)
from tests.property.jq_oracle import accepts
from tests.property.test_parser_equals_libjq import is_ours
from tests.unit.core.expr.jq_texts import TEXTS


def error_of(text: str) -> JqSyntaxError:
    """The error of a text that is no program."""
    with pytest.raises(JqSyntaxError) as caught:
        parse(text)
    return caught.value


def test_our_parser_and_libjq_accept_the_same_texts() -> None:
    assert [text for text in TEXTS if is_ours(text) != accepts(text)] == []


def test_the_texts_try_both_sides() -> None:
    accepted = sum(is_ours(text) for text in TEXTS)
    assert len(TEXTS) > 400
    assert min(accepted, len(TEXTS) - accepted) > 80


def test_alternatives_bind_weaker_than_comparison_and_to_the_right() -> None:
    tree = parse(".a == 1 // .b // .c")
    assert isinstance(tree, Binary)
    assert tree.operator == "//"
    assert isinstance(tree.left, Binary)
    assert tree.left.operator == "=="
    assert isinstance(tree.right, Binary)
    assert tree.right.operator == "//"


def test_minus_takes_only_the_product_behind_it() -> None:
    tree = parse("-1 * 2 + 3")
    assert isinstance(tree, Binary)
    assert tree.operator == "+"
    assert isinstance(tree.left, Negate)


def test_comma_binds_tighter_than_the_pipe() -> None:
    tree = parse("1, 2 | 3")
    assert isinstance(tree, Pipe)
    assert isinstance(tree.stages[0], Comma)


def test_as_takes_the_whole_expression_on_its_left() -> None:
    tree = parse("1 + 2 as $x | $x, 3 | 4")
    assert isinstance(tree, Bind)
    assert isinstance(tree.source, Binary)
    assert isinstance(tree.body, Pipe)


def test_a_question_mark_behind_a_step_forgives_only_that_step() -> None:
    step, group = parse(".a.b?"), parse("(.a.b)?")
    assert isinstance(step, Index)
    assert step.is_optional
    assert isinstance(step.term, Index)
    assert not step.term.is_optional
    assert isinstance(group, Try)
    iterated = parse(".[]?")
    assert isinstance(iterated, Iterate)
    assert iterated.is_optional


def test_strings_hold_expressions_and_escapes() -> None:
    tree = parse(r'"a\u00e9\ud83d\ude00\n\(.x + "\(1)")z"')
    assert isinstance(tree, Text)
    assert tree.parts[0] == "aé\U0001f600\n"
    assert isinstance(tree.parts[1], Binary)
    assert tree.parts[2] == "z"


@pytest.mark.parametrize(
    ("text", "offset", "words"),
    [
        ("", 0, "empty"),
        (".a | | .b", 5, "`|` stands where a value"),
        ("if .a then .b", 13, "`end`"),
        ("{a: 1", 0, "never closed"),
        ("(1]", 2, "closes nothing"),
        (".a.", 2, "needs the name"),
        ('"abc', 0, "never closed"),
        (r'"\x"', 1, "no escape"),
        ('import "x" as x; .', 0, "not allowed"),
        ('include "x"; .', 0, "not allowed"),
        ("1 == 2 == 3", 7, "stands where"),
        ("$ x", 0, "name of a variable"),
        (".a ++ .b", 4, "value"),
    ],
)
def test_an_error_says_what_and_where(text: str, offset: int, words: str) -> None:
    error = error_of(text)
    assert words in error.message
    assert error.at == offset


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (".status == 'open'", "double quotes"),
        (".a && .b", "`and`"),
        ("!.a", "`not`"),
        (".a?//1", "? //"),
        ("{1: 2}", "(expression):"),
        (".a.", '.["name"]'),
        (".é", '.["name"]'),
    ],
)
def test_an_error_has_a_hint_for_the_usual_mistakes(text: str, hint: str) -> None:
    assert hint in error_of(text).hint


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5_000 + "1" + ")" * 5_000,
        "[" * 5_000,
        "-" * 5_000 + "1",
        "try " * 5_000 + "1",
        "+".join(["1"] * 5_000),
        " // ".join(["1"] * 5_000),
        "1 as $x | " * 2_000 + "1",
        "def f: " * 3_000,
        "if 1 then 2 " + "elif 1 then 2 " * 2_000 + "end",
        '"' + r"\(" * 5_000,
        "{a:" * 5_000,
        ". as " + "[" * 5_000 + "$x",
        ".a" * 5_000,
        "1" * (MAX_TEXT + 1),
        "label $x | " * 2_000 + "1",
    ],
)
def test_hostile_texts_are_refused_instead_of_exhausting_the_stack(text: str) -> None:
    error_of(text)


def test_depth_is_measured_without_recursion() -> None:
    assert depth_of(parse("1 + 2 + 3")) == 3
