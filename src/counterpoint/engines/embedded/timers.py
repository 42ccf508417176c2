"""Timers: rows ordered by due time, of which only the nearest are in memory.

A timer never fires early: it is compared with the wall clock. It fires once, because firing deletes its row
in the transaction that records it. A run that waits costs its rows and nothing else.
"""

from __future__ import annotations

import heapq
from functools import partial
from typing import TYPE_CHECKING, Any

import apsw

from counterpoint.core.values import MICROS_PER_S, Instant
from counterpoint.engines.embedded.execution import Execution
from counterpoint.engines.embedded.host import Handle
from counterpoint.engines.embedded.inputs import Input
from counterpoint.engines.embedded.statements import GONE_TIMER, NEW_TIMER
from counterpoint.ports.history import InputKind

if TYPE_CHECKING:
    from counterpoint.engines.embedded.kernel import Kernel

HORIZON = 60 * MICROS_PER_S
"""How far ahead timers are held in memory."""

PAGE = 2_000
"""Most timers read at once."""

FOR_EVER: Instant = 1 << 62

MAX_SLEEP_S = 5.0
"""Longest sleep: a clock that jumps forward is noticed after this."""

Entry = tuple[Instant, int, str]


class Timers:
    """The nearest timers, and the way to the rest."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._heap: list[Entry] = []
        self._horizon: Instant = 0
        self._cursor: Entry = (0, 0, "")
        self._wanted: Instant = 0
        self._alarm: Handle | None = None
        self._alarm_at: Instant = 0
        self._is_loading = False
        # Beyond the horizon, and not on disk yet: a page that is read meanwhile does not have them.
        self._unwritten: set[Entry] = set()

    def open(self) -> None:
        """Read the nearest timers."""
        self._load()

    def open_for_own(self) -> None:
        """Fire only the timers of runs that come to this engine: all of those are in memory."""
        self._horizon = self._wanted = FOR_EVER

    def close(self) -> None:
        """Fire no more."""
        if self._alarm is not None:
            self._alarm.cancel()

    def add(self, execution: Execution, due: Instant, step: str) -> None:
        """Add a timer's row; it is part of the transaction of the run's open row."""
        facts = execution.facts
        execution.also.append((NEW_TIMER, (due, facts.run_no, step, 0, facts.scope_no)))
        entry = (due, facts.run_no, step)
        if due <= max(self._horizon, self._wanted):
            self._push(entry)
        else:
            self._unwritten.add(entry)
            execution.afterwards.append(partial(self._unwritten.discard, entry))

    def drop(self, execution: Execution, due: Instant, step: str) -> None:
        """Delete a timer's row in the transaction of the run's open row: earlier, a crash would lose it."""
        execution.also.append((GONE_TIMER, (due, execution.facts.run_no, step)))

    def restore(self, execution: Execution) -> None:
        """Set all timers of a run again, whether their rows are still there or not."""
        for step, timer in execution.timers.items():
            self.add(execution, timer.due, step)
        for step, call in execution.calls.items():
            if call.due:
                self.add(execution, call.due, step)

    def rearm(self, execution: Execution) -> None:
        """Look at the timers of a run again: those that came due while it was suspended fire now."""
        run_no = execution.facts.run_no
        for step, timer in execution.timers.items():
            self._push((timer.due, run_no, step))
        for step, call in execution.calls.items():
            if call.due:
                self._push((call.due, run_no, step))

    def _push(self, entry: Entry) -> None:
        heapq.heappush(self._heap, entry)
        self._set_alarm()

    def _set_alarm(self) -> None:
        if self._kernel.is_closing:
            return
        now = self._kernel.host.now()
        next_due = self._heap[0][0] if self._heap else now + HORIZON
        if self._horizon and self._may_load():
            next_due = min(next_due, self._horizon - HORIZON // 4)
        next_due = max(next_due, now)
        if self._alarm is not None:
            if self._alarm_at <= next_due:
                return
            self._alarm.cancel()
        self._alarm_at = next_due
        delay = min((next_due - now) / MICROS_PER_S, MAX_SLEEP_S)
        self._alarm = self._kernel.host.later(delay, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        now = self._kernel.host.now()
        turns = self._kernel.turns
        while self._heap and self._heap[0][0] <= now:
            if turns.is_spent():
                turns.wait(self._ring)
                return
            self._fire(heapq.heappop(self._heap))
        if self._horizon - now < HORIZON // 2:
            self._load()
        self._set_alarm()

    def _fire(self, entry: Entry) -> None:
        due, run_no, step = entry
        kernel = self._kernel

        def make(execution: Execution) -> Input | None:
            if execution.end is not None or execution.is_suspended:
                return None
            timer, call = execution.timers.get(step), execution.calls.get(step)
            if (timer is None or timer.due != due) and (call is None or call.due != due):
                return None
            if any(given.kind is InputKind.TIMER and given.step == step for given in execution.inputs):
                return None  # set twice by a retry, and the first has not been taken yet
            now = kernel.host.now()
            if now < due:
                # The clock was set back while the run was loaded.
                self._push(entry)
                return None
            return Input(InputKind.TIMER, now, step)

        kernel.deliver(run_no, make, lambda refused: None)

    def _may_load(self) -> bool:
        """Whether there is room for another page; without it an alarm for its sake would ring without end."""
        return not self._is_loading and not self._kernel.is_closing and len(self._heap) <= 4 * PAGE

    def _load(self) -> None:
        if not self._may_load():
            return
        self._is_loading = True
        cursor = self._cursor
        # Timers that are added while the page is read go to memory at once, or they would be missed.
        self._wanted = until = self._kernel.host.now() + HORIZON
        unwritten = sorted(self._unwritten)

        def read(connection: apsw.Connection) -> list[Any]:
            sql = (
                "SELECT due, run_no, step FROM timers WHERE (due, run_no, step) > (?, ?, ?) AND due <= ?"
                " ORDER BY due, run_no, step LIMIT ?"
            )
            return connection.execute(sql, (*cursor, until, PAGE)).fetchall()

        def loaded(rows: list[Entry] | None, error: Exception | None) -> None:
            if rows is None or error is not None:
                self._is_loading = False
                self._kernel.host.later(1.0, self._load)
            else:
                self._loaded(rows, unwritten, until)

        self._kernel.host.read(read, loaded)

    def _loaded(self, rows: list[Entry], unwritten: list[Entry], until: Instant) -> None:
        self._is_loading = False
        if len(rows) == PAGE:
            self._cursor = rows[-1]
            self._horizon = self._wanted = rows[-1][0]
        else:
            self._cursor = (until, 0, "")
            self._horizon = until
        known = set(self._heap)
        for entry in (*rows, *unwritten):
            if entry[0] <= self._horizon and entry not in known:
                known.add(entry)
                heapq.heappush(self._heap, entry)
        self._set_alarm()
