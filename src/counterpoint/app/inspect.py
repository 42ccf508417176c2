"""Use case: look at a run: its steps, its rows, its digest chain."""

from __future__ import annotations

import msgspec

from counterpoint.app.places import find_run, scope_of
from counterpoint.app.timeline import Moment, StepLine, read_timeline
from counterpoint.core.values import JsonValue
from counterpoint.errors import Fault
from counterpoint.ports.history import Histories, HistoryEntry, Verification
from counterpoint.ports.records import RecordStore, RunRecord

MAX_HISTORY_PAGE = 1_000
"""Most rows of one page of a history."""


class RunDetail(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A run with its steps.

    Attributes:
        run: The run as a row.
        trigger: What led to the start.
        steps: In the order in which they were first asked for.
        moments: What was done to the run as a whole.
        children: Its child runs.
        input: Raw input.
        output: Output of a completed run.
        fault: Fault of a faulted or paused run.
        forgotten: Rows that compaction removed; their steps are not listed.
        is_complete: Whether the whole history was read.
    """

    run: RunRecord
    trigger: str
    steps: list[StepLine]
    moments: list[Moment]
    children: list[RunRecord]
    input: JsonValue = None
    output: JsonValue = None
    fault: Fault | None = None
    forgotten: int = 0
    is_complete: bool = True


class HistoryPage(msgspec.Struct, frozen=True, rename="camel"):
    """Rows of a history and the number to go on after; 0 at the end."""

    run_id: str
    rows: list[HistoryEntry]
    next: int = 0


class Inspection:
    """Looks at runs.

    Args:
        records: Runs as rows.
        histories: Their histories.
    """

    def __init__(self, records: RecordStore, histories: Histories) -> None:
        self._records = records
        self._histories = histories

    async def show(self, environment: str, run_id: str) -> RunDetail:
        """A run with its steps, its input and how it ended.

        Raises:
            NotFound: No such run; or the prefix fits several.
        """
        run = await find_run(self._records, environment, run_id)
        timeline = await read_timeline(self._histories, scope_of(run), run.id)
        end = timeline.end
        return RunDetail(
            run=run,
            trigger=timeline.trigger,
            steps=list(timeline.steps.values()),
            moments=timeline.moments,
            children=await self._records.children(scope_of(run), run.id),
            input=timeline.input,
            output=end.output if end is not None else None,
            fault=end.fault if end is not None else None,
            forgotten=timeline.forgotten,
            is_complete=timeline.is_complete,
        )

    async def history(self, environment: str, run_id: str, after: int = 0, limit: int = 100) -> HistoryPage:
        """A page of decoded rows, in order, from the one after `after`."""
        run = await find_run(self._records, environment, run_id)
        size = max(1, min(limit, MAX_HISTORY_PAGE))
        rows = await self._histories.entries(scope_of(run), run.id, after=after, limit=size + 1)
        page = rows[:size]
        return HistoryPage(run.id, page, page[-1].seq if len(rows) > size else 0)

    async def verify(self, environment: str, run_id: str) -> Verification:
        """Recompute the run's digest chain from the stored bytes."""
        run = await find_run(self._records, environment, run_id)
        return await self._histories.verify(scope_of(run), run.id)
