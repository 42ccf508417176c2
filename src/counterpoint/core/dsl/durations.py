"""Durations as the DSL writes them: a map of units or an ISO 8601 text (DSL: Duration)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from counterpoint.core.values import MICROS_PER_S, Duration, JsonValue

UNITS: dict[str, int] = {
    "days": 86_400 * MICROS_PER_S,
    "hours": 3_600 * MICROS_PER_S,
    "minutes": 60 * MICROS_PER_S,
    "seconds": MICROS_PER_S,
    "milliseconds": 1_000,
}
"""Microseconds of each unit of the map form."""

MAX_DURATION_YEARS = 1_000
_MAX_MONTHS = MAX_DURATION_YEARS * 12
_MAX_MICROS = MAX_DURATION_YEARS * 366 * 86_400 * MICROS_PER_S
_MAX_CHARACTERS = 100

_NUMBER = r"(\d+(?:\.\d+)?)"
_ISO = re.compile(
    rf"P(?!\Z)(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?=\d)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?",
    re.ASCII,
)
_ISO_MICROS = (7 * UNITS["days"], UNITS["days"], UNITS["hours"], UNITS["minutes"], UNITS["seconds"])


def parse_duration(text: str) -> Duration:
    """Duration of an ISO 8601 text such as `P1Y2M3DT4H5M6.5S`; fractions below a microsecond are cut.

    Raises:
        ValueError: Not such a text, a fraction of a month, or longer than `MAX_DURATION_YEARS`; the message
            says what was expected.
    """
    match = _ISO.fullmatch(text) if len(text) <= _MAX_CHARACTERS else None
    if match is None:
        raise ValueError(f"`{text[:40]}` is no ISO 8601 duration such as `PT30S`, `PT1H30M` or `P1D`.")
    years, months, *rest = (Fraction(part or 0) for part in match.groups())
    whole_months = years * 12 + months
    if whole_months.denominator != 1:
        raise ValueError(f"`{text}` has a fraction of a month, which has no length; use days.")
    micros = sum(int(amount * unit) for amount, unit in zip(rest, _ISO_MICROS, strict=True))
    return _bounded(Duration(micros, int(whole_months)))


def duration_of_units(units: Mapping[str, JsonValue]) -> Duration:
    """Duration of a map of units, which add up.

    Raises:
        ValueError: No known unit, an amount that is no whole number of at least 0, or too long.
    """
    if not units:
        raise ValueError("A duration needs at least one unit.")
    micros = 0
    for unit, amount in units.items():
        if unit not in UNITS:
            raise ValueError(f"`{unit[:40]}` is no unit of a duration.")
        is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
        if not is_number or amount != int(amount) or amount < 0:
            raise ValueError(f"`{unit}` must be a whole number of at least 0.")
        micros += int(amount) * UNITS[unit]
    return _bounded(Duration(micros))


def describe_duration(duration: Duration) -> str:
    """ISO 8601 text of a duration, the way `parse_duration` reads it."""
    years, months = divmod(duration.months, 12)
    date = (f"{years}Y" if years else "") + (f"{months}M" if months else "")
    seconds, micros = divmod(duration.micros, MICROS_PER_S)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    date += f"{days}D" if days else ""
    fraction = f".{micros:06}".rstrip("0") if micros else ""
    clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    clock += f"{seconds}{fraction}S" if seconds or fraction else ""
    return f"P{date}T{clock}" if clock else f"P{date}" if date else "PT0S"


def _bounded(duration: Duration) -> Duration:
    if duration.micros > _MAX_MICROS or duration.months > _MAX_MONTHS:
        raise ValueError(f"A duration of more than {MAX_DURATION_YEARS} years is a mistake.")
    return duration
