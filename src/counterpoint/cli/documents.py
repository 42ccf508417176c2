"""Reading what a user names on the command line: documents, inputs, assignments."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from counterpoint.core.values import JsonValue
from counterpoint.errors import DefinitionError, InvalidRequest, LimitExceeded, NotFound, Problem

MAX_DOCUMENT_BYTES = 1024 * 1024
MAX_INPUT_BYTES = 8 * 1024 * 1024
STDIN = "-"


class Document(msgspec.Struct, frozen=True):
    """A document that the user gave: its name and its text."""

    name: str
    text: str


def read_document(path: str) -> str:
    """Text of a workflow document.

    Raises:
        NotFound: No such file, or it cannot be read.
        LimitExceeded: It is larger than a document may be.
        DefinitionError: It is not UTF-8.
    """
    content = _read(path, MAX_DOCUMENT_BYTES)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        message = f"{path} is not UTF-8 text (byte {error.start})"
        raise DefinitionError([Problem("", message, line, code="encoding")]) from error


def read_input(source: str | None, assignments: Sequence[str]) -> JsonValue:
    """Input of a run: the JSON of a file or of stdin, with single members set.

    Args:
        source: Path of a JSON file, or `-` for stdin; None for an empty object.
        assignments: `a.b=VALUE`; the value is JSON, or text when it is no JSON.

    Raises:
        InvalidRequest: Something is not JSON, or an assignment does not fit.
    """
    value = {} if source is None else _parse_input(source)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        path = name.split(".")
        if not equals or not all(path):
            raise InvalidRequest(
                f"{assignment!r} assigns nothing.", "Write --set name=value or --set a.b=value."
            )
        value = _assign(value, path, _json_or_text(text), name)
    return value


def _parse_input(source: str) -> JsonValue:
    content = _read(source, MAX_INPUT_BYTES)
    shown = "stdin" if source == STDIN else source
    if not content.strip():
        raise InvalidRequest(f"The input from {shown} is empty.", "Give JSON, for example {}.")
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(
            f"The input from {shown} is not JSON: {error}", "Check it with a JSON tool."
        ) from error


def _assign(value: JsonValue, path: list[str], leaf: JsonValue, name: str) -> JsonValue:
    if not isinstance(value, dict):
        raise InvalidRequest(f"--set {name}: the input is no object there.", "Set members of objects only.")
    place: dict[str, Any] = value
    for key in path[:-1]:
        below = place.setdefault(key, {})
        if not isinstance(below, dict):
            raise InvalidRequest(f"--set {name}: {key} is no object.", "Set members of objects only.")
        place = below
    place[path[-1]] = leaf
    return value


def _json_or_text(text: str) -> JsonValue:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return text


def _read(source: str, limit: int) -> bytes:
    if source == STDIN:
        content = sys.stdin.buffer.read(limit + 1)
    else:
        try:
            # No more than the limit is read: a device or a pipe may have no end.
            with Path(source).open("rb") as file:
                content = file.read(limit + 1)
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise NotFound(f"{source} cannot be read: {reason}.", "Check the path.") from error
    if len(content) > limit:
        raise LimitExceeded(f"{source} is larger than {limit:,} bytes.", "Give a smaller one.")
    return content
