"""Parser for the whole grammar of jq 1.8, by recursive descent with operator precedence.

It exists so that syntax errors, unknown names and free variables are found when a document is loaded, with
their place, in a process that never runs libjq. A property test compares it with libjq's own parser. Three
things are easily got wrong: `//` binds weaker than assignment, `as` takes the whole expression on its left,
and the body of `def`, `as` and `label` reaches as far to the right as it can.
"""

from __future__ import annotations

from counterpoint.core.expr.cursor import Cursor
from counterpoint.core.expr.lexer import JqSyntaxError, Token
from counterpoint.core.expr.syntax import (
    Binary,
    Bind,
    Comma,
    Define,
    Label,
    Negate,
    Node,
    Pipe,
    Try,
    Update,
    depth_of,
)
from counterpoint.core.expr.terms import TermParser

MAX_TREE_DEPTH = 150
"""Deepest syntax tree; long chains of one operator count."""

_LEVELS: dict[str, tuple[int, str]] = {
    "//": (1, "right"),
    **dict.fromkeys(("=", "|=", "+=", "-=", "*=", "/=", "%=", "//="), (2, "none")),
    "or": (3, "left"),
    "and": (4, "left"),
    **dict.fromkeys(("==", "!=", "<", ">", "<=", ">="), (5, "none")),
    **dict.fromkeys(("+", "-"), (6, "left")),
    **dict.fromkeys(("*", "/", "%"), (7, "left")),
}
_UPDATE_LEVEL = 2
_MULTIPLY_LEVEL = 7


def parse(source: str) -> Node:
    """Syntax tree of a jq program.

    Raises:
        JqSyntaxError: The text is no program; offset and hint say where and what to do.
    """
    parser = _Parser(source)
    tree = parser.program()
    if depth_of(tree) > MAX_TREE_DEPTH:
        raise JqSyntaxError("the expression is nested too deeply", 0, "split it")
    return tree


class _Parser:
    def __init__(self, source: str) -> None:
        self.cursor = Cursor(source)
        self.terms = TermParser(source, self.cursor, self._query, self._expression)

    def program(self) -> Node:
        if self.cursor.is_at("module", "import", "include"):
            token = self.cursor.ahead
            raise JqSyntaxError(f"`{token.text}` is not allowed: expressions have no modules", token.at)
        if self.cursor.is_kind("end"):
            raise JqSyntaxError("the expression is empty", 0, "write `.` for the value itself")
        tree = self._query()
        if not self.cursor.is_kind("end"):
            raise self.cursor.unexpected("the end")
        return tree

    def _query(self) -> Node:
        """`a, b | c`, with `def`, `as` and `label`, which reach to the right end."""
        start = self.cursor.ahead.at
        stages: list[Node] = []
        with self.cursor:
            while True:
                items = [self._open_ended()]
                while self.cursor.accept(","):
                    items.append(self._open_ended())
                stages.append(items[0] if len(items) == 1 else Comma(tuple(items), at=start))
                if not self.cursor.accept("|"):
                    break
        return stages[0] if len(stages) == 1 else Pipe(tuple(stages), at=start)

    def _open_ended(self) -> Node:
        token = self.cursor.ahead
        if self.cursor.accept("def"):
            return self._define(token)
        if self.cursor.accept("label"):
            name = self.terms.patterns.variable_name()
            self.cursor.expect("|")
            return Label(name, self._query(), at=token.at)
        source = self._expression()
        if not self.cursor.accept("as"):
            return source
        patterns = self.terms.patterns.patterns()
        self.cursor.expect("|")
        return Bind(source, patterns, self._query(), at=token.at)

    def _define(self, start: Token) -> Node:
        if not self.cursor.is_kind("name"):
            raise self.cursor.unexpected("the name of a function")
        name = self.cursor.take()
        parameters: list[str] = []
        if self.cursor.accept("("):
            parameters.append(self._parameter())
            while self.cursor.accept(";"):
                parameters.append(self._parameter())
            self.cursor.expect(")")
        self.cursor.expect(":")
        body = self._query()
        self.cursor.expect(";")
        return Define(name.text, tuple(parameters), body, self._query(), at=start.at)

    def _parameter(self) -> str:
        if self.cursor.ahead.kind not in ("name", "variable"):
            raise self.cursor.unexpected("the name of a parameter")
        return self.cursor.take().text

    def _expression(self, lowest: int = 1) -> Node:
        left = self._prefix()
        barred = 99
        while self.cursor.ahead.kind in ("operator", "keyword") and self.cursor.ahead.text in _LEVELS:
            level, side = _LEVELS[self.cursor.ahead.text]
            if level < lowest:
                break
            if level >= barred and side == "none":
                raise self.cursor.unexpected("an end of the comparison")
            token = self.cursor.take()
            left = self._operation(token, left, level, side)
            barred = level if side == "none" else 99
        return left

    def _operation(self, token: Token, left: Node, level: int, side: str) -> Node:
        with self.cursor:
            right = self._expression(level if side == "right" else level + 1)
        if level == _UPDATE_LEVEL:
            return Update(token.text, left, right, at=token.at)
        return Binary(token.text, left, right, at=token.at)

    def _prefix(self) -> Node:
        token = self.cursor.ahead
        if not self.cursor.is_at("-", "try"):
            return self.terms.term()
        self.cursor.take()
        with self.cursor:
            if token.text == "-":
                return Negate(self._expression(_MULTIPLY_LEVEL), at=token.at)
            body = self._prefix()
            handler = self._prefix() if self.cursor.accept("catch") else None
            return Try(body, handler, at=token.at)
