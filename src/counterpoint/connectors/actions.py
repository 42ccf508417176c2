"""Calls of functions that were registered with the SDK, in this process and on this loop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from counterpoint.connectors.network import is_network_failure
from counterpoint.core.context import Invocation
from counterpoint.errors import (
    AuthenticationError,
    ConnectorError,
    DefinitionError,
    FaultRaised,
    PermanentError,
    Problem,
    RetryableError,
    ThrottledError,
    standard_fault,
)
from counterpoint.ports.connectors import ActionInfo, Attempt, AttemptResult, Idempotency, Verdict
from counterpoint.ports.logs import Log
from counterpoint.sdk import Action, ActionContext, Connector
from counterpoint.sdk.results import as_json

MAX_MESSAGE = 500
"""Longest message of an action's exception that goes into a fault, in characters."""

_DONE = Verdict.DONE

_PLAIN = frozenset({str, int, bool, type(None)})
"""Types of results that are JSON at a glance (a text only if it is ASCII)."""

_LOG = Log("counterpoint.connectors")


class RegisteredActions:
    """Registered functions behind the port of connectors.

    Args:
        connectors: Connectors whose actions can be called.

    Raises:
        DefinitionError: Two connectors have the same name.
    """

    def __init__(self, connectors: Iterable[Connector]) -> None:
        by_name: dict[str, Connector] = {}
        for connector in connectors:
            if by_name.setdefault(connector.name, connector) is not connector:
                raise DefinitionError(
                    [Problem(connector.name, "two connectors have this name; rename one", code="connector")]
                )
        self._actions = {a.name: a for c in by_name.values() for a in c.actions.values()}
        self._infos = {name: _info(action) for name, action in self._actions.items()}

    @property
    def names(self) -> list[str]:
        """Names of all actions, `CONNECTOR.ACTION`, sorted."""
        return sorted(self._actions)

    def describe(self, invocation: Invocation) -> ActionInfo | None:
        """See `ports.connectors.Connectors`."""
        return self._infos.get(invocation.target)

    async def perform(self, attempt: Attempt) -> AttemptResult:
        """See `ports.connectors.Connectors`."""
        invocation = attempt.invocation
        action = self._actions.get(invocation.target)
        if action is None:
            return _unknown(invocation)
        try:
            arguments = action.binder.bind(invocation.arguments)
            value = await action.function(_context(attempt), **arguments)
            return AttemptResult(_DONE, _result(action, value))
        # A process that exits because an action calls sys.exit would take all other runs with it.
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the boundary of a call: nothing but cancellation passes
            return classify(error, attempt)

    async def confirm(self, attempt: Attempt) -> AttemptResult | None:
        """See `ports.connectors.Connectors`; a failing `confirm` gives its failure, marked uncertain."""
        invocation = attempt.invocation
        action = self._actions.get(invocation.target)
        if action is None or action.confirm is None or action.confirm_binder is None:
            return None
        try:
            arguments = action.confirm_binder.bind(invocation.arguments)
            value = await action.confirm(_context(attempt), **arguments)
            return None if value is None else AttemptResult(_DONE, _result(action, value))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
            return msgspec.structs.replace(classify(error, attempt), is_uncertain=True)

    async def close(self) -> None:
        """Nothing to release: functions own what they open."""


def _info(action: Action) -> ActionInfo:
    return ActionInfo(
        Idempotency(action.idempotency), action.confirm is not None, action.retry, action.is_effect
    )


def _context(attempt: Attempt) -> ActionContext:
    return ActionContext(
        attempt.run_id,
        attempt.workflow,
        attempt.step,
        attempt.number,
        attempt.lazy_key,
        attempt.correlation_id,
        attempt.lazy_traceparent,
        attempt.scope,
    )


def _result(action: Action, value: Any) -> Any:
    if type(value) in _PLAIN and (type(value) is not str or value.isascii()):
        return value
    try:
        return as_json(value)
    except ValueError as error:
        raise TypeError(f"the result of {action.name} is not JSON: {error}") from error


def _unknown(invocation: Invocation) -> AttemptResult:
    detail = f"nothing is registered as {invocation.target}; load its connector, or correct the name"
    return AttemptResult(Verdict.PERMANENT, fault=standard_fault("configuration", detail, invocation.pointer))


_VERDICTS: dict[type[BaseException], tuple[Verdict, str, int]] = {
    ThrottledError: (Verdict.THROTTLED, "communication", 429),
    RetryableError: (Verdict.RETRYABLE, "communication", 500),
    AuthenticationError: (Verdict.AUTHENTICATION, "authentication", 401),
    PermanentError: (Verdict.PERMANENT, "communication", 500),
    ConnectorError: (Verdict.PERMANENT, "communication", 500),
}
"""Verdict, fault type, and status where the error keeps the default of 500; the most special class first."""

_DEFAULT_STATUS = 500


def classify(error: BaseException, attempt: Attempt) -> AttemptResult:
    """Result of an attempt whose action raised; what nothing explains is a bug and logged as one."""
    pointer = attempt.invocation.pointer
    if isinstance(error, ConnectorError):
        return _classified(error, pointer)
    if isinstance(error, FaultRaised):
        fault = error.fault
        placed = fault if fault.instance else msgspec.structs.replace(fault, instance=pointer)
        return AttemptResult(Verdict.PERMANENT, fault=placed)
    message = _bounded(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    detail = f"{attempt.invocation.target}: {message}"
    if is_network_failure(error):
        # Several requests may lie behind one action: the effect of an earlier one may exist.
        fault = standard_fault("communication", detail, pointer)
        return AttemptResult(Verdict.RETRYABLE, fault=fault, is_uncertain=True)
    _LOG.error(
        "action failed with a bug",
        action=attempt.invocation.target,
        run=attempt.run_id,
        step=attempt.step,
        attempt=attempt.number,
        exc_info=error,
    )
    # Nobody foresaw it, so nobody knows how far the action came.
    return AttemptResult(
        Verdict.PERMANENT, fault=standard_fault("runtime", detail, pointer), is_uncertain=True
    )


def _classified(error: ConnectorError, pointer: str) -> AttemptResult:
    verdict, kind, status = next(row for base, row in _VERDICTS.items() if isinstance(error, base))
    status = status if error.status == _DEFAULT_STATUS else error.status
    return AttemptResult(
        verdict,
        fault=standard_fault(kind, _bounded(str(error)), pointer, status),
        retry_after_s=getattr(error, "retry_after_s", None),
        is_uncertain=error.uncertain,
    )


def _bounded(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"
