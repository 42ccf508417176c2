"""Instants, lengths of time and values in words."""

from __future__ import annotations

from counterpoint.core.values import MICROS_PER_S, Instant, JsonValue, encode_json, to_iso

MAX_VALUE = 120
"""Longest value that a sentence shows, in characters of JSON."""

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def lasting(micros: int) -> str:
    """A length of time, such as `0.21 s`, `3 min 5 s` or `2 d 4 h`: two units at most."""
    seconds = max(0, micros) / MICROS_PER_S
    if seconds < 1:
        return f"{seconds * 1_000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    left = round(seconds)
    parts: list[str] = []
    for size, unit in (*_UNITS, (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def at_time(instant: Instant) -> str:
    """An instant in UTC; a dash for none."""
    return to_iso(instant) if instant else "-"


def shown(value: JsonValue) -> str:
    """A value as JSON, cut when it is long."""
    text = encode_json(value).decode()
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"


def counted(count: int, noun: str) -> str:
    """A number with its noun in the right number, such as `1 attempt` or `3 attempts`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
