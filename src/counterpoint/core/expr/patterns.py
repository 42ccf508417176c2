"""Patterns of jq: `$x`, `[$a, $b]`, `{key: $v, $name}`, and alternatives between `?//`."""

from __future__ import annotations

from collections.abc import Callable

from counterpoint.core.expr.cursor import Cursor
from counterpoint.core.expr.lexer import JqSyntaxError, Token
from counterpoint.core.expr.syntax import ArrayPattern, Node, ObjectPattern, Pattern, Text, VariablePattern


class PatternParser:
    """Parses what stands behind `as`.

    Args:
        cursor: Where the parser stands.
        query: Parses an expression in brackets.
        key_string: Parses a string that is a key.
    """

    def __init__(self, cursor: Cursor, query: Callable[[], Node], key_string: Callable[[], Node]) -> None:
        self.cursor = cursor
        self._query = query
        self._key_string = key_string

    def variable_name(self) -> str:
        """Name of a variable that must come next."""
        if not self.cursor.is_kind("variable"):
            raise self.cursor.unexpected("a variable")
        return self.cursor.take().text[1:]

    def patterns(self) -> tuple[Pattern, ...]:
        """One pattern, or several between `?//`."""
        patterns = [self._pattern()]
        while self.cursor.accept("?//"):
            patterns.append(self._pattern())
        return tuple(patterns)

    def _group(self) -> Node:
        self.cursor.expect("(")
        inner = self._query()
        self.cursor.expect(")")
        return inner

    def _pattern(self) -> Pattern:
        token = self.cursor.ahead
        with self.cursor:
            if token.kind == "variable":
                return VariablePattern(self.variable_name(), at=token.at)
            if self.cursor.accept("["):
                items = [self._pattern()]
                while self.cursor.accept(","):
                    items.append(self._pattern())
                self.cursor.expect("]")
                return ArrayPattern(tuple(items), at=token.at)
            self.cursor.expect("{")
            entries = [self._pattern_entry()]
            while self.cursor.accept(","):
                entries.append(self._pattern_entry())
            self.cursor.expect("}")
            return ObjectPattern(tuple(entries), at=token.at)

    def _pattern_entry(self) -> tuple[Node, str | None, Pattern | None]:
        token = self.cursor.ahead
        if token.kind == "variable":
            name = self.variable_name()
            key: Node = Text((name,), at=token.at)
            return key, name, self._pattern() if self.cursor.accept(":") else None
        if token.kind in ("open", "format"):
            key = self._key_string()
        elif token.kind in ("name", "keyword"):
            self.cursor.take()
            key = Text((token.text,), at=token.at)
        elif self.cursor.is_at("("):
            key = self._group()
        else:
            raise key_error(self.cursor, token)
        self.cursor.expect(":")
        return key, None, self._pattern()


def key_error(cursor: Cursor, token: Token) -> JqSyntaxError:
    """The error that a token cannot be a key."""
    if token.kind in ("number", "field"):
        hint = "write (expression): for a computed key"
        return JqSyntaxError(f"`{token.text}` cannot be a key", token.at, hint)
    return cursor.unexpected("a key")
