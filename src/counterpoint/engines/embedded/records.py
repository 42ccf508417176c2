"""Rows: closing the open row of a run, and the run's own row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from counterpoint.core.values import Status, encode_json
from counterpoint.engines.embedded import commands
from counterpoint.engines.embedded.cancelling import cancel_all
from counterpoint.engines.embedded.execution import Execution, Failure, LiveRow
from counterpoint.engines.embedded.inbox import outcome_of_child
from counterpoint.engines.embedded.observing import Told
from counterpoint.engines.embedded.rows import (
    BLOB_BYTES,
    BLOB_FORMAT,
    MAX_ROWS,
    ROW_FORMAT,
    SEQ_BITS,
    RowBody,
    chain,
    columns_text,
    encode_body,
)
from counterpoint.engines.embedded.statements import (
    FORGET_HISTORY,
    GONE_INBOX,
    NEW_AUDIT,
    NEW_HISTORY,
    NEW_INBOX,
    NEW_RUN,
    RUN_STATE,
)
from counterpoint.engines.embedded.strands import CallPending
from counterpoint.errors import standard_fault
from counterpoint.ports.advice import Circumstance, advise
from counterpoint.ports.history import InputKind, RunEnd

if TYPE_CHECKING:
    from counterpoint.engines.embedded.kernel import Kernel

_NONCE_BYTES = 12


class Records:
    """Writes rows of history and of runs."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def close_row(self, execution: Execution) -> None:
        """Hand the open row to the outbox, with everything that belongs to the same transaction."""
        given = execution.input
        is_ending = execution.end is not None and not execution.is_end_written
        if given is None and not execution.commands and not is_ending and not execution.also:
            return
        if execution.seq >= MAX_ROWS and not is_ending:
            self._stop_at_limit(execution)
            is_ending = True
        told = self.told(execution, is_ending=is_ending)
        self._kernel.outbox.add(NEW_HISTORY, self.make_row(execution, told))
        self._update_run(execution, is_ending)
        for bulk, row in execution.also:
            self._kernel.outbox.add(bulk, row)
        for seq in execution.forget:
            self._kernel.outbox.add(FORGET_HISTORY, ((execution.facts.run_no << SEQ_BITS) + seq,))
        if given is not None and (given.inbox_no or given.audit):
            self._follow(execution, given.inbox_no, given.audit, given.actor, given.payload)
        # Never the lists themselves when they are empty: the next row goes on using them.
        births, launches = execution.births or (), execution.launches or ()
        done = None if given is None else given.done
        self._clear(execution)
        execution.is_end_written = is_ending or execution.is_end_written
        for child in births:
            self._kernel.children.start(execution, child)
        if is_ending:
            self._announce_to_parent(execution)
        self._commit(execution, told, launches, done, is_ending)

    @staticmethod
    def _clear(execution: Execution) -> None:
        """Begin a new row; what was empty stays."""
        execution.input, execution.commands = None, []
        if execution.decisions:
            execution.decisions = []
        if execution.launches:
            execution.launches = []
        if execution.births or execution.forget or execution.also:
            execution.births, execution.forget, execution.also = [], [], []

    def told(self, execution: Execution, *, is_ending: bool) -> Told:
        """The open row, as it will be stored."""
        given, end = execution.input, execution.end if is_ending else None
        is_unfinished = execution.is_at_work
        if given is None:
            body = RowBody(None, "", execution.commands, execution.decisions, end, is_unfinished)
            return Told(execution.seq + 1, execution.now, InputKind.CONTINUED, "", body)
        body = RowBody(
            given.payload, given.actor, execution.commands, execution.decisions, end, is_unfinished
        )
        return Told(execution.seq + 1, execution.now, given.kind, given.step, body)

    def make_row(self, execution: Execution, row: Told) -> tuple[Any, ...]:
        """Values of a row in the order of `statements.NEW_HISTORY`; the chain of the run goes on with it."""
        kernel, facts = self._kernel, execution.facts
        sealed = kernel.codec.seal(execution.scope, encode_body(row.body))
        data, form = sealed.data, ROW_FORMAT
        if len(data) > BLOB_BYTES:
            digest = hashlib.sha256(data).hexdigest()
            kernel.outbox.add_blob(digest, data)
            data, form = digest.encode(), BLOB_FORMAT
        execution.seq = seq = row.seq
        history_no = (facts.run_no << SEQ_BITS) + seq
        nonce, before = kernel.random.take(_NONCE_BYTES), execution.head
        head = chain(before, nonce, columns_text(history_no, row.at, form, row.kind, row.step), data)
        execution.head = head
        asked = row.body.commands
        steps = tuple([command.step for command in asked]) if asked else ()
        is_bare = row.kind is InputKind.CONTINUED
        execution.live.append(LiveRow(seq, row.step, steps, before, head, len(data), is_bare))
        execution.live_bytes += len(data)
        columns = (history_no, facts.scope_no, row.at, form, row.kind, row.step)
        return (*columns, sealed.codec, sealed.key_id or None, nonce, data, head)

    def _update_run(self, execution: Execution, is_ending: bool) -> None:
        kernel, facts, status = self._kernel, execution.facts, execution.standing()
        if execution.is_new:
            execution.is_new = False
            execution.status = status
            kernel.outbox.add(NEW_RUN, new_run_row(execution, None))
            if not is_ending:
                return
        elif status is execution.status and not is_ending and not execution.forget:
            # The head is stored with the status, and when the row that it was of may be forgotten.
            return
        execution.status = status
        end = execution.end
        ended = execution.now if end is not None and status.is_final else None
        outcome = None if end is None or end.outcome is None else _outcome_text(end.outcome)
        cause = self._cause(execution, end, status)
        kernel.outbox.add(RUN_STATE, (facts.run_no, status, ended, outcome, cause, execution.head))

    def _cause(self, execution: Execution, end: RunEnd | None, status: Status) -> str | None:
        given = execution.input
        if status is Status.SUSPENDED and end is None:
            reason = "" if given is None else (given.payload or {}).get("reason", "")
            return _cause_text(
                execution, "operator", actor="" if given is None else given.actor, reason=reason
            )
        if end is None or end.fault is None:
            return None
        return _cause_text(execution, end.cause or "fault", end=end)

    def _follow(self, execution: Execution, inbox_no: int, action: str, actor: str, payload: Any) -> None:
        outbox, facts = self._kernel.outbox, execution.facts
        if inbox_no:
            outbox.add(GONE_INBOX, (inbox_no,))
        if action:
            detail = encode_json(payload or {}).decode()
            outbox.add(NEW_AUDIT, (facts.scope_no, execution.now, actor, action, f"run/{facts.id}", detail))

    def _announce_to_parent(self, execution: Execution) -> None:
        facts, end = execution.facts, execution.end
        if facts.parent_no is None or facts.parent_step is None or end is None or end.status == "suspended":
            return
        payload = outcome_of_child(facts.id, end)
        # In the transaction of the child's end: the parent is told whatever happens next.
        self._kernel.outbox.add(
            NEW_INBOX,
            (facts.scope_no, facts.parent_no, InputKind.CHILD, facts.parent_step, encode_body(payload)),
        )

    def _commit(
        self,
        execution: Execution,
        row: Told,
        launches: Sequence[CallPending],
        done: Callable[[Exception | None], None] | None,
        is_ending: bool,
    ) -> None:
        kernel = self._kernel
        execution.uncommitted += 1
        afterwards = execution.afterwards
        if afterwards:
            execution.afterwards = []
        numbers = [call.number for call in launches] if launches else ()
        end = execution.end if is_ending else None

        def durable() -> None:
            execution.uncommitted -= 1
            if launches:
                for call, number in zip(launches, numbers, strict=True):
                    commands.launch(kernel, execution, call, number)
            for follow in afterwards:
                follow()
            if done is not None:
                done(None)
            if kernel.observers.is_watched(execution.facts.run_no):
                kernel.observers.tell(execution, row)
            if end is not None:
                self._ended(execution, end)
            elif execution.is_suspended and row.kind is InputKind.SUSPEND:
                kernel.observers.settle(execution, RunEnd("suspended", cause="operator"))
            kernel.rests(execution)

        kernel.outbox.once_durable(durable)

    def _ended(self, execution: Execution, end: RunEnd) -> None:
        kernel, facts = self._kernel, execution.facts
        kernel.observers.settle(execution, end)
        if end.status == "suspended":
            return
        if facts.gate is not None:
            kernel.gates.leave(facts.gate, facts.run_no)
        if facts.parent_no is not None and facts.parent_step is not None:
            kernel.inbox.wake(facts.parent_no)

    def _stop_at_limit(self, execution: Execution) -> None:
        cancel_all(execution)
        detail = f"The run has {MAX_ROWS} rows of history, the most that it may have"
        execution.end = RunEnd("faulted", fault=standard_fault("runtime", detail))
        execution.is_end_written = False

    def pause_without_row(self, execution: Execution, cause: str, why: str) -> None:
        """Mark a run as paused although nothing can be added to its history."""
        facts = execution.facts
        execution.status = Status.SUSPENDED
        text = _cause_text(execution, cause, reason=why)
        kernel = self._kernel
        kernel.outbox.add(RUN_STATE, (facts.run_no, Status.SUSPENDED, None, None, text, execution.head))
        now = kernel.host.now()
        detail = encode_json({"why": why}).decode()
        kernel.outbox.add(
            NEW_AUDIT, (facts.scope_no, now, "engine", f"runs.pause.{cause}", f"run/{facts.id}", detail)
        )
        end = RunEnd("suspended", cause=cause, fault=standard_fault("runtime", why))
        kernel.outbox.once_durable(lambda: kernel.observers.settle(execution, end))


