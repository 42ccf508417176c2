"""URI templates of the DSL: a URI reference with `{name}` (RFC 6570 simple expansion, one variable each)."""

from __future__ import annotations

import re

_EXPRESSION_START = re.compile(r"\s*\$\{")
_FORBIDDEN = re.compile(r"[\s\"<>\\^`|\x00-\x1f\x7f]")
_PERCENT = re.compile(r"%(?![0-9a-fA-F]{2})")
_SCHEME = re.compile(r"[^:/?#]+:")
_GOOD_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_OPERATORS = "+#./;?&=,!@|"


def variables_of(uri: str) -> list[str]:
    """Names between braces, in order."""
    return _VARIABLE.findall(uri)


def uri_problem(uri: str) -> str:
    """Why a text is no URI template of the DSL, in words; empty when it is one."""
    if not uri:
        return "an address must not be empty"
    if _EXPRESSION_START.match(uri):
        return "an expression must be one whole `${ ... }`"
    for name in variables_of(uri):
        if not name:
            return "`{}` names no variable"
        if name[0] in _OPERATORS or name[-1] == "*" or "," in name or ":" in name:
            return f"only `{{name}}` is expanded, not `{{{name[:40]}}}`"
    literal = _VARIABLE.sub("x", uri)
    if "{" in literal or "}" in literal:
        return "a brace has no partner"
    found = _FORBIDDEN.search(literal)
    if found is not None:
        return f"the character {found.group()!r} must be percent-encoded"
    if _PERCENT.search(literal):
        return "`%` must be followed by two hexadecimal digits"
    scheme = _SCHEME.match(literal)
    if scheme is not None and not _GOOD_SCHEME.fullmatch(scheme.group()) and "{" not in uri:
        return f"`{scheme.group()[:-1][:40]}` is no scheme; write `./` before a relative path with a colon"
    return ""
