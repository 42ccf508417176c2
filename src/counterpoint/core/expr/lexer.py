"""Tokens of a jq program, the way libjq 1.8 cuts them.

Strings come as several tokens (`open`, `text`, `(`..., `)`, `close`), because expressions nest inside them;
a stack of open brackets tells which parenthesis ends an interpolation.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal[
    "field",
    "name",
    "keyword",
    "variable",
    "number",
    "format",
    "operator",
    "open",
    "text",
    "close",
    "splice",
    "end",
]

KEYWORDS = frozenset(
    "module import include if then else elif as reduce foreach end and or def try catch label break".split()
)
"""Words that cannot be functions; they are still good as fields, keys and variables."""

MAX_TEXT = 32_768
"""Longest expression, in characters."""

_NAME = r"(?:[A-Za-z_][A-Za-z_0-9]*::)*[A-Za-z_][A-Za-z_0-9]*"
_TOKEN = re.compile(
    rf"""
      (?P<space>[ \n\t\r]+|\#(?:\\(?:\r?\n|\\)|[^\n\\]|\\)*)
    | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<field>\.[A-Za-z_][A-Za-z_0-9]*)
    | (?P<variable>\${_NAME})
    | (?P<format>@[A-Za-z0-9_]+)
    | (?P<name>{_NAME})
    | (?P<operator>\?//|//=|\|=|\+=|-=|\*=|/=|%=|==|!=|<=|>=|//|\.\.|[.?=;,:|+\-*/%<>()\[\]{{}}"])
    """,
    re.VERBOSE,
)
_PLAIN = re.compile(r'[^"\\]+')
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = re.compile(r"u([0-9a-fA-F]{4})")
_CLOSER = {"(": ")", "[": "]", "{": "}", "splice": ")"}


class JqSyntaxError(Exception):
    """The text is no jq program.

    Attributes:
        message: What is wrong.
        at: Offset in the text.
        hint: What to write instead; may be empty.
    """

    def __init__(self, message: str, at: int, hint: str = "") -> None:
        self.message = message
        self.at = at
        self.hint = hint
        super().__init__(message)


class Token(NamedTuple):
    """One token: its kind, its text (decoded for `text`) and its offset."""

    kind: Kind
    text: str
    at: int


def tokenize(source: str) -> list[Token]:
    """Tokens of a program, with one of kind `end` last.

    Raises:
        JqSyntaxError: A character, an escape or a bracket that cannot stand there.
    """
    if len(source) > MAX_TEXT:
        raise JqSyntaxError(f"the expression is longer than {MAX_TEXT} characters", MAX_TEXT)
    return _Lexer(source).run()


class _Lexer:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.tokens: list[Token] = []
        self.brackets: list[tuple[str, int]] = []

    def run(self) -> list[Token]:
        while self.at < len(self.source):
            match = _TOKEN.match(self.source, self.at)
            if match is None:
                raise _bad_character(self.source, self.at)
            self._take(str(match.lastgroup), match.group())
        if self.brackets:
            kind, at = self.brackets[-1]
            raise JqSyntaxError(
                f"{'(' if kind == 'splice' else kind!r} is never closed".replace("'", "`"), at
            )
        self.tokens.append(Token("end", "", self.at))
        return self.tokens

    def _take(self, group: str, text: str) -> None:
        start = self.at
        self.at += len(text)
        if group == "space":
            return
        if text == '"':
            self.tokens.append(Token("open", text, start))
            self._string(start)
        elif text in ("(", "[", "{"):
            self.brackets.append((text, start))
            self.tokens.append(Token("operator", text, start))
        elif text in (")", "]", "}"):
            self._close(text, start)
        elif group == "name" and text in KEYWORDS:
            self.tokens.append(Token("keyword", text, start))
        else:
            self.tokens.append(Token(group, text, start))  # type: ignore[arg-type]

    def _close(self, text: str, start: int) -> None:
        if not self.brackets or _CLOSER[self.brackets[-1][0]] != text:
            raise JqSyntaxError(f"`{text}` closes nothing", start)
        kind, opened = self.brackets.pop()
        self.tokens.append(Token("operator", text, start))
        if kind == "splice":
            self._string(opened)

    def _string(self, opened: int) -> None:
        """Read literal text up to the closing quote or the next interpolation."""
        parts: list[str] = []
        start = self.at
        while True:
            plain = _PLAIN.match(self.source, self.at)
            if plain is not None:
                parts.append(plain.group())
                self.at = plain.end()
            if self.at >= len(self.source):
                raise JqSyntaxError("the string is never closed", opened)
            if self.source[self.at] == '"':
                break
            if self.source.startswith("\\(", self.at):
                break
            parts.append(self._escape())
        if parts:
            self.tokens.append(Token("text", "".join(parts), start))
        if self.source[self.at] == '"':
            self.tokens.append(Token("close", '"', self.at))
            self.at += 1
        else:
            self.tokens.append(Token("splice", "\\(", self.at))
            self.brackets.append(("splice", opened))
            self.at += 2

    def _escape(self) -> str:
        start = self.at
        letter = self.source[start + 1 : start + 2]
        if letter in _ESCAPES and letter:
            self.at += 2
            return _ESCAPES[letter]
        first = _HEX.match(self.source, start + 1)
        if first is None:
            raise JqSyntaxError(f"`\\{letter}` is no escape of jq", start, "write `\\\\` for a backslash")
        self.at += 6
        code = int(first.group(1), 16)
        if not 0xD800 <= code < 0xE000:
            return chr(code)
        second = _HEX.match(self.source, self.at + 1) if self.source.startswith("\\u", self.at) else None
        low = int(second.group(1), 16) if second is not None else 0
        if code >= 0xDC00 or not 0xDC00 <= low < 0xE000:
            raise JqSyntaxError("half a surrogate pair is no character", start)
        self.at += 6
        return chr(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00))


def _bad_character(source: str, at: int) -> JqSyntaxError:
    character = source[at]
    if character == "'":
        return JqSyntaxError("jq has no single quotes", at, 'write "text" in double quotes')
    if character == "$":
        return JqSyntaxError("`$` needs the name of a variable directly behind it", at)
    if character in "&!":
        return JqSyntaxError(f"`{character}` is no operator of jq", at, "write `and`, `or`, `not`, `!=`")
    hint = (
        'write .["name"] for a field with other than letters, digits and `_`'
        if at and source[at - 1] == "."
        else ""
    )
    return JqSyntaxError(f"{character!r} cannot stand here", at, hint)
