"""Calls in doubt: an attempt was asked for, and the process ended before its outcome was on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from counterpoint.core.values import encode_json
from counterpoint.engines.embedded.commands import attempt_of
from counterpoint.engines.embedded.execution import Execution
from counterpoint.engines.embedded.inputs import Input
from counterpoint.engines.embedded.retry_plan import MAX_DOUBTS, may_repeat_in_doubt
from counterpoint.engines.embedded.strands import CallPending
from counterpoint.ports.connectors import AttemptResult, Verdict
from counterpoint.ports.history import InputKind

if TYPE_CHECKING:
    from counterpoint.engines.embedded.kernel import Kernel


def resolve(kernel: Kernel, execution: Execution) -> None:
    """Decide for each call in doubt: ask the target, repeat, or pause."""
    if execution.is_dropped or execution.end is not None or execution.is_suspended:
        return
    for call in list(execution.calls.values()):
        if call.is_open and call.is_recorded and call.handle is None:
            _resolve(kernel, execution, call)
    execution.advance()


def _resolve(kernel: Kernel, execution: Execution, call: CallPending) -> None:
    if call.info.has_confirm:
        ask(kernel, execution, call, None)
        return
    repeats = may_repeat_in_doubt(call) and call.doubts < MAX_DOUBTS
    _push(kernel, execution, call, "repeat" if repeats else "pause")


def ask(kernel: Kernel, execution: Execution, call: CallPending, failed: AttemptResult | None) -> None:
    """Ask the target whether the effect of the latest attempt exists.

    Args:
        kernel: The engine.
        execution: The run.
        call: The call in doubt.
        failed: Result of the attempt that lost its reply; None when the process died.
    """
    number = call.number

    def answered(result: AttemptResult | None, error: Exception | None) -> None:
        if execution.is_dropped or call.is_settled or call.number != number:
            return
        call.handle = None
        if error is not None or (result is not None and result.verdict is not Verdict.DONE):
            # The target cannot tell either: a person must look.
            _push(kernel, execution, call, "pause")
        elif result is not None:
            _push_found(kernel, execution, call, result)
        elif failed is None:
            _push(kernel, execution, call, "repeat")
        else:
            # It did not happen: an ordinary failure, with the retries that it has.
            certain = msgspec.structs.replace(failed, is_uncertain=False)
            kernel.record_result(execution, call, certain)
        execution.advance()

    call.handle = kernel.host.confirm(attempt_of(execution, call), answered)


def _push_found(kernel: Kernel, execution: Execution, call: CallPending, result: AttemptResult) -> None:
    payload = {
        "number": call.number,
        "verdict": result.verdict.value,
        "value": msgspec.Raw(encode_json(result.value)),
        "isConfirmed": True,
    }
    now = kernel.host.now()
    execution.inputs.append(Input(InputKind.RESULT, now, call.step.text, payload, value=result.value))


def _push(kernel: Kernel, execution: Execution, call: CallPending, resolution: str) -> None:
    payload = {"number": call.number, "resolution": resolution}
    execution.inputs.append(Input(InputKind.IN_DOUBT, kernel.host.now(), call.step.text, payload))
    # Not open any more: a second look must not find the same doubt again.
    call.is_recorded = False
