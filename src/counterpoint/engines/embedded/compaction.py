"""Compaction: a sequence that settled is remembered by where it stands, and its past rows are forgotten.

A loop that runs for ever thus keeps a bounded history. Rows of other sequences that lie between are kept;
each gap is attested in the row that made it, by the heads of the chain before and after, so that the chain
still verifies.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

from counterpoint.core.context import Settled
from counterpoint.core.values import excess_of, is_below
from counterpoint.engines.embedded.execution import Execution, LiveRow
from counterpoint.engines.embedded.inputs import Input
from counterpoint.ports.history import InputKind

if TYPE_CHECKING:
    from counterpoint.engines.embedded.kernel import Kernel

LIVE_ROWS = 2_000
"""Live rows from which a settled sequence is compacted."""

LIVE_BYTES = 1_000_000
"""Live bytes from which a settled sequence is compacted."""

MAX_FORGOTTEN = 2_000
"""Rows that one row may forget; the rest goes with later offers, so that no turn and no commit is long."""

_CHECK_EVERY = 64
_SAMPLE = 12


class Compaction:
    """Takes or declines what the interpreter offers to forget.

    Attributes:
        rows: Live rows from which an offer is taken; a test may lower it.
        first_offer: Live rows from which a run's offers are looked at.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.rows = LIVE_ROWS
        self.bytes = LIVE_BYTES
        self.first_offer = _CHECK_EVERY

    def offer(self, execution: Execution, sequence: str, settled: Callable[[], Settled]) -> None:
        """Forget the past of a sequence if enough would be gained."""
        if len(execution.live) < self.rows and execution.live_bytes < self.bytes:
            execution.settle_at = min(len(execution.live) + _CHECK_EVERY, self.rows)
            return
        if not _gains(execution.live, sequence):
            return
        state = settled()
        if excess_of([state.output, state.context]):
            # It could not be written; what it holds ends the run at the next boundary that it meets.
            execution.settle_at = len(execution.live) + self.rows
            return
        # The row that led here is written first: what it holds is part of the past.
        execution.is_settling = True
        self._kernel.close_row(execution)
        execution.is_settling = False
        gone = list(islice((row for row in execution.live if _is_past(row, sequence)), MAX_FORGOTTEN))
        self._forget(execution, sequence, state, gone)

    def _forget(self, execution: Execution, sequence: str, state: Settled, gone: list[LiveRow]) -> None:
        # The whole list rides along, because the row that held it before may be among those that go.
        execution.gaps = merge_gaps(execution.gaps, gone)
        payload = {
            "position": state.position,
            "output": state.output,
            "context": state.context,
            "gaps": execution.gaps,
        }
        kernel = self._kernel
        execution.input = Input(InputKind.SETTLED, execution.now, sequence, payload)
        numbers = {row.seq for row in gone}
        execution.forget = sorted(numbers)
        execution.live = [row for row in execution.live if row.seq not in numbers]
        execution.live_bytes = sum(row.size for row in execution.live)
        execution.settle_at = kernel.compaction.first_offer
        execution.ticks = execution.slice_ticks = 0


def _gains(live: list[LiveRow], sequence: str) -> bool:
    """Whether the past of the sequence makes up a good part of the live rows, judged by a sample.

    Inner sequences make their offers first and have little to give; this must not cost a scan each time.
    """
    step = max(1, (len(live) - 1) // _SAMPLE)
    sample = live[1::step]
    return sum(_is_past(row, sequence) for row in sample) * 4 >= len(sample)


def _is_past(row: LiveRow, sequence: str) -> bool:
    """Whether a row concerns nothing but the past of the sequence."""
    if row.seq == 1:
        return False
    inside = row.is_bare or row.step == sequence or is_below(row.step, sequence)
    return inside and all(is_below(step, sequence) for step in row.commands)


def merge_gaps(known: list[list[Any]], gone: list[LiveRow]) -> list[list[Any]]:
    """Gaps of a history: first row, last row, head before, head after (hex); neighbours become one."""
    fresh = [[row.seq, row.seq, row.before.hex(), row.after.hex()] for row in gone]
    merged: list[list[Any]] = []
    for gap in sorted([*known, *fresh]):
        if merged and merged[-1][1] == gap[0] - 1:
            merged[-1] = [merged[-1][0], gap[1], merged[-1][2], gap[3]]
        else:
            merged.append(gap)
    return merged
