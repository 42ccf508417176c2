"""What the interpreter asks for: attempts, timers, children; each with its fingerprint."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from counterpoint.core.values import StepKey, encode_json, idempotency_key
from counterpoint.engines.embedded.context import attempt_command
from counterpoint.engines.embedded.execution import Execution
from counterpoint.engines.embedded.ids import run_id, span_id
from counterpoint.engines.embedded.strands import CallPending, ChildPending, TimerPending
from counterpoint.ports.connectors import Attempt
from counterpoint.ports.history import Command

if TYPE_CHECKING:
    from counterpoint.engines.embedded.kernel import Kernel


def issue_attempt(kernel: Kernel, execution: Execution, call: CallPending) -> None:
    """Ask for the next attempt; it begins when the row that names it is durable."""
    call.number += 1
    call.is_open, call.due = True, 0
    replay = execution.replay
    if replay is not None and replay.match("attempt", call.step.text, call.number, call.digest):
        call.is_recorded = True
        return
    # Written before the call: a crash between the two must count as an attempt.
    call.is_recorded = False
    execution.commands.append(attempt_command(call))
    execution.launches.append(call)


def issue_timer(kernel: Kernel, execution: Execution, timer: TimerPending) -> None:
    """Ask for a timer; its row lies in the table of timers until it fires or is dropped."""
    step = timer.step.text
    replay = execution.replay
    if replay is not None:
        known = replay.match("timer", step, 0, "")
        if known is not None:
            timer.due = known.due
            return
    purpose = "timeout" if step.endswith(".timeout") or step == "timeout" else "wait"
    execution.commands.append(Command("timer", step, due=timer.due, purpose=purpose))
    kernel.timers.add(execution, timer.due, step)


def issue_child(kernel: Kernel, execution: Execution, child: ChildPending) -> None:
    """Ask for a child run; it starts in the same transaction as the row that names it."""
    start, step = child.start, child.step.text
    what = encode_json([start.namespace, start.name, start.version, start.input])
    digest = hashlib.sha256(execution.seed + what).hexdigest()[:32]
    if start.is_awaited:
        execution.children[step] = child
    else:
        child.is_settled = True
    replay = execution.replay
    if replay is not None:
        known = replay.match("child", step, 0, digest)
        if known is not None:
            child.child_id = known.child
            return
    child.child_id = run_id(execution.now, kernel.random.take(10))
    target = f"{start.namespace}.{start.name}:{start.version or 'latest'}"
    execution.commands.append(
        Command("child", step, digest, 0, 0, start.pointer, start.task, target, child.child_id)
    )
    execution.births.append(child)


def abandon_call(kernel: Kernel, execution: Execution, call: CallPending) -> None:
    """Cancel the attempt under way, and the backoff timer; the effect of the attempt stays unknown."""
    if call.handle is not None:
        call.handle.cancel()
        call.handle = None
    if call.due:
        kernel.drop_timer(execution, call.due, call.step.text)


def abandon_child(kernel: Kernel, execution: Execution, child: ChildPending) -> None:
    """Cancel an awaited child (statement 232)."""
    if child in execution.births:
        execution.births.remove(child)
    elif execution.replay is None or execution.replay.is_open:
        kernel.children.cancel(execution, child.child_id)


def launch(kernel: Kernel, execution: Execution, call: CallPending, number: int) -> None:
    """The row that names the attempt is durable: make it."""
    if call.is_settled or call.number != number or execution.is_dropped or execution.end is not None:
        # Nothing begins once the run has ended or paused, which it may have between the row and its commit.
        return
    call.handle = kernel.host.perform(
        attempt_of(execution, call), lambda result: kernel.results_of(execution, call, number, result)
    )


def attempt_of(execution: Execution, call: CallPending) -> Attempt:
    """The attempt as the connectors see it."""
    facts, policy, step, number = execution.facts, call.policy, call.step, call.number

    def key() -> str:
        own = StepKey(step.text, f"{step.identity}@{number}") if policy.key_per_attempt else step
        return idempotency_key(facts.id, own)

    def traceparent() -> str:
        return f"00-{facts.trace_id}-{span_id(execution.seed, step.text, number)}-01"

    return Attempt(
        execution.scope,
        facts.id,
        execution.deployed.workflow.name,
        step.text,
        number,
        call.invocation,
        policy.idempotency_key or key,
        policy.idempotency_header,
        facts.correlation_id,
        traceparent,
    )
