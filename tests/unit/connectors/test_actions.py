"""Calls of registered functions: results, and what each kind of failure means."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from counterpoint import (
    ActionContext,
    AuthenticationError,
    Connector,
    PermanentError,
    Retry,
    RetryableError,
    ThrottledError,
)
from counterpoint.connectors.actions import MAX_MESSAGE, RegisteredActions
from counterpoint.core.values import Scope
from counterpoint.errors import DefinitionError, FaultRaised, standard_fault
from counterpoint.ports.connectors import ActionInfo, AttemptResult, Idempotency, Verdict
from tests.unit.connectors.attempts import KEY, POINTER, TRACEPARENT, attempt


def raising(error: BaseException) -> RegisteredActions:
    """An action `desk.act` that raises."""
    desk = Connector("desk")

    @desk.action()
    async def act(ctx: ActionContext) -> None:
        raise error

    return RegisteredActions([desk])


def giving(value: Any) -> RegisteredActions:
    """An action `desk.act` that gives a value."""
    desk = Connector("desk")

    @desk.action()
    async def act(ctx: ActionContext) -> Any:
        return value

    return RegisteredActions([desk])


async def result_of(actions: RegisteredActions, arguments: Any = None) -> AttemptResult:
    return await actions.perform(attempt("desk.act", arguments))


async def test_an_action_gets_its_arguments_and_gives_its_result() -> None:
    desk = Connector("desk")

    @desk.action()
    async def act(ctx: ActionContext, ticket: int, labels: list[str]) -> dict[str, Any]:
        return {"ticket": ticket, "labels": (*labels, "seen")}

    result = await result_of(RegisteredActions([desk]), {"ticket": 7, "labels": ["new"]})
    assert result == AttemptResult(Verdict.DONE, {"ticket": 7, "labels": ["new", "seen"]})
    assert type(result.value["labels"]) is list


async def test_the_context_tells_the_action_about_its_call() -> None:
    seen: list[ActionContext] = []
    desk = Connector("desk")

    @desk.action()
    async def act(ctx: ActionContext) -> None:
        seen.append(ctx)
        ctx.logger.info("looked")

    with capture_logs() as logs:
        await RegisteredActions([desk]).perform(attempt("desk.act", None, number=3))
    assert seen == [
        ActionContext("run-1", "tickets", "notify", 3, KEY, "chain-1", TRACEPARENT, Scope("support"))
    ]
    assert logs[0]["run"] == "run-1"
    assert logs[0]["step"] == "notify"
    assert logs[0]["attempt"] == 3


@pytest.mark.parametrize("value", [None, True, 0, -1.5, "", "grün", [], {}, [None, {"a": 1}]])
async def test_plain_results_pass_unchanged(value: Any) -> None:
    assert await result_of(giving(value)) == AttemptResult(Verdict.DONE, value)


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], object(), "\ud800", {"a": {"b": print}}])
async def test_a_result_that_is_not_json_is_a_bug_of_the_action(value: Any) -> None:
    with capture_logs():
        result = await result_of(giving(value))
    assert result.verdict is Verdict.PERMANENT
    assert result.fault is not None
    assert result.fault.type.endswith("/runtime")
    assert "desk.act is not JSON" in result.fault.detail


@pytest.mark.parametrize(
    ("error", "verdict", "kind", "status", "wait_s", "uncertain"),
    [
        (RetryableError("busy"), Verdict.RETRYABLE, "communication", 500, None, False),
        (RetryableError("", status=9, retry_after_s=2), Verdict.RETRYABLE, "communication", 9, 2, False),
        (RetryableError("lost", uncertain=True), Verdict.RETRYABLE, "communication", 500, None, True),
        (ThrottledError("slower", retry_after_s=9), Verdict.THROTTLED, "communication", 429, 9, False),
        (ThrottledError("slower", status=503), Verdict.THROTTLED, "communication", 503, None, False),
        (AuthenticationError("expired"), Verdict.AUTHENTICATION, "authentication", 401, None, False),
        (PermanentError("declined", status=402), Verdict.PERMANENT, "communication", 402, None, False),
        (PermanentError("half done", uncertain=True), Verdict.PERMANENT, "communication", 500, None, True),
        (TimeoutError(), Verdict.RETRYABLE, "communication", 500, None, True),
        (TimeoutError("slow"), Verdict.RETRYABLE, "communication", 500, None, True),
        (ConnectionResetError("reset"), Verdict.RETRYABLE, "communication", 500, None, True),
        (aiohttp.ServerDisconnectedError(), Verdict.RETRYABLE, "communication", 500, None, True),
        (KeyError("id"), Verdict.PERMANENT, "runtime", 500, None, True),
        (SystemExit(3), Verdict.PERMANENT, "runtime", 500, None, True),
    ],
)  # fmt: skip
async def test_the_class_of_an_error_says_what_comes_next(
    error: BaseException, verdict: Verdict, kind: str, status: int, wait_s: float | None, uncertain: bool
) -> None:
    with capture_logs():
        result = await result_of(raising(error))
    assert result.verdict is verdict
    assert result.fault is not None
    assert result.fault.type.endswith(f"/{kind}")
    assert result.fault.status == status
    assert result.fault.instance == POINTER
    assert result.retry_after_s == wait_s
    assert result.is_uncertain is uncertain


async def test_a_fault_that_an_action_raises_is_the_fault_of_the_call() -> None:
    fault = standard_fault("authorization", "not yours")
    result = await result_of(raising(FaultRaised(fault)))
    assert result.verdict is Verdict.PERMANENT
    assert result.fault is not None
    assert (result.fault.detail, result.fault.status) == ("not yours", 403)
    assert result.fault.instance == POINTER


async def test_a_bug_is_named_in_the_fault_and_logged_with_its_traceback() -> None:
    bug = ZeroDivisionError("division by zero")
    with capture_logs() as logs:
        result = await result_of(raising(bug))
    assert result.fault is not None
    assert result.fault.detail == "desk.act: ZeroDivisionError: division by zero"
    assert logs[0]["exc_info"] is bug
    assert (logs[0]["log_level"], logs[0]["run"], logs[0]["attempt"]) == ("error", "run-1", 1)


async def test_an_expected_failure_is_not_logged() -> None:
    with capture_logs() as logs:
        await result_of(raising(RetryableError("busy")))
    assert logs == []


async def test_a_long_message_is_cut() -> None:
    with capture_logs():
        result = await result_of(raising(ValueError("x" * 10_000)))
    assert result.fault is not None
    assert len(result.fault.detail) < MAX_MESSAGE + 20


async def test_wrong_arguments_are_a_permanent_fault_and_the_action_is_not_called() -> None:
    called = []
    desk = Connector("desk")

    @desk.action()
    async def act(ctx: ActionContext, ticket: int) -> None:
        called.append(ticket)

    result = await result_of(RegisteredActions([desk]), {"ticket": "seven", "x": 1})
    assert result.verdict is Verdict.PERMANENT
    assert result.fault is not None
    assert (result.fault.status, result.fault.instance) == (400, POINTER)
    assert "'ticket'" in result.fault.detail
    assert "'x'" in result.fault.detail
    assert called == []


async def test_cancellation_passes_through() -> None:
    started = asyncio.Event()
    desk = Connector("desk")

    @desk.action()
    async def act(ctx: ActionContext) -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(result_of(RegisteredActions([desk])))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_an_action_declares_is_described() -> None:
    async def confirm(ctx: ActionContext) -> None: ...

    desk = Connector("desk", retry=Retry(max_attempts=2))

    @desk.action(idempotency="key", confirm=confirm)
    async def act(ctx: ActionContext) -> None: ...

    @desk.action(idempotency="natural", effect=False, retry=Retry(max_attempts=9))
    async def look(ctx: ActionContext) -> None: ...

    actions = RegisteredActions([desk])
    assert actions.names == ["desk.act", "desk.look"]
    assert actions.describe(attempt("desk.act", {}).invocation) == ActionInfo(
        Idempotency.KEY, True, Retry(max_attempts=2).policy(), True
    )
    assert actions.describe(attempt("desk.look", {}).invocation) == ActionInfo(
        Idempotency.NATURAL, False, Retry(max_attempts=9).policy(), False
    )
    assert actions.describe(attempt("desk.none", {}).invocation) is None


async def test_a_call_of_nothing_is_a_configuration_fault() -> None:
    result = await giving(1).perform(attempt("desk.none", {}))
    assert result.verdict is Verdict.PERMANENT
    assert result.fault is not None
    assert result.fault.type.endswith("/configuration")


async def test_confirm_gives_the_result_of_an_earlier_attempt_or_none() -> None:
    done: dict[str, Any] = {}

    async def confirm(ctx: ActionContext, ticket: int) -> Any:
        return done.get(ctx.idempotency_key)

    desk = Connector("desk")

    @desk.action(confirm=confirm)
    async def act(ctx: ActionContext, ticket: int, text: str) -> None: ...

    actions = RegisteredActions([desk])
    asked = attempt("desk.act", {"ticket": 1, "text": "x"})
    assert await actions.confirm(asked) is None
    done[KEY] = {"id": 5}
    assert await actions.confirm(asked) == AttemptResult(Verdict.DONE, {"id": 5})


async def test_a_confirm_that_fails_leaves_the_effect_uncertain() -> None:
    async def confirm(ctx: ActionContext) -> None:
        raise RetryableError("busy", status=503)

    desk = Connector("desk")

    @desk.action(confirm=confirm)
    async def act(ctx: ActionContext) -> None: ...

    result = await RegisteredActions([desk]).confirm(attempt("desk.act", {}))
    assert result is not None
    assert (result.verdict, result.is_uncertain) == (Verdict.RETRYABLE, True)


async def test_an_action_without_confirm_confirms_nothing() -> None:
    assert await giving(1).confirm(attempt("desk.act", {})) is None
    assert await giving(1).confirm(attempt("desk.none", {})) is None


def test_two_connectors_of_one_name_are_refused() -> None:
    with pytest.raises(DefinitionError, match="two connectors"):
        RegisteredActions([Connector("desk"), Connector("desk")])
