"""Small pieces of text for people: instants, durations, identifiers, and data made safe for a terminal."""

from __future__ import annotations

import re

import msgspec

from counterpoint.core.values import MICROS_PER_S, Instant, JsonValue, to_datetime

# Data may hold escape sequences that move the cursor, retitle the window or paste; none may reach a terminal.
# So too the marks that reverse the direction of text, which make one name look like another.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

STATUS_STYLES = {
    "pending": "dim",
    "running": "cyan",
    "waiting": "blue",
    "suspended": "yellow",
    "cancelled": "magenta",
    "faulted": "red",
    "completed": "green",
}
"""Colour of each status; the word is always there too."""

STATUS_MARKS = {
    "pending": "·",
    "running": "▶",
    "waiting": "◷",
    "suspended": "‖",
    "cancelled": "⊘",
    "faulted": "✗",
    "completed": "✓",
}


def safe(value: object) -> str:
    """Text of a value that a terminal shows and never obeys."""
    return _UNSAFE.sub("\ufffd", str(value))


def one_line(value: object, limit: int = 0) -> str:
    """The same in one line, cut to `limit` characters if that is not 0."""
    text = " ".join(safe(value).split())
    return text if not limit or len(text) <= limit else text[: limit - 1] + "…"


def compact_json(value: JsonValue, limit: int = 60) -> str:
    """A JSON value in one short line."""
    return one_line(msgspec.json.encode(value).decode(), limit)


def utc(instant: Instant | None) -> str:
    """An instant as date and time in UTC, to the second; a dash for none."""
    return to_datetime(instant).strftime("%Y-%m-%d %H:%M:%SZ") if instant else "–"


def clock_time(instant: Instant) -> str:
    """Time of day in UTC, to the millisecond."""
    moment = to_datetime(instant)
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def duration(micros: int) -> str:
    """A length of time as people say it: `850 µs`, `12 ms`, `3.4 s`, `2 min 5 s`, `3 h 12 min`, `2 d 4 h`."""
    if micros < 1000:
        return f"{max(micros, 0)} µs"
    if micros < MICROS_PER_S:
        return f"{micros // 1000} ms"
    if micros < 60 * MICROS_PER_S:
        return f"{micros / MICROS_PER_S:.1f} s"
    seconds = micros // MICROS_PER_S
    for unit, size, small, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {unit} {rest} {small}" if rest else f"{seconds // size} {unit}"
    return f"{seconds} s"


def size(count: int) -> str:
    """A number of bytes as people say it."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def plural(count: int, noun: str) -> str:
    """`1 run`, `3 runs`, `2,000 runs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def safe_document(text: str) -> str:
    """Text of several lines that a terminal shows and never obeys."""
    return "\n".join(safe(line) for line in text.split("\n"))
