"""What comes back: applying inputs, live or recorded, and ending a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from counterpoint import __version__
from counterpoint.core.context import RunInfo
from counterpoint.core.dsl.model import OnFault
from counterpoint.engines.embedded import doubts
from counterpoint.engines.embedded.cancelling import cancel_all
from counterpoint.engines.embedded.context import arrived_bytes, boundary_bytes, remember
from counterpoint.engines.embedded.execution import Execution, Failure
from counterpoint.engines.embedded.ids import entropy
from counterpoint.engines.embedded.inputs import Input
from counterpoint.engines.embedded.retry_plan import Next, plan_after
from counterpoint.engines.embedded.strands import CallPending
from counterpoint.errors import Fault, FaultRaised, standard_fault, storable
from counterpoint.ports.connectors import AttemptResult, Verdict
from counterpoint.ports.history import InputKind, RunEnd

if TYPE_CHECKING:
    from counterpoint.engines.embedded.kernel import Kernel


def apply(kernel: Kernel, execution: Execution, given: Input, seq: int) -> None:
    """Let an input reach the strands; `seq` is the number of its row."""
    if kernel.is_closing and execution.replay is None and given.kind in _HELD:
        # Recorded for the next owner, who applies it: what would follow now could not be made any more.
        return
    if execution.is_suspended and given.kind in _HELD:
        # Recorded now, applied when the run resumes: nothing follows a suspension.
        execution.held.append((given, seq))
        return
    _APPLY[given.kind](kernel, execution, given, seq)


def _started(kernel: Kernel, execution: Execution, given: Input, seq: int) -> None:
    facts, payload = execution.facts, given.payload
    execution.seed = bytes.fromhex(payload["seed"])
    runtime = {"name": "counterpoint", "version": payload["version"], "metadata": {}}
    flags = frozenset(payload.get("flags", ()))
    execution.info = RunInfo(
        facts.id, given.value, given.at, facts.correlation_id, facts.trace_id, runtime, flags
    )
    execution.depth = payload.get("depth", 0)
    if payload.get("gated"):
        execution.is_gated = True
    else:
        execution.begin(execution.body())


def _admitted(kernel: Kernel, execution: Execution, given: Input, seq: int) -> None:
    if execution.is_gated:
        execution.is_gated = False
        execution.begin(execution.body())


def _result(kernel: Kernel, execution: Execution, given: Input, seq: int) -> None:
    payload = given.payload
    call = execution.calls.get(given.step)
    if call is None or payload["number"] != call.number:
        return
    call.is_open, call.handle, call.doubts = False, None, 0
    if payload["verdict"] != Verdict.DONE.value:
        invocation = call.invocation
        execution.failure = Failure(
            given.step, invocation.task, invocation.target, payload["verdict"], call.number
        )
    if payload["verdict"] == Verdict.DONE.value:
        del execution.calls[given.step]
        execution.settle(call, given.value)
    elif "due" in payload:
        call.due = payload["due"]
        if execution.replay is None:
            kernel.timers.add(execution, call.due, given.step)
    elif payload.get("again"):
        kernel.issue_attempt(execution, call)
    elif payload.get("pause"):
        call.is_halted = True
        _pause(execution, "inDoubt", _fault(payload), given.step)
    elif execution.replay is not None and seq in execution.replay.voids:
        call.is_halted = True
    else:
        del execution.calls[given.step]
        execution.settle(call, error=FaultRaised(_fault(payload), given.step))


def _fault(payload: dict[str, Any]) -> Fault:
    fault = payload["fault"]
    return fault if isinstance(fault, Fault) else msgspec.convert(fault, Fault)


def _timer(kernel: Kernel, execution: Execution, given: Input, seq: int) -> None:
    timer = execution.timers.pop(given.step, None)
    if timer is not None:
        # In the transaction of this row: a crash leaves either the timer or the record that it fired.
        kernel.drop_timer(execution, timer.due, given.step)
        execution.settle(timer)
        return
    call = execution.calls.get(given.step)
    if call is not None and call.due:
        kernel.drop_timer(execution, call.due, given.step)
        kernel.issue_attempt(execution, call)


def _child(kernel: Kernel, execution: Execution, given: Input, seq: int) -> None:
    payload = given.payload
    child = execution.children.get(given.step)
    if child is None:
        return
    if payload["status"] == "completed":
        del execution.children[given.step]
        execution.settle(child, payload.get("output"))
    elif execution.replay is None or seq not in execution.replay.voids:
        del execution.children[given.step]
        execution.settle(child, error=FaultRaised(_fault(payload), given.step))


def _cancel(kernel: Kernel, execution: Execution, given: Input, seq: int) -> None:
    if execution.replay is not None and seq in execution.replay.voids:
        return
    cancel_all(execution)
    execution.is_suspended = execution.is_gated = False
    execution.end = RunEnd("cancelled", cause=given.payload.get("reason", ""))
    execution.is_end_written = False


def _suspend(kernel: Kernel, execution: Execution, given: Input, seq: int) -> None:
    execution.is_suspended = True


def _resume(kernel: Kernel, execution: Execution, given: Input, seq: int) -> None:
    execution.is_suspended = False
    held = list(execution.held)
    execution.held.clear()
    for earlier, number in held:
        apply(kernel, execution, earlier, number)
    if execution.replay is None:
        if execution.is_gated and execution.facts.gate is not None:
            kernel.gates.come_back(execution.facts.gate, execution)
        kernel.timers.rearm(execution)
        kernel.host.soon(lambda: doubts.resolve(kernel, execution))


def _retry(kernel: Kernel, execution: Execution, given: Input, seq: int) -> None:
    execution.end, execution.is_end_written = None, False
    for call in list(execution.calls.values()):
        # All of them: a branch whose attempt the pause cut off would else pause the run again at once, and
        # the two branches would take turns for ever.
        call.doubts = 0
        if call.is_halted:
            call.is_halted, call.spent, call.began = False, call.number, execution.now
            kernel.issue_attempt(execution, call)
    if execution.replay is None:
        kernel.retries.go_on(execution)


def _continued(kernel: Kernel, execution: Execution, given: Input, seq: int) -> None:
    """Rows that bring no input of their own."""


def _in_doubt(kernel: Kernel, execution: Execution, given: Input, seq: int) -> None:
    call = execution.calls.get(given.step)
    if call is None or given.payload["number"] != call.number:
        return
    call.is_open = False
    if given.payload["resolution"] == "repeat":
        call.doubts += 1
        kernel.issue_attempt(execution, call)
        return
    call.is_halted = True
    invocation = call.invocation
    execution.failure = Failure(given.step, invocation.task, invocation.target, "", call.number)
    detail = f"Attempt {call.number} has no outcome: it may have happened"
    _pause(execution, "inDoubt", standard_fault("runtime", detail, call.invocation.pointer), given.step)


def _pause(execution: Execution, cause: str, fault: Fault, step: str | None) -> None:
    execution.end = RunEnd("suspended", fault=fault, step=step, cause=cause)
    execution.is_end_written = False


_APPLY: dict[InputKind, Callable[[Kernel, Execution, Input, int], None]] = {
    InputKind.STARTED: _started,
    InputKind.RESULT: _result,
    InputKind.TIMER: _timer,
    InputKind.CHILD: _child,
    InputKind.CANCEL: _cancel,
    InputKind.SUSPEND: _suspend,
    InputKind.RESUME: _resume,
    InputKind.RETRY: _retry,
    InputKind.CONTINUED: _continued,
    InputKind.SETTLED: _continued,
    InputKind.IN_DOUBT: _in_doubt,
    InputKind.ADMITTED: _admitted,
}
_HELD = frozenset(
    {InputKind.RESULT, InputKind.TIMER, InputKind.CHILD, InputKind.IN_DOUBT, InputKind.ADMITTED}
)


def root_ended(kernel: Kernel, execution: Execution, value: Any, error: BaseException | None) -> None:
    """End or pause the run; the open row carries it."""
    if error is None:
        output, outcome = value
        try:
            raw = msgspec.Raw(boundary_bytes(output, "output", ""))
        except FaultRaised as fault:
            error = fault
        else:
            execution.output = output
            execution.end = RunEnd("completed", raw, outcome=outcome)
            execution.is_end_written = False
            return
    if not isinstance(error, FaultRaised):
        error = FaultRaised(standard_fault("runtime", f"Internal error: {type(error).__name__}"))
    wanted = error.on_fault or execution.deployed.workflow.extras.on_fault.value
    if wanted == OnFault.PAUSE.value:
        _pause(execution, "fault", error.fault, error.step)
        return
    execution.end = RunEnd("faulted", fault=error.fault, step=error.step)
    execution.is_end_written = False


def take_result(
    kernel: Kernel, execution: Execution, call: CallPending, number: int, result: AttemptResult
) -> None:
    """An attempt ended: decide what follows, and make it an input."""
    if execution.is_dropped or call.is_settled or call.number != number:
        return
    call.handle = None
    if result.is_uncertain and call.info.has_confirm:
        # A lost reply: the target knows whether it happened, so ask before anything is repeated.
        doubts.ask(kernel, execution, call, result)
        return
    record_result(kernel, execution, call, result)


def record_result(kernel: Kernel, execution: Execution, call: CallPending, result: AttemptResult) -> None:
    """Make the result of the latest attempt an input, with what follows it."""
    payload: dict[str, Any] = {"number": call.number, "verdict": result.verdict.value}
    if result.verdict is Verdict.DONE:
        try:
            data = arrived_bytes(result.value, "result", call.invocation.pointer)
            payload["value"] = msgspec.Raw(data)
            remember(execution, result.value, len(data))
        except FaultRaised as refused:
            result = AttemptResult(Verdict.PERMANENT, fault=refused.fault)
            payload["verdict"] = result.verdict.value
    now = kernel.host.now()
    if result.verdict is not Verdict.DONE:
        _plan(execution, call, result, payload, now)
    execution.inputs.append(Input(InputKind.RESULT, now, call.step.text, payload, value=result.value))
    execution.advance()


def _plan(
    execution: Execution, call: CallPending, result: AttemptResult, payload: dict[str, Any], now: int
) -> None:
    pointer = call.invocation.pointer
    fault = result.fault or standard_fault("runtime", "The action failed and did not say why", pointer)
    payload["fault"] = msgspec.structs.replace(
        fault, instance=fault.instance or pointer, title=storable(fault.title), detail=storable(fault.detail)
    )
    if result.is_uncertain:
        payload["isUncertain"] = True
    draw = entropy(execution.seed, f"{call.step.text}#{call.number}")
    plan = plan_after(call, result, now, draw)
    if plan.next is Next.PAUSE:
        payload["pause"] = True
    elif plan.next is Next.AGAIN and plan.wait:
        payload["due"] = now + plan.wait
    elif plan.next is Next.AGAIN:
        payload["again"] = True


VERSION = __version__
"""Recorded with the start, so that `$runtime.version` stays the same on every replay."""
