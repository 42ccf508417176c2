"""Our parser against libjq's: both accept the same texts."""

from __future__ import annotations

import re
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counterpoint.core.expr.lexer import JqSyntaxError
from counterpoint.core.expr.parser import parse
from tests.conftest import SCALE
from tests.property.jq_oracle import accepts
from tests.property.jq_programs import Programs
from tests.unit.core.expr.jq_texts import TEXTS

_TOKENS = re.compile(r'\s+|"(?:[^"\\]|\\.)*"|[A-Za-z_$@]\w*|\d+|\.\w+|[=!<>|/?]+|.', re.DOTALL)
_PIECES = r"""
    . .. .a ."a" [ ] ( ) { } | , : ; ? // ?// and or not if then elif else end try catch reduce
    foreach as def f label break $x $__loc__ 1 - + * == < = |= //= "s" "\( @base64 [] empty f( .[1:]
    {a} {a:1} $ 1.5 .5e3 :: !=
""".split()
_PHRASES = (*_PIECES, ". as $x |", "def f: 1;", "label $x |", "# c\n")


def damaged(random: Random, text: str) -> str:
    """A text with some tokens removed, added, replaced or exchanged."""
    tokens = _TOKENS.findall(text)
    for _ in range(random.randrange(1, 4)):
        here, there = random.randrange(len(tokens) + 1), random.randrange(len(tokens) + 1)
        match random.randrange(4):
            case 0:
                tokens[here : here + 1] = []
            case 1:
                tokens.insert(here, random.choice(_PHRASES))
            case 2:
                tokens[here : here + 1] = [random.choice(_PHRASES)]
            case _:
                tokens.insert(here, "".join(tokens[there : there + 2]))
    return "".join(tokens)


def is_ours(text: str) -> bool:
    """Whether our parser accepts a text."""
    try:
        parse(text)
    except JqSyntaxError:
        return False
    return True


# Modules are refused by our grammar. A constant key that is no string makes libjq give up before the end.
_BEYOND = re.compile(r"\b(import|include|module)\b|\(\(?(-?\d|true|false|null|\[|\{)")


@settings(max_examples=40 * SCALE, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**48))
def test_damaged_programs_are_accepted_by_both_or_by_none(seed: int) -> None:
    random = Random(seed)
    for _ in range(30):
        base = random.choice(TEXTS) if random.random() < 0.5 else Programs(random).program(2)
        text = damaged(random, base)
        if random.random() < 0.15:
            text = " ".join(random.choice(_PHRASES) for _ in range(random.randrange(1, 8)))
        if _BEYOND.search(text) is None:
            assert is_ours(text) == accepts(text), text


@settings(max_examples=20 * SCALE, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**48))
def test_random_programs_are_accepted_by_both(seed: int) -> None:
    text = Programs(Random(seed)).program(3)
    assert is_ours(text)
    assert accepts(text)
