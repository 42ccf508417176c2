"""Registration of connectors and actions: what is accepted, and how a refusal reads."""

from __future__ import annotations

from typing import Any

import pytest

import counterpoint
from counterpoint import ActionContext, Connector, Retry
from counterpoint.core.dsl.model import Backoff, RetryPolicy
from counterpoint.core.values import Duration
from counterpoint.errors import DefinitionError


def refusal(error: pytest.ExceptionInfo[DefinitionError]) -> str:
    return str(error.value)


def test_an_action_is_named_after_its_connector_and_function() -> None:
    crm = Connector("crm", title="Customers")

    @crm.action(idempotency="key")
    async def enrich_account(ctx: ActionContext, account_id: str, depth: int = 1) -> dict[str, Any]:
        """Look an account up.

        At length.
        """
        return {"id": account_id, "depth": depth}

    action = crm.actions["crm.enrich_account"]
    assert action.title == "Look an account up."
    assert action.idempotency == "key"
    assert [(p.name, p.type, p.is_required) for p in action.parameters] == [
        ("account_id", str, True),
        ("depth", int, False),
    ]
    assert action.function is enrich_account


def test_an_action_can_have_a_name_of_its_own() -> None:
    crm = Connector("crm")

    @crm.action("enrich-account")
    async def enrich(ctx: ActionContext) -> None: ...

    assert list(crm.actions) == ["crm.enrich-account"]


def test_a_plain_function_is_refused_with_what_to_write() -> None:
    crm = Connector("crm")
    with pytest.raises(DefinitionError) as error:

        @crm.action()
        def enrich(ctx: ActionContext) -> None: ...  # type: ignore[type-var]

    assert "crm.enrich" in refusal(error)
    assert "async def" in refusal(error)
    assert crm.actions == {}


def test_a_second_action_of_the_same_name_is_refused() -> None:
    crm = Connector("crm")

    @crm.action("enrich")
    async def first(ctx: ActionContext) -> None: ...

    with pytest.raises(DefinitionError, match="registered already"):

        @crm.action("enrich")
        async def second(ctx: ActionContext) -> None: ...


@pytest.mark.parametrize("name", ["", "1crm", "c.rm", "c rm", "crm\n", "http", "human", "counterpoint"])
def test_a_name_that_documents_cannot_use_is_refused(name: str) -> None:
    with pytest.raises(DefinitionError):
        Connector(name)


def test_an_action_name_with_a_dot_is_refused() -> None:
    with pytest.raises(DefinitionError, match="name starts with a letter"):

        @Connector("crm").action("a.b")
        async def enrich(ctx: ActionContext) -> None: ...


def test_an_unknown_idempotency_is_refused() -> None:
    with pytest.raises(DefinitionError, match="none, key or natural"):

        @Connector("crm").action(idempotency="maybe")  # type: ignore[arg-type]
        async def enrich(ctx: ActionContext) -> None: ...


async def without_context() -> None: ...


async def with_star(ctx: ActionContext, *args: str) -> None: ...


async def with_rest(ctx: ActionContext, **rest: str) -> None: ...


async def with_open_type(ctx: ActionContext, value: Connector) -> None: ...


async def with_open_type_inside(ctx: ActionContext, value: list[dict[str, Connector]]) -> None: ...


async def with_unresolved(ctx: ActionContext, value: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (without_context, "first parameter"),
        (with_star, "'args'"),
        (with_rest, "'rest'"),
        (with_open_type, "`Connector`"),
        (with_open_type_inside, "`Connector`"),
        (with_unresolved, "Nowhere"),
    ],
)
def test_a_signature_that_no_call_can_serve_is_refused(function: Any, words: str) -> None:
    with pytest.raises(DefinitionError) as error:
        Connector("crm").action("odd")(function)
    assert words in refusal(error)


def test_confirm_may_take_some_of_the_arguments_but_no_others() -> None:
    async def confirm(ctx: ActionContext, account_id: str) -> None: ...

    async def asks_more(ctx: ActionContext, color: str) -> None: ...

    crm = Connector("crm")

    @crm.action("one", confirm=confirm)
    async def one(ctx: ActionContext, account_id: str, depth: int) -> None: ...

    assert crm.actions["crm.one"].confirm is confirm
    with pytest.raises(DefinitionError, match="color"):
        crm.action("two", confirm=asks_more)(one)


def test_the_retry_of_an_action_wins_over_that_of_its_connector() -> None:
    crm = Connector("crm", retry=Retry(max_attempts=5))

    @crm.action()
    async def one(ctx: ActionContext) -> None: ...

    @crm.action(retry=Retry(max_attempts=2))
    async def two(ctx: ActionContext) -> None: ...

    assert crm.actions["crm.one"].retry == Retry(max_attempts=5).policy()
    assert crm.actions["crm.two"].retry == Retry(max_attempts=2).policy()


def test_retry_becomes_a_policy_that_counts_the_attempts_after_the_first() -> None:
    written = Retry(max_attempts=4, delay_s=0.5, backoff="linear", max_delay_s=10, jitter_s=0.25)
    assert written.policy() == RetryPolicy(
        delay=Duration(500_000),
        backoff=Backoff.LINEAR,
        max_delay=Duration(10_000_000),
        attempt_count=3,
        jitter=(Duration(0), Duration(250_000)),
    )
    assert Retry().policy().backoff is Backoff.EXPONENTIAL
    assert Retry().policy().jitter is None


@pytest.mark.parametrize(
    "wrong",
    [{"max_attempts": 0}, {"delay_s": -1}, {"jitter_s": -1}, {"max_delay_s": -1}, {"backoff": "cubic"}],
)
def test_a_retry_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Retry(**wrong)


def test_the_package_offers_the_names_of_authors_and_no_others() -> None:
    for name in counterpoint.__all__:
        assert getattr(counterpoint, name) is not None
    assert not hasattr(counterpoint, "Engine")
