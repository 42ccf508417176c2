"""Random programs of the native subset and random values for them, from a seeded source."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

KEYS = ("a", "b", "c", "items", "name", "n")
VARIABLES = ("x", "y")
_TEXTS = (
    "",
    "a",
    "b",
    "abc",
    "a,b,c",
    "Ärger",
    "\U0001f600x",
    "12",
    "1.5",
    " pad ",
    'q"\\',
    "true",
    "\x7f\n\u2028",
)
_NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    7,
    10,
    100,
    -5,
    0.5,
    1.5,
    -2.25,
    3.0,
    1e15,
    2**53 - 1,
    2**53 + 1,
    -(2**60),
    0.1,
    1e-7,
)
_LITERALS = (
    "null",
    "true",
    "false",
    "0",
    "1",
    "2",
    "-1",
    "10",
    "0.5",
    '"a"',
    '"abc"',
    '","',
    '""',
    '"12"',
    "[]",
    "{}",
)


def value(random: Random, depth: int = 4) -> Any:
    """A JSON value; keys come from a small set, so that paths hit."""
    kind = random.randrange(9 if depth else 6)
    if kind == 0:
        return None
    if kind == 1:
        return random.random() < 0.5
    if kind in (2, 3):
        return random.choice(_NUMBERS)
    if kind in (4, 5):
        return random.choice(_TEXTS)
    size = random.randrange(4)
    if kind == 6:
        return [value(random, depth - 1) for _ in range(size)]
    return {random.choice(KEYS): value(random, depth - 1) for _ in range(size + 1)}


def document(random: Random) -> dict[str, Any]:
    """A value of the usual shape: an object with a list of similar objects and plain members."""
    items = [
        {"n": random.choice((1, 2, 2, 3, 0.5, None)), "name": random.choice(_TEXTS), "a": value(random, 1)}
        for _ in range(random.randrange(4))
    ]
    plain = {"a": value(random, 3), "b": value(random, 2), "c": random.choice(_NUMBERS)}
    return {**plain, "items": items, "name": random.choice(_TEXTS), "n": random.choice((1, 2, 5, 0, -3))}


class Programs:
    """Writes random programs of the native subset."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.forms: list[Callable[[int], str]] = [
            self._path, self._path, self._path, self._literal, self._binary, self._binary,
            self._logic, self._if, self._object, self._array, self._text, self._call, self._call,
            self._call, self._call_with, self._call_with, self._pipe, self._pipe, self._gather,
            self._gather, self._bind, self._reduce, self._update, self._try, self._comma,
            self._slice,
        ]  # fmt: skip

    def program(self, depth: int = 3) -> str:
        """Text of a program."""
        if depth <= 0:
            return self.random.choice((self._path, self._path, self._literal))(0)
        return self.random.choice(self.forms)(depth - 1)

    def _some(self, depth: int) -> str:
        return f"({self.program(depth)})"

    def _path(self, depth: int) -> str:
        pick = self.random.choice
        start = pick((".", ".", ".", "$x", "$y"))
        steps = [
            pick(
                (
                    f".{pick(KEYS)}",
                    f'."{pick(KEYS)}"',
                    f'["{pick(KEYS)}"]',
                    "[0]",
                    "[-1]",
                    "[1]",
                    f".{pick(KEYS)}?",
                )
            )
            for _ in range(self.random.randrange(3))
        ]
        path = start + "".join(steps)
        return path[1:] if path.startswith("..") else path

    def _literal(self, depth: int) -> str:
        return self.random.choice(_LITERALS)

    def _binary(self, depth: int) -> str:
        operator = self.random.choice(
            ("+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "+", "==", "==")
        )
        right = self.program(0) if self.random.random() < 0.5 else self._some(depth)
        return f"{self._some(depth)} {operator} {right}"

    def _logic(self, depth: int) -> str:
        operator = self.random.choice(("and", "or", "//", "//"))
        return f"{self._some(depth)} {operator} {self._some(depth)}"

    def _if(self, depth: int) -> str:
        tail = f" else {self.program(depth)}" if self.random.random() < 0.7 else ""
        return f"if {self.program(depth)} then {self.program(depth)}{tail} end"

    def _object(self, depth: int) -> str:
        forms = (
            lambda: f"{self.random.choice(KEYS)}: {self._some(depth)}",
            lambda: self.random.choice(KEYS),
            lambda: "$x",
            lambda: f'"{self.random.choice(KEYS)}": {self._some(depth)}',
            lambda: f"({self._some(depth)}): {self._some(depth)}",
            lambda: f'"k\\({self.program(depth)})": 1',
        )
        return "{" + ", ".join(self.random.choice(forms)() for _ in range(self.random.randrange(1, 6))) + "}"

    def _array(self, depth: int) -> str:
        return "[" + ", ".join(self._some(depth) for _ in range(self.random.randrange(1, 4))) + "]"

    def _text(self, depth: int) -> str:
        style = self.random.choice(("", "", "", "@json ", "@text ", "@uri ", "@base64 ", "@html "))
        return f'{style}"<\\({self.program(depth)})-\\({self.program(0)})>"'

    def _call(self, depth: int) -> str:
        name = self.random.choice(
            """
            not length utf8bytelength keys keys_unsorted type tostring tojson tonumber
            ascii_downcase ascii_upcase trim ltrim rtrim add any all min max sort unique reverse
            flatten first last to_entries from_entries floor ceil round abs empty error nulls
            strings numbers values objects arrays booleans iterables scalars @json @base64 @uri
            @html @text
            """.split()
        )
        return f"{self._some(depth)} | {name}"

    def _call_with(self, depth: int) -> str:
        name = self.random.choice(
            """
            has startswith endswith ltrimstr rtrimstr trimstr split join contains inside select map
            map_values with_entries add any all IN in first last sort_by group_by unique_by min_by
            max_by error isempty flatten
            """.split()
        )
        argument = self._entry_change(depth) if name == "with_entries" else self.program(depth)
        if self.random.random() < 0.15:
            return self.random.choice(
                (
                    f"limit({self.random.randrange(1, 4)}; {self.program(depth)})",
                    f"any({self.program(depth)}; {self.program(depth)})",
                    f"all({self.program(depth)}; {self.program(depth)})",
                    f"[range({self.random.randrange(-2, 5)}; {self.random.randrange(5)})]",
                    f"{self._some(depth)} | range({self.program(0)})",
                    f'{self._some(depth)} | test("{self.random.choice(("a", "b,c", "Ä", "x y", "abc"))}")',
                )
            )
        return f"{self._some(depth)} | {name}({argument})"

    def _entry_change(self, depth: int) -> str:
        return self.random.choice(
            ("select(.value)", ".value |= tostring", '.key |= "k" + .', self.program(depth))
        )

    def _pipe(self, depth: int) -> str:
        return f"{self._some(depth)} | {self.program(depth)}"

    def _gather(self, depth: int) -> str:
        source = self.random.choice(
            (".items[]", ".[]", ".items[]?", ".a[]?", ".[]?", "(.items[], .a)", "$x[]?")
        )
        stages = [
            self.random.choice(
                (f"select({self.program(depth)})", self.program(depth), ".n", ".name", "values")
            )
            for _ in range(self.random.randrange(1, 3))
        ]
        inner = " | ".join((source, *stages))
        return self.random.choice((f"[{inner}]", f"[{inner}]", f"first({inner})", f"[{inner}] | add", inner))

    def _bind(self, depth: int) -> str:
        pattern = self.random.choice(
            ("$x", "$x", "[$x]", "{a: $x}", "{$a, b: [$x]}", "{$n: $x}", '{"name": $x}')
        )
        return f"{self._some(depth)} as {pattern} | {self.program(depth)}"

    def _reduce(self, depth: int) -> str:
        source = self.random.choice((".items[]?", ".[]?", "range(3)", "(1, 2)"))
        update = self.random.choice(
            (". + $x", ". + $x.n?", "{a: $x}", ". + [$x]", ". + {n: $x}", self.program(depth), ". + 1")
        )
        return f"reduce {source} as $x ({self.random.choice(('0', 'null', '[]', '{}', '.n'))}; {update})"

    def _update(self, depth: int) -> str:
        path = "".join(f".{self.random.choice(KEYS)}" for _ in range(self.random.randrange(1, 3)))
        operator = self.random.choice(("=", "|=", "+=", "-=", "*=", "//=", "/=", "%="))
        if self.random.random() < 0.2:
            return f"del({path}, .{self.random.choice(KEYS)})"
        return f"{path} {operator} {self._some(depth)}"

    def _try(self, depth: int) -> str:
        form = self.random.choice(("try {0}", "{0}?", "try {0} catch null", 'try {0} catch "no"', "[{0}?]"))
        return form.format(self._some(depth))

    def _comma(self, depth: int) -> str:
        return f"{self._some(depth)}, {self._some(depth)}"

    def _slice(self, depth: int) -> str:
        ends = self.random.choice(("1:", ":1", ":-1", "0:2", "-2:", "1:1"))
        return f"{self._some(depth)} | .[{ends}]"
