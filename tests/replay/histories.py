"""Files of recorded histories: documents, the stored rows of some runs, and the state that replay must find.

The file's name begins with the format of its rows. A file is never written again: it stands for the histories
that users of that version have on their disks.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec

from counterpoint.engines.embedded.loading import Found
from counterpoint.engines.embedded.rows import StoredRow

FOLDER = Path(__file__).parent / "histories"
_BYTES = ("nonce", "body", "head")
_HEAD = 11
"""Place of the head among a run's facts."""


class RecordedRun(msgspec.Struct):
    """One run.

    Attributes:
        facts: Its row of `runs`, as loading reads it.
        rows: Its rows of history, bytes as base64.
        state: What replay found when it was recorded.
    """

    facts: list[Any]
    rows: list[dict[str, Any]]
    state: dict[str, Any]

    def found(self) -> Found:
        """The run as loading finds it in a database."""
        facts = list(self.facts)
        facts[_HEAD] = None if facts[_HEAD] is None else base64.b64decode(facts[_HEAD])
        rows = [
            tuple(base64.b64decode(v) if name in _BYTES else v for name, v in row.items())
            for row in self.rows
        ]
        return Found(tuple(facts), rows, {})


class Recording(msgspec.Struct):
    """One file.

    Attributes:
        product: Version of the product that wrote it.
        documents: Texts, in the order of their revision numbers.
        runs: The runs.
    """

    product: str
    documents: list[str]
    runs: list[RecordedRun]


def record(found: Found, state: dict[str, Any]) -> RecordedRun:
    """A run, made ready for a file."""
    facts = list(found.facts)
    facts[_HEAD] = None if facts[_HEAD] is None else base64.b64encode(facts[_HEAD]).decode()
    rows = []
    for raw in found.rows:
        row = msgspec.structs.asdict(StoredRow(*raw))
        rows.append({n: base64.b64encode(v).decode() if n in _BYTES else v for n, v in row.items()})
    return RecordedRun(facts, rows, msgspec.json.decode(msgspec.json.encode(state)))


def read(path: Path) -> Recording:
    """A file's content."""
    return msgspec.json.decode(path.read_bytes(), type=Recording)


def write(path: Path, recording: Recording) -> None:
    """Store a new file.

    Raises:
        FileExistsError: There is one of that name; histories are never written again.
    """
    with path.open("xb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(recording), indent=1))
