"""Retry of a run that faulted or paused: it goes on where it stood, with the same keys.

The rows that ended it become void: replay passes over them, so that everything that waited then waits again.
What the end had dropped (timers, children) is set up again in the transaction of the RETRY row.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import apsw
import msgspec

from counterpoint.core.values import Status
from counterpoint.engines.embedded import doubts
from counterpoint.engines.embedded.execution import Execution
from counterpoint.engines.embedded.inbox import outcome_of_child
from counterpoint.engines.embedded.inputs import Input
from counterpoint.engines.embedded.replay import last_end
from counterpoint.engines.embedded.rows import (
    SELECT_ROWS,
    StoredRow,
    decode,
    encode_body,
    read_body,
    row_range,
)
from counterpoint.engines.embedded.statements import NEW_INBOX
from counterpoint.errors import Conflict, RequestError
from counterpoint.ports.history import HistoryEntry, InputKind

if TYPE_CHECKING:
    from counterpoint.engines.embedded.kernel import Kernel

Done = Callable[[Exception | None], None]

_CHILD = "SELECT run_no, scope_no, id, parent_no, parent_step, status, revision_no FROM runs WHERE run_no = ?"


class RetryOrder(msgspec.Struct, frozen=True):
    """Who wants a run to go on; `audit` is the action to record, `inbox_no` the item that asked, if any."""

    run_no: int
    actor: str
    audit: str = ""
    inbox_no: int = 0


class Retries:
    """Lets runs go on."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def retry(self, order: RetryOrder, done: Done) -> None:
        """Go on with a faulted or paused run.

        Args:
            order: What is asked.
            done: Called once the retry is durable, or with the refusal.
        """
        kernel, run_no = self._kernel, order.run_no

        def again() -> None:
            self.retry(order, done)

        known = kernel.executions.get(run_no)
        if kernel.loading.is_reading(run_no):
            # It is read for somebody else, who must not be refused what concerns the retry alone.
            kernel.loading.load(
                run_no, lambda execution: kernel.host.soon(again), lambda refused: kernel.host.soon(again)
            )
        elif known is None:
            kernel.loading.load(run_no, partial(self._loaded, order, done), done, is_retry=True)
        elif known.replay is not None:
            known.when_ready.append((lambda execution: kernel.host.soon(again), done))
        elif known.uncommitted or known.inputs:
            # What it wrote must be on disk before its rows are read again.
            kernel.outbox.once_durable(again)
        elif known.end is None:
            done(_not_faulted())
        else:
            kernel.forget(known)
            again()

    def _loaded(self, order: RetryOrder, done: Done, execution: Execution) -> None:
        payload: dict[str, Any] = {"voids": sorted(execution.voids)}
        if order.inbox_no:
            payload["isParents"] = True
        given = Input(
            InputKind.RETRY,
            self._kernel.host.now(),
            payload=payload,
            actor=order.actor,
            inbox_no=order.inbox_no,
            audit=order.audit,
            done=done,
        )
        execution.inputs.append(given)

    def go_on(self, execution: Execution) -> None:
        """Set up again what the end had dropped; part of the row of the retry."""
        kernel, facts = self._kernel, execution.facts
        kernel.timers.restore(execution)
        for child in execution.children.values():
            child_no = execution.child_nos.get(child.child_id)
            if child_no is None:
                execution.births.append(child)
            else:
                kernel.inbox.send(execution, child_no, InputKind.RETRY, {"actor": facts.actor})
        if facts.gate is not None:
            kernel.gates.come_back(facts.gate, execution)
        # What its children had to say while it stood still.
        execution.afterwards.append(partial(kernel.inbox.wake, facts.run_no))
        kernel.host.soon(lambda: doubts.resolve(kernel, execution))

    # -- children -----------------------------------------------------------------------------------

    def retry_child(self, run_no: int, item_no: int, actor: str) -> None:
        """The parent goes on and waits for this child again: it goes on, too, or says again how it ended."""
        order = RetryOrder(run_no, actor, inbox_no=item_no)
        self.retry(order, partial(self._child_answered, run_no, item_no))

    def _child_answered(self, run_no: int, item_no: int, refused: Exception | None) -> None:
        if not isinstance(refused, RequestError):
            return
        kernel = self._kernel

        def read(connection: apsw.Connection) -> tuple[Any, list[Any]]:
            facts = connection.execute(_CHILD, (run_no,)).fetchone()
            return facts, connection.execute(SELECT_ROWS, row_range(run_no)).fetchall()

        kernel.host.read(read, lambda found, error: self._tell_parent(item_no, found))

    def _tell_parent(self, item_no: int, found: tuple[Any, list[Any]] | None) -> None:
        kernel = self._kernel
        if found is None:
            return
        kernel.inbox.discard(item_no)
        if found[0] is None:
            return
        (_, scope_no, run_id, parent_no, parent_step, status, revision_no), rows = found
        scope = kernel.revisions.by_number(revision_no).scope
        stored = [StoredRow(*row) for row in rows]
        entries = [decode(row, scope, kernel.codec, read_body(row, kernel.loading.blob)) for row in stored]
        end = last_end(entries)
        if end is None or not Status(status).is_final or parent_step is None:
            return
        body = encode_body(outcome_of_child(run_id, end))
        kernel.outbox.add(NEW_INBOX, (scope_no, parent_no, InputKind.CHILD, parent_step, body))
        kernel.outbox.once_durable(lambda: kernel.inbox.wake(parent_no))


def fault_rows(entries: list[HistoryEntry]) -> frozenset[int]:
    """Rows whose failure ended the run: a retry makes them void.

    Raises:
        Conflict: The run goes on or completed, or the document itself raised the fault, so that the same
            would happen again.
    """
    end = last_end(entries)
    if end is None or end.status == "completed":
        raise _not_faulted()
    if end.status == "cancelled":
        return _parents_cancel(entries)
    if end.cause == "inDoubt":
        return frozenset()
    for entry in reversed(entries):
        if end.step and entry.step == end.step and entry.kind in (InputKind.RESULT, InputKind.CHILD):
            return frozenset({entry.seq})
    hint = "Correct the document or the input, deploy, and start a new run."
    raise Conflict("The document itself raised the fault, so another try would end the same way", hint)


def _parents_cancel(entries: list[HistoryEntry]) -> frozenset[int]:
    for entry in reversed(entries):
        if entry.kind is InputKind.CANCEL and entry.payload.get("isParents"):
            return frozenset({entry.seq})
    raise _not_faulted()


def _not_faulted() -> Conflict:
    return Conflict("The run did not fault and is not paused by a fault", "Only such a run can be retried.")
