"""Rows of history: their bytes and their digest chain.

A row is one transition: the input that reached the run, and the commands and decisions that followed from
it. Each row's digest covers a nonce, the row's columns and the stored bytes (never a re-serialisation), and
the head of the chain covers all rows so far; so a payload whose key was shredded still verifies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

from counterpoint.core.context import Decision
from counterpoint.core.values import Instant, JsonValue, Scope
from counterpoint.errors import HistoryCorruptError
from counterpoint.ports.history import Command, HistoryEntry, InputKind, RunEnd
from counterpoint.ports.payloads import PayloadCodec, Sealed

ROW_FORMAT = 1
BLOB_FORMAT = 2
"""Format of a row whose bytes lie in a blob; the row holds the blob's digest."""

BLOB_BYTES = 65_536
"""Payloads above this size leave the row for a blob."""

SEQ_BITS = 20
MAX_ROWS = (1 << SEQ_BITS) - 8_192
"""Rows that a run may have; the rest is kept for its end."""

GENESIS = bytes(32)


class RowBody(
    msgspec.Struct,
    omit_defaults=True,
    rename={
        "payload": "p",
        "actor": "a",
        "commands": "c",
        "decisions": "d",
        "end": "e",
        "is_unfinished": "u",
    },
):
    """What a row stores, as JSON. The step stands in a column of its own."""

    payload: JsonValue = None
    actor: str = ""
    commands: list[Command] = []
    decisions: list[Decision] = []
    end: RunEnd | None = None
    is_unfinished: bool = False


encode_body = msgspec.json.Encoder().encode
_decode_body = msgspec.json.Decoder(RowBody).decode


def chain(previous: bytes, nonce: bytes, columns: str, data: bytes) -> bytes:
    """Head of the chain after a row."""
    digest = hashlib.sha256(nonce + columns.encode() + data).digest()
    return hashlib.sha256(previous + digest).digest()


def columns_text(history_no: int, at: Instant, form: int, kind: int, step: str) -> str:
    """The columns that a row's digest covers beside its bytes."""
    return f"{history_no}|{at}|{form}|{kind}|{step}|"


class StoredRow(msgspec.Struct, frozen=True):
    """A row as read from the table, in the order of `COLUMNS`."""

    history_no: int
    commit_no: int
    at: Instant
    form: int
    kind: int
    step: str
    codec: int
    key_id: str
    nonce: bytes
    body: bytes
    head: bytes

    @property
    def seq(self) -> int:
        """Number of the row in its run."""
        return self.history_no & ((1 << SEQ_BITS) - 1)


COLUMNS = "history_no, commit_no, at, format, kind, step, codec, key_id, nonce, body, head"

SELECT_ROWS = f"SELECT {COLUMNS} FROM history WHERE history_no > ? AND history_no < ? ORDER BY history_no"


def row_range(run_no: int, after: int = 0) -> tuple[int, int]:
    """Bounds (exclusive) of the rows of a run after a sequence number."""
    first = run_no << SEQ_BITS
    return first + after, first + (1 << SEQ_BITS)


def decode(row: StoredRow, scope: Scope, codec: PayloadCodec, data: bytes) -> HistoryEntry:
    """The row's content; `data` is its body, fetched from a blob if the format says so.

    Raises:
        HistoryCorruptError: The bytes are not what this version or an earlier one wrote.
    """
    try:
        kind = InputKind(row.kind)
        plain = codec.open(scope, Sealed(row.codec, row.key_id or "", data))
        body = _decode_body(plain)
    except (ValueError, msgspec.DecodeError, HistoryCorruptError) as bad:
        raise HistoryCorruptError(f"Row {row.seq} of the history cannot be decoded: {bad}") from bad
    return HistoryEntry(
        row.seq,
        row.at,
        row.commit_no,
        kind,
        row.step or "",
        body.payload,
        body.actor,
        tuple(body.commands),
        tuple(body.decisions),
        body.end,
        body.is_unfinished,
    )


def read_body(row: StoredRow, blob: Callable[[str], bytes]) -> bytes:
    """Stored bytes of a row, from its blob if they lie there."""
    return blob(row.body.decode()) if row.form == BLOB_FORMAT else row.body
