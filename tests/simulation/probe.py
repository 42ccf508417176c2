"""Looks at runs: what a run in memory waits for, and what a fresh engine makes of its stored rows (I5)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from counterpoint.core.values import JsonValue
from counterpoint.engines.embedded.cancelling import release
from counterpoint.engines.embedded.execution import Execution
from counterpoint.engines.embedded.kernel import Kernel
from counterpoint.engines.embedded.loading import FACTS, Found
from counterpoint.engines.embedded.replay import Replay
from counterpoint.engines.embedded.rows import SELECT_ROWS, row_range
from counterpoint.errors import StorageError
from counterpoint.ports.connectors import Connectors
from counterpoint.ports.engine import Revisions
from counterpoint.ports.payloads import PlainCodec
from counterpoint.testing.simulation import Simulation
from counterpoint.testing.virtual_host import Evaluate, VirtualHost, VirtualTime

Snapshot = dict[str, Any]


def snapshot(execution: Execution) -> Snapshot:
    """All that decides how a run goes on, as plain values."""
    return {
        "status": execution.standing().word,
        "seq": execution.seq,
        "head": execution.head.hex(),
        "now": execution.now,
        "calls": {
            step: [call.number, call.is_open, call.due, call.digest, call.doubts, call.is_halted, call.spent]
            for step, call in sorted(execution.calls.items())
        },
        "timers": {step: timer.due for step, timer in sorted(execution.timers.items())},
        "children": {step: child.child_id for step, child in sorted(execution.children.items())},
        "held": [[given.kind, given.step, number] for given, number in execution.held],
        "gaps": execution.gaps,
        "live": [[row.seq, row.step, list(row.commands)] for row in execution.live],
        "depth": execution.depth,
        "end": plain(execution.end),
    }


def plain(end: Any) -> Any:
    """An end without what only the live run knows; through JSON, since a live one holds raw bytes."""
    return None if end is None else msgspec.json.decode(msgspec.json.encode(end))


def is_idle(execution: Execution) -> bool:
    """Whether all that a run did is in its rows."""
    return not (
        execution.uncommitted
        or execution.inputs
        or execution.ready
        or execution.evaluations
        or execution.replay is not None
        or execution.input is not None
        or execution.commands
        or execution.when_ready
        or execution.is_dropped
    )


class _SilentJournal:
    """A probe must write nothing."""

    def submit(self, batch: Any) -> None:
        raise AssertionError("a replay wrote")

    def resume(self) -> None:
        raise AssertionError("a replay wrote")

    def close(self) -> None:
        """Nothing to close."""


class _ProbeHost(VirtualHost):
    """Surroundings of a replay: pure work goes on, and nothing else is possible."""

    def __init__(self, evaluate: Evaluate, connectors: Connectors) -> None:
        super().__init__(VirtualTime(0), connectors, None, evaluate)  # type: ignore[arg-type] - never read
        self.turns: deque[Callable[[], None]] = deque()

    def soon(self, callback: Callable[[], None]) -> None:
        self.turns.append(callback)

    def perform(self, attempt: Any, done: Any) -> Any:
        raise AssertionError("a replay called")

    def confirm(self, attempt: Any, done: Any) -> Any:
        raise AssertionError("a replay called")

    def evaluate(self, text: str, value: JsonValue, variables: Any, done: Any) -> None:
        try:
            result = self._evaluate(text, value, variables)
        except Exception as failed:
            error = failed
            self.turns.append(lambda: done(None, error))
        else:
            self.turns.append(lambda: done(result, None))


class ProbeKernel(Kernel):
    """A fresh engine that replays one run and then holds still."""

    def __init__(
        self, revisions: Revisions, world: Connectors, evaluate: Evaluate, blob: Callable[[str], bytes]
    ) -> None:
        self.probe_host = _ProbeHost(evaluate, world)
        super().__init__(self.probe_host, _SilentJournal(), revisions, world, PlainCodec(), _impossible)
        self.loading.blob = blob
        self.found: Snapshot | None = None
        self.problem = ""

    def replayed(self, execution: Execution, replay: Replay) -> None:
        """Take the picture; nothing is resolved, woken or written."""
        self.found = snapshot(execution)
        execution.is_end_written = True
        execution.is_dropped = True
        release(execution)

    def stop_with(self, execution: Execution, cause: str, error: Exception) -> None:
        """The history does not fit."""
        self.problem = f"{cause}: {error}"
        execution.is_dropped = True
        release(execution)

    def revive(self, found: Found) -> Snapshot:
        """State of a run after the replay of its rows.

        Raises:
            AssertionError: The rows cannot be replayed.
        """
        execution = self.loading.build(found)
        execution.advance()
        while self.probe_host.turns:
            self.probe_host.turns.popleft()()
        assert not self.problem, f"run {found.facts[2]}: {self.problem}"
        assert self.found is not None, f"run {found.facts[2]}: the replay did not end"
        return self.found


def _impossible(error: StorageError) -> None:
    raise AssertionError(error)


def replayed(simulation: Simulation, run_no: int) -> Snapshot:
    """State of a run as a fresh engine finds it."""
    blob = simulation.database.blobs.read
    probe = ProbeKernel(simulation.revisions, simulation.world, simulation.evaluate, blob)
    return probe.revive(stored(simulation, run_no))


def stored(simulation: Simulation, run_no: int) -> Found:
    """A run as loading finds it."""
    connection = simulation.database.connection
    facts = connection.execute(FACTS, (run_no,)).fetchone()
    assert facts is not None, f"I1: run {run_no} was acknowledged and is not on disk"
    return Found(facts, connection.execute(SELECT_ROWS, row_range(run_no)).fetchall(), {})
