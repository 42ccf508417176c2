"""Identifiers: time-ordered, so that their index grows at its end."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from counterpoint.core.values import Instant

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


class RandomPool:
    """Random bytes drawn in large pieces: one system call for many identifiers."""

    def __init__(self, source: Callable[[int], bytes], size: int = 8_192) -> None:
        self._source = source
        self._size = size
        self._bytes = b""
        self._at = 0

    def take(self, count: int) -> bytes:
        """Fresh random bytes."""
        at = self._at
        piece = self._bytes[at : at + count]
        if len(piece) < count:
            self._bytes = self._source(max(self._size, count))
            at, piece = 0, self._bytes[:count]
        self._at = at + count
        return piece


def run_id(now: Instant, random: bytes) -> str:
    """26 characters: 48 bits of milliseconds, then 80 random bits; sorts by time."""
    number = ((now // 1000) & ((1 << 48) - 1)) << 80 | int.from_bytes(random[:10], "big")
    pairs = []
    for _ in range(13):
        pairs.append(_PAIRS[number & 1023])
        number >>= 10
    pairs.reverse()
    return "".join(pairs)


def span_id(seed: bytes, step: str, number: int) -> str:
    """W3C span id of an attempt: 16 hex characters that follow from run, step and number."""
    return hashlib.sha256(seed + f"{step}#{number}".encode()).hexdigest()[:16]


def entropy(seed: bytes, step: str) -> bytes:
    """32 bytes that follow from the run's seed and a key alone."""
    return hmac.new(seed, step.encode(), hashlib.sha256).digest()
