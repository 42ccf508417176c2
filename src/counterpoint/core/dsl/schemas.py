"""JSON Schema validators: one factory, so that no schema can reach outside or take unbounded time.

The library fetches `$ref` from http and files when nobody stops it, and its default regular expressions
backtrack; here a retriever refuses everything outside the bundle, and patterns run in linear time. Messages
mask the checked value: they end up in faults and logs, which must hold no secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import jsonschema_rs

from counterpoint.core.dsl.model import Validator
from counterpoint.core.dsl.schema_work import target_of, width_of
from counterpoint.core.values import MAX_PARTS, JsonValue

MAX_MESSAGES = 20
MAX_EXPANSION = 100_000
"""Most parts of a schema whose references are written out: a chain of doubling `$ref` takes that long."""
MAX_WORK = 1_000_000
"""Most looks of a part of a schema at a part of a value; each takes 20 to 70 ns, and nothing interrupts."""
MAX_LISTED_PARTS = 2_000
"""Largest value for which all violations are listed; for larger ones the first, which costs nothing extra."""

_REGEX = jsonschema_rs.RegexOptions(size_limit=1_000_000, dfa_size_limit=1_000_000)
_MASK = "the value"


class SchemaInvalid(Exception):
    """A schema that cannot be used; the message says why, `path` where in the schema."""

    def __init__(self, message: str, path: tuple[str | int, ...] = (), hint: str = "") -> None:
        self.path = path
        self.hint = hint
        super().__init__(message)


def compile_schema(document: JsonValue, resources: Mapping[str, JsonValue] | None = None) -> Validator:
    """A validator of a JSON Schema document, 2020-12 unless it names another dialect.

    Args:
        document: The schema, a map or a boolean.
        resources: Documents that `$ref` may reach, by address.

    Returns:
        A function that gives at most `MAX_MESSAGES` violations, each with its place in the value. `format` is
        only asserted where the dialect says so.

    Raises:
        SchemaInvalid: No schema, a reference outside the bundle, a pattern that needs backtracking, or a
            schema that would take too long.
    """
    bundle = dict(resources or {})
    if not isinstance(document, dict | bool):
        raise SchemaInvalid("A JSON Schema is a map, `true` or `false`.")
    _check_expansion(document)

    def retrieve(address: str) -> JsonValue:
        if address in bundle:
            return bundle[address]
        raise LookupError(address)

    try:
        validator = jsonschema_rs.validator_for(
            document, retriever=retrieve, pattern_options=_REGEX, mask=_MASK, validate_formats=None
        )
    except jsonschema_rs.ValidationError as error:
        raise _invalid(error) from None
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise SchemaInvalid(f"The schema cannot be used: {_first_line(str(error))}.") from None
    # What the bundle holds may be referred to from anywhere.
    widest = max((width_of(resource) for resource in bundle.values()), default=1)
    return _Checker(validator, width_of(document) * widest)


class _Checker:
    """Calls the library's validator and puts its findings into words."""

    __slots__ = ("_most_parts", "_validator")

    def __init__(self, validator: jsonschema_rs.Validator, width: int) -> None:
        self._validator = validator
        self._most_parts = MAX_WORK // width

    def __call__(self, value: JsonValue) -> list[str]:
        if self._most_parts < MAX_PARTS and has_more_parts(value, self._most_parts):
            return [f"/: {_MASK} has more than {self._most_parts:,} parts, the most for this wide a schema"]
        if self._validator.is_valid(value):
            return []
        if has_more_parts(value, MAX_LISTED_PARTS):
            return [_violation(self._first(value))]
        return [_violation(error) for error in islice(self._validator.iter_errors(value), MAX_MESSAGES)]

    def _first(self, value: JsonValue) -> jsonschema_rs.ValidationError:
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            return error
        raise AssertionError("a value was both invalid and valid")


def _violation(error: jsonschema_rs.ValidationError) -> str:
    place = "".join(f"/{step}" for step in error.instance_path)
    return f"{place or '/'}: {error.message}"


def has_more_parts(value: JsonValue, limit: int) -> bool:
    """Whether a value has more parts than a limit; thirty-two characters of a text count as one."""
    level, parts = [value], 0
    while level:
        parts += len(level)
        if parts > limit:
            return True
        below: list[JsonValue] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, str):
                parts += len(item) >> 5
        level = below
    return False


def _invalid(error: jsonschema_rs.ValidationError) -> SchemaInvalid:
    message = _first_line(error.message)
    path = tuple(error.instance_path)
    if "not present in a registry" in message:
        address = message.split("'")[1] if "'" in message else "another document"
        hint = "Put the referenced part below `$defs`, or make the whole schema an external resource."
        return SchemaInvalid(
            f"The schema refers to `{address[:120]}`, which is outside the bundle.", path, hint
        )
    if 'is not a "regex"' in message:
        hint = "Look-around and back-references are not supported: patterns run in linear time."
        return SchemaInvalid("The pattern cannot be used.", path, hint)
    return SchemaInvalid(f"The schema is not valid: {message}.", path)


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0].rstrip(".")[:300]


def _check_expansion(schema: JsonValue) -> None:
    """Refuse a schema whose local references double again and again; those that recurse count once."""
    sizes: dict[str, int] = {}
    if _expanded(schema, schema, sizes, 0) > MAX_EXPANSION:
        hint = "Do not refer to the same part twice from a part that is itself referred to twice."
        raise SchemaInvalid("The schema becomes too large when its references are followed.", (), hint)


_MAX_SCHEMA_DEPTH = 128


def _expanded(node: JsonValue, root: JsonValue, sizes: dict[str, int], depth: int) -> int:
    if depth > _MAX_SCHEMA_DEPTH:
        raise SchemaInvalid("The schema nests too deeply.")
    total = 1
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str) and value.startswith("#"):
                total += _expanded_reference(value, root, sizes, depth)
            elif key not in ("$defs", "definitions") and isinstance(value, dict | list):
                total += _expanded(value, root, sizes, depth + 1)
    elif isinstance(node, list):
        for item in node:
            if isinstance(item, dict | list):
                total += _expanded(item, root, sizes, depth + 1)
    return min(total, MAX_EXPANSION + 1)


def _expanded_reference(pointer: str, root: JsonValue, sizes: dict[str, int], depth: int) -> int:
    if pointer not in sizes:
        sizes[pointer] = 1
        sizes[pointer] = _expanded(target_of(pointer, root), root, sizes, depth + 1)
    return sizes[pointer]
