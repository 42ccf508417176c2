"""Values that every layer shares: JSON, identifiers, instants, durations, scope and step keys.

Nothing here reads a clock or makes an identifier; the engine does and hands the values in.
"""

from __future__ import annotations

import calendar
import hashlib
from base64 import b32encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, TypeAlias

import msgspec

JsonValue: TypeAlias = Any
"""Any JSON value: None, bool, int, float, str, list or dict with string keys. Integers are exact."""

Instant: TypeAlias = int
"""Microseconds since 1970-01-01T00:00:00Z."""

MAX_DEPTH = 128
"""Deepest nesting of a JSON value that may cross a boundary of the core."""

MAX_PARTS = 100_000
"""Most members and items of a value that may leave the core, counted as often as they are written out."""

MAX_VALUE_BYTES = 2 * 1024 * 1024
"""Largest value, as JSON, that may cross the boundary of a run: writing it out takes a turn of the loop."""

MICROS_PER_S = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Status(IntEnum):
    """Status of a run (DSL: Status Phases). The numbers are stored: never renumber."""

    PENDING = 1
    RUNNING = 2
    WAITING = 3
    SUSPENDED = 4
    CANCELLED = 5
    FAULTED = 6
    COMPLETED = 7

    @property
    def word(self) -> str:
        """Name of the status as the DSL writes it."""
        return self.name.lower()

    @property
    def is_final(self) -> bool:
        """Whether nothing can follow but a retry."""
        return self >= Status.CANCELLED


class Scope(msgspec.Struct, frozen=True):
    """Where a row lives: a namespace of workflows in an environment."""

    namespace: str
    environment: str = "default"


class Duration(msgspec.Struct, frozen=True):
    """A length of time as the DSL writes it; years and months follow the calendar (UTC)."""

    micros: int = 0
    months: int = 0

    def after(self, start: Instant) -> Instant:
        """Instant that lies this duration after `start`."""
        if self.months:
            start = _add_months(start, self.months)
        return start + self.micros


