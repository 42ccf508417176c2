"""How a call may be attempted: what the document says about retries, idempotency and doubt."""

from __future__ import annotations

from counterpoint.core.context import PLAIN_CALL, CallPolicy
from counterpoint.core.dsl.model import NO_EXTRAS, Task
from counterpoint.core.interp.dataflow import evaluate
from counterpoint.core.interp.scope import TaskScope
from counterpoint.errors import FaultRaised, standard_fault


def plain_policy(task: Task, scope: TaskScope) -> CallPolicy | None:
    """Policy of a call about which the document says nothing; None when it says something."""
    walk = scope.walk
    if task.extras is not NO_EXTRAS or not walk.is_plain:
        return None
    return _RETRIED_CALL if scope.frame.is_retried else PLAIN_CALL


async def policy_of(task: Task, scope: TaskScope, connector: str) -> CallPolicy:
    """Policy of a call: the task's own, else one attempt in a retried `try`, else the connector's.

    Raises:
        FaultRaised: expression/400 when the idempotency key is no text or number.
    """
    plain = plain_policy(task, scope)
    if plain is not None:
        return plain
    frame, walk = scope.frame, scope.walk
    extras, retries = task.extras, walk.workflow.extras.retries
    retry = extras.retry
    if retry is None and not frame.is_retried:
        retry = retries.get(connector)
    spec = extras.idempotency
    return CallPolicy(
        retry=retry,
        is_inside_retry=frame.is_retried and extras.retry is None,
        on_uncertain=extras.on_uncertain or walk.on_uncertain,
        idempotency_key=await _key(task, scope),
        idempotency_header=spec.header if spec is not None else "Idempotency-Key",
        key_per_attempt=spec.per_attempt if spec is not None else False,
        is_idempotent=spec is not None,
    )


_RETRIED_CALL = CallPolicy(is_inside_retry=True)


async def _key(task: Task, scope: TaskScope) -> str | None:
    spec = task.extras.idempotency
    if spec is None or spec.key is None:
        return None
    value = await evaluate(scope, spec.key, scope.input)
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    detail = "The idempotency key must be a text or a whole number"
    raise FaultRaised(standard_fault("expression", detail, task.pointer))
