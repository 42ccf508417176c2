"""Arguments of a call, bound to the parameters of an action."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import msgspec
import pytest

from counterpoint.errors import FaultRaised
from counterpoint.sdk import ActionContext
from counterpoint.sdk.binding import Binder, compile_parameters


@dataclass
class Account:
    id: str
    seats: int = 1


async def enrich(
    ctx: ActionContext,
    account: Account,
    since: date | None = None,
    limit: Annotated[int, msgspec.Meta(ge=1)] = 10,
) -> None: ...


async def untyped(ctx, value, other=None):  # type: ignore[no-untyped-def]
    ...


def binder(function: Any) -> Binder:
    return Binder("crm.enrich", compile_parameters(function))


def detail_of(function: Any, arguments: Any) -> str:
    with pytest.raises(FaultRaised) as error:
        binder(function).bind(arguments)
    assert error.value.fault.type.endswith("/validation")
    assert error.value.fault.status == 400
    return error.value.fault.detail


def test_arguments_take_the_types_of_their_annotations() -> None:
    bound = binder(enrich).bind({"account": {"id": "a", "seats": 3}, "since": "2026-07-01"})
    assert bound == {"account": Account("a", 3), "since": date(2026, 7, 1)}


def test_an_argument_without_annotation_takes_any_json() -> None:
    for value in (None, True, 1, 1.5, "x", [1, {"a": None}], {"a": [1]}):
        assert binder(untyped).bind({"value": value}) == {"value": value}


def test_no_arguments_are_an_empty_object() -> None:
    async def nothing(ctx: ActionContext, value: int = 3) -> None: ...

    assert binder(nothing).bind(None) == {}


def test_everything_that_is_wrong_is_named_at_once() -> None:
    detail = detail_of(enrich, {"limit": 0, "acount": {}, "since": "yesterday"})
    assert "crm.enrich" in detail
    assert "'account' is missing" in detail
    assert "'acount' is unknown, did you mean 'account'?" in detail
    assert "'limit': " in detail
    assert "'since': " in detail


@pytest.mark.parametrize("value", ["3", 3.5, True, None, [3]])
def test_an_ill_typed_argument_is_refused_and_never_coerced(value: object) -> None:
    async def strict(ctx: ActionContext, limit: int) -> None: ...

    assert "'limit': Expected `int`" in detail_of(strict, {"limit": value})


def test_the_place_inside_an_argument_is_named() -> None:
    assert "$.seats" in detail_of(enrich, {"account": {"id": "a", "seats": "many"}})


@pytest.mark.parametrize("arguments", [[1], "text", 3])
def test_arguments_that_are_no_object_are_refused(arguments: object) -> None:
    assert "give an object" in detail_of(untyped, arguments)


async def typed_open(ctx: ActionContext, value: dict[str, Any]) -> None: ...


@pytest.mark.parametrize("function", [untyped, typed_open])
def test_what_an_action_does_to_its_arguments_stays_there(function: Any) -> None:
    kept = {"value": {"lines": [{"n": 1}]}}
    bound = binder(function).bind(kept)
    bound["value"]["lines"][0]["n"] = 2
    bound["value"]["new"] = True
    assert kept == {"value": {"lines": [{"n": 1}]}}


def test_a_binder_for_confirm_takes_only_what_it_asks_for() -> None:
    loose = Binder("crm.enrich (confirm)", compile_parameters(untyped), ignores_unknown=True)
    assert loose.bind({"value": 1, "color": "red"}) == {"value": 1}