def _add_months(start: Instant, months: int) -> Instant:
    moment = to_datetime(start)
    index = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(index, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return from_datetime(moment.replace(year=year, month=month + 1, day=day))


def to_datetime(instant: Instant) -> datetime:
    """UTC date-time of an instant."""
    return _EPOCH + timedelta(microseconds=instant)


def from_datetime(moment: datetime) -> Instant:
    """Instant of an aware date-time."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * MICROS_PER_S + delta.microseconds


def to_iso(instant: Instant) -> str:
    """RFC 3339 text of an instant, in UTC with a `Z`."""
    text = to_datetime(instant).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


_UNSAFE = str.maketrans({c: f"%{ord(c):02X}" for c in "%.~[]#/ "})


class StepKey:
    """Key of a step: a path of frames that names a place in the document and which visit of it.

    Frames hold task names, never indices, so that an inserted task shifts nothing. `text` is the canonical
    form (`poll~3.for[17].charge`); `identity` is the same without the attempts of `try`, so that all retries
    of a step share one idempotency key.
    """

    __slots__ = ("identity", "text")

    def __init__(self, text: str, identity: str | None = None) -> None:
        self.text = text
        self.identity = text if identity is None else identity

    def task(self, name: str, visit: int = 1) -> StepKey:
        """Key of a task in the list that this key stands for; `visit` counts from 1."""
        part = name if name.isidentifier() else name.translate(_UNSAFE)
        if visit > 1:
            part = f"{part}~{visit}"
        text = self.text
        if not text:
            return StepKey(part)
        if self.identity is text:
            return StepKey(f"{text}.{part}")
        return StepKey(f"{text}.{part}", f"{self.identity}.{part}")

    def item(self, index: int) -> StepKey:
        """Key of one item of a sequence such as `for`; `index` counts from 0."""
        part = f"[{index}]"
        return StepKey(self.text + part, self.identity + part)

    def attempt(self, number: int) -> StepKey:
        """Key of one attempt of a `try`; left out of `identity`."""
        return StepKey(f"{self.text}#{number}", self.identity)

    def part(self, label: str) -> StepKey:
        """Key of a fixed part of a task: `do`, `catch`, `timeout`, `before`, `call` and the like."""
        if not self.text:
            return StepKey(label)
        return StepKey(f"{self.text}.{label}", f"{self.identity}.{label}")

    def is_below(self, scope: StepKey) -> bool:
        """Whether this key lies inside the scope of another."""
        return is_below(self.text, scope.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StepKey) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"StepKey({self.text!r})"


ROOT_KEY = StepKey("")
_FRAME_STARTS = frozenset(".[#")


def is_below(step: str, sequence: str) -> bool:
    """Whether a step key lies inside the key of a sequence: `do.poll.for[17].charge` in `do.poll.for`."""
    return step.startswith(sequence) and len(step) > len(sequence) and step[len(sequence)] in _FRAME_STARTS


def idempotency_key(run_id: str, step: StepKey) -> str:
    """Key that all retries of one step share and no other step has: 32 characters of base32."""
    digest = hashlib.sha256(f"{run_id}\n{step.identity}".encode()).digest()
    return b32encode(digest[:20]).decode().lower()


_ENCODER = msgspec.json.Encoder()
encode_json = _ENCODER.encode
"""Encode a JSON value to bytes (keys in the order of the value)."""
decode_json = msgspec.json.Decoder().decode
"""Decode bytes to a JSON value."""


_NOT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"'))


def is_too_deep(encoded: bytes, limit: int = MAX_DEPTH) -> bool:
    """Whether a JSON text nests deeper than `limit`; linear, and almost free for values of usual depth."""
    if encoded.count(b"[") + encoded.count(b"{") <= limit:
        return False
    plain = encoded.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in encoded else encoded
    # Texts without brackets vanish here; one that holds a bracket leaves its opening quote: the walk decides.
    brackets = plain.translate(None, _NOT_STRUCTURE).replace(b'""', b"")
    if b'"' in brackets:
        return depth_exceeds(decode_json(encoded), limit)
    # Each pass takes away one or two of the innermost levels: ten times cheaper than walking the value.
    for _ in range(limit // 2):
        if not brackets:
            return False
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return bool(brackets) and depth_exceeds(decode_json(encoded), limit)


def depth_exceeds(value: JsonValue, limit: int = MAX_DEPTH) -> bool:
    """Whether a JSON value nests deeper than `limit`; iterative, so that it cannot exhaust the stack."""
    level: list[JsonValue] = [value]
    for _ in range(limit):
        below: list[JsonValue] = []
        for item in level:
            if isinstance(item, Mapping):
                below.extend(v for v in item.values() if isinstance(v, dict | list))
            elif isinstance(item, Sequence) and not isinstance(item, str | bytes):
                below.extend(v for v in item if isinstance(v, dict | list))
        if not below:
            return False
        level = below
    return True


_MANY = 32
_PLAIN = frozenset({int, float, bool, type(None)})


Known: TypeAlias = Mapping[int, tuple[JsonValue, int]]
"""Values, by identity, that came as JSON texts, with the bytes of their text: nothing in them is shared."""


def excess_of(
    value: JsonValue,
    max_bytes: int = MAX_VALUE_BYTES,
    max_depth: int = MAX_DEPTH,
    known: Known | None = None,
) -> str:
    """Why a value cannot be written out, or an empty text; asked before anything walks it without a bound.

    Pure work can share parts: twenty tasks that each hold their input twice make a value of a few objects
    whose text would have a million. The work here is bounded by what is allowed, not by that text; parts that
    are `known` are not walked at all. Their depth counts with what encloses them once the text is there.
    """
    kind = type(value)
    if kind is not dict and kind is not list:
        return _too_large(max_bytes) if kind is str and len(value) > max_bytes else ""
    parts, characters = MAX_PARTS, max_bytes
    level: list[JsonValue] = [value]
    for _ in range(max_depth):
        below: list[JsonValue] = []
        for item in level:
            parts -= len(item)
            if parts < 0:
                return f"has more than {MAX_PARTS:,} parts"
            members = item.values() if type(item) is dict else item
            if len(item) < _MANY or not _PLAIN.issuperset(map(type, members)):
                characters -= _look_into(members, below)
                if known and below:
                    characters -= _take_known(below, known)
        if characters < 0:
            return _too_large(max_bytes)
        if not below:
            return ""
        level = below
    return f"is nested deeper than {max_depth} levels"


def _take_known(below: list[JsonValue], known: Known) -> int:
    """Bytes of the known values among some, which are taken out."""
    size = 0
    for index in range(len(below) - 1, -1, -1):
        found = known.get(id(below[index]))
        if found is not None:
            size += found[1]
            del below[index]
    return size


def _look_into(members: Iterable[JsonValue], below: list[JsonValue]) -> int:
    """Characters of the texts among members; those that have members of their own go to `below`."""
    characters = 0
    for part in members:
        kind = type(part)
        if kind is str:
            characters += len(part)
        elif kind is dict or kind is list:
            below.append(part)
    return characters


def _too_large(max_bytes: int) -> str:
    return f"is larger than {max_bytes:,} bytes"
