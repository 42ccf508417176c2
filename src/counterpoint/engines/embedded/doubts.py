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
from counterpoint.ports.connectors import AttemptResult
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
        number = call.number

        def confirmed(result: AttemptResult | None, error: Exception | None) -> None:
            if execution.is_dropped or call.is_settled or call.number != number:
                return
            call.handle = None
            _take_answer(kernel, execution, call, result, error)
            execution.advance()

        call.handle = kernel.host.confirm(attempt_of(execution, call), confirmed)
        return
    repeats = may_repeat_in_doubt(call) and call.doubts < MAX_DOUBTS
    _push(kernel, execution, call, "repeat" if repeats else "pause")


def _take_answer(
    kernel: Kernel,
    execution: Execution,
    call: CallPending,
    result: AttemptResult | None,
    error: Exception | None,
) -> None:
    if error is not None:
        _push(kernel, execution, call, "pause")
    elif result is None:
        _push(kernel, execution, call, "repeat")
    else:
        payload = {
            "number": call.number,
            "verdict": result.verdict.value,
            "value": msgspec.Raw(encode_json(result.value)),
            "isConfirmed": True,
        }
        given = Input(InputKind.RESULT, kernel.host.now(), call.step.text, payload, value=result.value)
        execution.inputs.append(given)


def _push(kernel: Kernel, execution: Execution, call: CallPending, resolution: str) -> None:
    payload = {"number": call.number, "resolution": resolution}
    execution.inputs.append(Input(InputKind.IN_DOUBT, kernel.host.now(), call.step.text, payload))
    # Not open any more: a second look must not find the same doubt again.
    call.is_recorded = False
