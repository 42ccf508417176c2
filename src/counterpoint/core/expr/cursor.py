"""Cursor over the tokens of a program: one token of look-ahead, and a limit on nesting."""

from __future__ import annotations

from counterpoint.core.expr.lexer import JqSyntaxError, Kind, Token, tokenize

MAX_NESTING = 80
"""Deepest nesting of brackets and operands; each level costs the parser a few frames of the stack."""


class Cursor:
    """Reads tokens one after the other; `with cursor:` is one level of nesting."""

    def __init__(self, source: str) -> None:
        self._tokens = tokenize(source)
        self._position = 0
        self._nesting = 0

    def __enter__(self) -> None:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise JqSyntaxError("the expression is nested too deeply", self.ahead.at, "split it")

    def __exit__(self, *exception: object) -> None:
        self._nesting -= 1

    @property
    def ahead(self) -> Token:
        """The next token, not yet taken."""
        return self._tokens[self._position]

    def take(self) -> Token:
        """The next token; the end is never passed."""
        token = self._tokens[self._position]
        if token.kind != "end":
            self._position += 1
        return token

    def is_at(self, *texts: str) -> bool:
        """Whether an operator or keyword with one of these texts comes next."""
        token = self._tokens[self._position]
        return token.kind in ("operator", "keyword") and token.text in texts

    def is_kind(self, kind: Kind) -> bool:
        """Whether a token of a kind comes next."""
        return self._tokens[self._position].kind == kind

    def accept(self, text: str) -> bool:
        """Take an operator or keyword if it comes next."""
        if self.is_at(text):
            self._position += 1
            return True
        return False

    def expect(self, text: str) -> Token:
        """Take an operator or keyword that must come next."""
        if not self.is_at(text):
            raise self.unexpected(f"`{text}`")
        return self.take()

    def unexpected(self, wanted: str) -> JqSyntaxError:
        """The error that something else than `wanted` comes next."""
        token = self.ahead
        if token.kind == "end":
            return JqSyntaxError(f"the expression ends where {wanted} is expected", token.at)
        hint = "write `? //` with a blank for the alternative operator" if token.text == "?//" else ""
        return JqSyntaxError(f"`{token.text}` stands where {wanted} is expected", token.at, hint)
