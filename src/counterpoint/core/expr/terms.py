"""Terms of the grammar of jq: what stands between operators, with the suffixes that reach into it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from counterpoint.core.expr.cursor import Cursor
from counterpoint.core.expr.lexer import JqSyntaxError, Token
from counterpoint.core.expr.patterns import PatternParser, key_error
from counterpoint.core.expr.syntax import (
    Array,
    Break,
    Call,
    Foreach,
    Format,
    Identity,
    If,
    Index,
    Iterate,
    Literal,
    Location,
    Node,
    Object,
    Pattern,
    Pipe,
    Reduce,
    Slice,
    Text,
    Try,
    Variable,
)

_CONSTANTS = {"null": None, "true": True, "false": False}


class TermParser:
    """Parses one term.

    Args:
        source: The whole text, for line numbers.
        cursor: Where the parser stands.
        query: Parses `a, b | c`.
        expression: Parses operators only, as in the value of an object's member.
    """

    def __init__(
        self, source: str, cursor: Cursor, query: Callable[[], Node], expression: Callable[[], Node]
    ) -> None:
        self.source = source
        self.cursor = cursor
        self._query = query
        self._expression = expression
        self.patterns = PatternParser(cursor, query, self.key_string)
        self._starts: dict[str, Callable[[Token], Node]] = {
            "(": self._group,
            "[": self._array,
            "{": self._object,
            ".": self._dot,
            "..": lambda token: Call("recurse", at=token.at),
            "if": self._if,
            "reduce": self._reduce,
            "foreach": self._foreach,
            "break": lambda token: Break(self.patterns.variable_name(), at=token.at),
        }

    def term(self) -> Node:
        """A term with all its suffixes."""
        first = self.cursor.ahead
        node = self._term()
        # `.a.b?` forgives the step to `b` alone, while `(.a.b)?` forgives both.
        is_step = first.kind == "field" or first.text == "."
        while True:
            token = self.cursor.ahead
            if token.kind == "field":
                self.cursor.take()
                node = Index(node, Text((token.text[1:],), at=token.at), at=token.at)
            elif self.cursor.is_at("?"):
                self.cursor.take()
                node = _optional(node) if is_step else Try(node, at=token.at)
                is_step = False
                continue
            elif self.cursor.is_at("["):
                self.cursor.take()
                node = self._bracket(node, token)
            elif self.cursor.is_at("."):
                self.cursor.take()
                node = self._after_dot(node, token)
            else:
                return node
            is_step = True

    def _after_dot(self, node: Node, token: Token) -> Node:
        if self.cursor.is_kind("open"):
            return Index(node, self._string(), at=token.at)
        if self.cursor.accept("["):
            return self._bracket(node, token, may_slice=False)
        hint = 'write .["name"] for names that are no identifiers'
        raise JqSyntaxError("`.` needs the name of a field directly behind it", token.at, hint)

    def _bracket(self, node: Node, token: Token, may_slice: bool = True) -> Node:
        if self.cursor.accept("]"):
            return Iterate(node, at=token.at)
        if may_slice and self.cursor.accept(":"):
            high = self._query()
            self.cursor.expect("]")
            return Slice(node, None, high, at=token.at)
        low = self._query()
        if self.cursor.accept("]"):
            return Index(node, low, at=token.at)
        if not may_slice or not self.cursor.accept(":"):
            raise self.cursor.unexpected("`]`")
        if self.cursor.accept("]"):
            return Slice(node, low, None, at=token.at)
        high = self._query()
        self.cursor.expect("]")
        return Slice(node, low, high, at=token.at)

    def _term(self) -> Node:
        token = self.cursor.ahead
        if token.kind in ("operator", "keyword"):
            handler = self._starts.get(token.text)
            if handler is None:
                raise self.cursor.unexpected("a value")
            self.cursor.take()
            return handler(token)
        if token.kind == "open":
            return self._string()
        if token.kind == "end":
            raise self.cursor.unexpected("a value")
        self.cursor.take()
        return self._simple_term(token)

    def _simple_term(self, token: Token) -> Node:
        match token.kind:
            case "field":
                return Index(Identity(at=token.at), Text((token.text[1:],), at=token.at), at=token.at)
            case "number":
                return Literal(number_of(token.text), token.text, at=token.at)
            case "variable" if token.text == "$__loc__":
                return Location(self.source.count("\n", 0, token.at) + 1, at=token.at)
            case "variable":
                return Variable(token.text[1:], at=token.at)
            case "format":
                if self.cursor.is_kind("open"):
                    return self._string(token.text[1:])
                return Format(token.text[1:], at=token.at)
        return self._call(token)

    def _call(self, token: Token) -> Node:
        if token.text in _CONSTANTS and not self.cursor.is_at("("):
            return Literal(_CONSTANTS[token.text], at=token.at)
        arguments: list[Node] = []
        if self.cursor.accept("("):
            arguments.append(self._query())
            while self.cursor.accept(";"):
                arguments.append(self._query())
            self.cursor.expect(")")
        return Call(token.text, tuple(arguments), at=token.at)

    def _dot(self, token: Token) -> Node:
        here = Identity(at=token.at)
        if self.cursor.is_kind("open"):
            return Index(here, self._string(), at=token.at)
        if self.cursor.accept("["):
            return self._bracket(here, token)
        if self.cursor.is_kind("name") and self.cursor.ahead.at == token.at + 1:
            raise self.cursor.unexpected("a field")
        return here

    def _group(self, token: Token) -> Node:
        inner = self._query()
        self.cursor.expect(")")
        return inner

    def _array(self, token: Token) -> Node:
        if self.cursor.accept("]"):
            return Array(None, at=token.at)
        body = self._query()
        self.cursor.expect("]")
        return Array(body, at=token.at)

    def _if(self, token: Token) -> Node:
        condition = self._query()
        self.cursor.expect("then")
        yes = self._query()
        nested = self.cursor.ahead
        no: Node | None = None
        if self.cursor.accept("elif"):
            with self.cursor:
                no = self._if(nested)
            return If(condition, yes, no, at=token.at)
        if self.cursor.accept("else"):
            no = self._query()
        self.cursor.expect("end")
        return If(condition, yes, no, at=token.at)

    def _reduce(self, token: Token) -> Node:
        source, patterns = self._source()
        start = self._query()
        self.cursor.expect(";")
        update = self._query()
        self.cursor.expect(")")
        return Reduce(source, patterns, start, update, at=token.at)

    def _foreach(self, token: Token) -> Node:
        source, patterns = self._source()
        start = self._query()
        self.cursor.expect(";")
        update = self._query()
        extract = self._query() if self.cursor.accept(";") else None
        self.cursor.expect(")")
        return Foreach(source, patterns, start, update, extract, at=token.at)

    def _source(self) -> tuple[Node, tuple[Pattern, ...]]:
        source = self._expression()
        self.cursor.expect("as")
        patterns = self.patterns.patterns()
        self.cursor.expect("(")
        return source, patterns

    def _string(self, format_name: str = "") -> Text:
        opened = self.cursor.take()
        parts: list[str | Node] = []
        while True:
            token = self.cursor.take()
            if token.kind == "close":
                return Text(tuple(parts), format_name, at=opened.at)
            if token.kind == "text":
                parts.append(token.text)
            else:
                parts.append(self._query())
                self.cursor.expect(")")

    def _object(self, token: Token) -> Node:
        entries: list[tuple[Node, Node]] = []
        while not self.cursor.accept("}"):
            entries.append(self._entry())
            if not self.cursor.is_at("}"):
                self.cursor.expect(",")
        return Object(tuple(entries), at=token.at)

    def _entry(self) -> tuple[Node, Node]:
        token = self.cursor.ahead
        here = Identity(at=token.at)
        if token.kind == "variable":
            self.cursor.take()
            name = Text((token.text[1:],), at=token.at)
            variable = self._simple_term(token)
            if isinstance(variable, Variable) and self.cursor.accept(":"):
                return variable, self._entry_value()
            return name, variable
        if token.kind in ("open", "format"):
            key: Node = self.key_string()
        elif token.kind in ("name", "keyword"):
            self.cursor.take()
            key = Text((token.text,), at=token.at)
        elif self.cursor.is_at("("):
            key = self._group(self.cursor.take())
            if not self.cursor.is_at(":"):
                raise self.cursor.unexpected("`:`")
        else:
            raise key_error(self.cursor, token)
        if self.cursor.accept(":"):
            return key, self._entry_value()
        return key, Index(here, key, at=token.at)

    def _entry_value(self) -> Node:
        start = self.cursor.ahead.at
        stages = [self._expression()]
        while self.cursor.accept("|"):
            stages.append(self._expression())
        return stages[0] if len(stages) == 1 else Pipe(tuple(stages), at=start)

    def key_string(self) -> Node:
        """A string, possibly with a format, as the key of a member."""
        if self.cursor.is_kind("format"):
            token = self.cursor.take()
            if not self.cursor.is_kind("open"):
                raise self.cursor.unexpected("a string")
            return self._string(token.text[1:])
        return self._string()


def _optional(node: Node) -> Node:
    if isinstance(node, Index | Slice | Iterate):
        return structs.replace(node, is_optional=True)
    return Try(node, at=node.at)


def number_of(text: str) -> int | float:
    """Value of a number literal; whole numbers are exact integers."""
    if text.isdigit() and len(text) <= 40:
        return int(text)
    return float(text)
