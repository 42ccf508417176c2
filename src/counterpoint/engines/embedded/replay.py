"""Replay: what the history says was asked for, and which part of it was forgotten."""

from __future__ import annotations

from collections import deque

from counterpoint.core.context import Settled
from counterpoint.core.values import is_below
from counterpoint.errors import NonDeterminismError
from counterpoint.ports.history import Command, HistoryEntry, InputKind, RunEnd


class Replay:
    """Rows still to be applied, and the commands that the interpreter must ask for again.

    Attributes:
        settled: Latest settled state by canonical key of the sequence.
        voids: Sequence numbers of results that a retry made void.
        has_end: Whether the run ended or paused and did not go on since.
    """

    def __init__(self, entries: list[HistoryEntry], more_voids: frozenset[int] = frozenset()) -> None:
        self.rows = deque(entry for entry in entries if entry.kind is not InputKind.CONTINUED)
        self._inputs = sum(entry.kind is not InputKind.SETTLED for entry in self.rows)
        self._is_unfinished = bool(entries) and entries[-1].is_unfinished
        self.settled: dict[str, Settled] = {}
        self._settled_at: dict[str, int] = {}
        self.voids = set(more_voids)
        self.has_end = last_end(entries) is not None
        for entry in entries:
            if entry.kind is InputKind.SETTLED:
                payload = entry.payload
                self.settled[entry.step] = Settled(payload["position"], payload["output"], payload["context"])
                self._settled_at[entry.step] = entry.seq
            elif entry.kind is InputKind.RETRY:
                self.voids.update(entry.payload["voids"])
        self._recorded: dict[tuple[str, str, int], Command] = {}
        for entry in entries:
            for command in entry.commands:
                if not self.is_forgotten(command.step, entry.seq):
                    self._recorded[command.kind, command.step, command.number] = command

    def next(self) -> HistoryEntry:
        """The next row to apply."""
        entry = self.rows.popleft()
        self._inputs -= entry.kind is not InputKind.SETTLED
        return entry

    @property
    def is_open(self) -> bool:
        """Whether the process ended in the middle of what follows from the last input: the rest is done now.

        What was done already may be asked for again there: to drop a timer twice, or to cancel a child twice,
        is harmless.
        """
        return self._is_unfinished and not self._inputs

    def is_forgotten(self, step: str, seq: int) -> bool:
        """Whether a step of a row lies in the past of a settled sequence."""
        return any(seq < at and is_below(step, sequence) for sequence, at in self._settled_at.items())

    def has_passed(self, sequence: str) -> bool:
        """Whether the row that settled a sequence last has been applied, or is being applied."""
        return not self.rows or self.rows[0].seq > self._settled_at[sequence]

    def match(self, kind: str, step: str, number: int, digest: str) -> Command | None:
        """The recorded command that the interpreter asks for now; None when it is new.

        Raises:
            NonDeterminismError: The history holds another command there, or none although it goes on.
        """
        known = self._recorded.pop((kind, step, number), None)
        if known is None:
            if self._inputs:
                raise NonDeterminismError(
                    f"The {kind} `{step}` (number {number}) is asked for, but the history went on without it"
                )
            return None
        if known.digest != digest:
            raise NonDeterminismError(
                f"The {kind} `{step}` (number {number}) is asked for with other content than recorded"
            )
        return known

    def check_complete(self) -> None:
        """All recorded commands were asked for.

        Raises:
            NonDeterminismError: One was not.
        """
        for kind, step, number in self._recorded:
            raise NonDeterminismError(
                f"The history holds the {kind} `{step}` (number {number}); now nothing asks for it"
            )


def last_end(entries: list[HistoryEntry]) -> RunEnd | None:
    """How a run ended or paused; None when it went on since. Results of what was under way may follow it."""
    for entry in reversed(entries):
        if entry.end is not None:
            return entry.end
        if entry.kind is InputKind.RETRY:
            return None
    return None
