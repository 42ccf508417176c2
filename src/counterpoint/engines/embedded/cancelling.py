"""Ending strands: with everything that they wait for, or without any effect when a run leaves memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from counterpoint.engines.embedded.strands import (
    CallPending,
    ChildPending,
    EvaluatePending,
    JoinPending,
    Pending,
    Strand,
    TimerPending,
)

if TYPE_CHECKING:
    from counterpoint.engines.embedded.execution import Execution


def cancel_strand(execution: Execution, strand: Strand) -> None:
    """End a strand and everything it waits for; nothing is issued for it afterwards."""
    strand.is_alive = False
    waiting = strand.waiting
    strand.waiting = None
    if waiting is not None and not waiting.is_settled:
        _abandon(execution, waiting)
    strand.coroutine.close()


def _abandon(execution: Execution, pending: Pending) -> None:
    pending.is_settled = True
    match pending:
        case CallPending():
            execution.calls.pop(pending.step.text, None)
            execution.kernel.abandon_call(execution, pending)
        case TimerPending():
            execution.timers.pop(pending.step.text, None)
            execution.kernel.drop_timer(execution, pending.due, pending.step.text)
        case ChildPending():
            execution.children.pop(pending.step.text, None)
            execution.kernel.abandon_child(execution, pending)
        case EvaluatePending():
            if pending in execution.evaluations:
                execution.evaluations.remove(pending)
        case JoinPending():
            for strand in list(pending.running.values()):
                cancel_strand(execution, strand)
            pending.running.clear()
            execution.branches -= len(pending.branches)


def cancel_all(execution: Execution) -> None:
    """End every strand of a run."""
    if execution.root is not None and execution.root.is_alive:
        cancel_strand(execution, execution.root)
    execution.ready.clear()
    execution.evaluations.clear()


def release(execution: Execution) -> None:
    """Close the strands without any effect: the run leaves memory."""
    waiting: list[Pending] = [
        *execution.calls.values(),
        *execution.timers.values(),
        *execution.children.values(),
        *execution.evaluations,
    ]
    for pending in waiting:
        pending.is_settled = True
        if pending.strand is not None:
            pending.strand.coroutine.close()
    for strand in execution.ready:
        strand.coroutine.close()
    if execution.root is not None:
        execution.root.coroutine.close()
