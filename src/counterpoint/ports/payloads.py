"""Port of payload encoding: the one door through which every stored payload goes."""

from __future__ import annotations

from typing import Protocol

import msgspec

from counterpoint.core.values import Scope


class Sealed(msgspec.Struct, frozen=True):
    """A payload as stored: number of the codec, key id (empty for none), bytes."""

    codec: int
    key_id: str
    data: bytes


class PayloadCodec(Protocol):
    """Turns JSON bytes into stored bytes and back; encryption, redaction and shredding live behind it."""

    def seal(self, scope: Scope, plain: bytes) -> Sealed:
        """Stored form of a payload."""
        ...

    def open(self, scope: Scope, sealed: Sealed) -> bytes:
        """Plain JSON bytes.

        Raises:
            HistoryCorruptError: The bytes cannot be decoded.
        """
        ...


class PlainCodec:
    """Stores payloads as they are (codec 0)."""

    number = 0

    def seal(self, scope: Scope, plain: bytes) -> Sealed:
        """The bytes themselves."""
        return Sealed(0, "", plain)

    def open(self, scope: Scope, sealed: Sealed) -> bytes:
        """The bytes themselves."""
        return sealed.data