def new_run_row(execution: Execution, start_key: str | None) -> tuple[Any, ...]:
    """Row of a new run, in the order of `statements.NEW_RUN`."""
    facts, deployed = execution.facts, execution.deployed
    return (
        facts.run_no,
        facts.scope_no,
        facts.id,
        deployed.workflow_no,
        deployed.revision_no,
        execution.status,
        execution.now,
        facts.actor,
        facts.correlation_id,
        facts.trace_id,
        start_key,
        facts.gate,
        facts.parent_no,
        facts.parent_step,
    )


def _outcome_text(value: Any) -> str:
    return value if isinstance(value, str) else encode_json(value).decode()


def _cause_text(
    execution: Execution, code: str, *, end: RunEnd | None = None, actor: str = "", reason: str = ""
) -> str:
    workflow, facts = execution.deployed.workflow, execution.facts
    step = "" if end is None else end.step or ""
    failure = execution.failure
    if failure is None or failure.step != step:
        failure = Failure(step, step.rpartition(".")[2], "", "", 0)
    circumstance = Circumstance(
        code=code,
        run_id=facts.id,
        namespace=workflow.namespace,
        workflow=workflow.name,
        step=step,
        task=failure.task,
        target=failure.target,
        verdict=failure.verdict,
        fault=None if end is None else end.fault,
        attempts=failure.attempts,
        actor=actor,
        reason=reason,
        owner=workflow.extras.owner,
        runbook=workflow.extras.runbook,
    )
    return msgspec.json.encode(advise(circumstance)).decode()
