"""Connectors that are written in Python: a name, and typed functions that answer calls."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from counterpoint.core.dsl.model import RetryPolicy
from counterpoint.errors import DefinitionError, Problem
from counterpoint.sdk.binding import Binder, Parameter, compile_parameters
from counterpoint.sdk.retry import Retry

IdempotencyWord: TypeAlias = Literal["none", "key", "natural"]
"""What a repeated call does: maybe twice; once, if the target gets our key; nothing more than the first."""

ActionFunction = TypeVar("ActionFunction", bound=Callable[..., Awaitable[Any]])

RESERVED_NAMES = frozenset({"a2a", "asyncapi", "counterpoint", "grpc", "http", "human", "mcp", "openapi"})
"""Names that the language or the product uses for itself."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")
_NAME_RULE = "starts with a letter and holds only letters, digits, `_` and `-`"


class Action(msgspec.Struct, frozen=True):
    """A function that answers calls.

    Attributes:
        name: Full name, `CONNECTOR.ACTION`.
        title: First line of its docstring.
        function: The function.
        binder: Makes its keyword arguments.
        idempotency: What a repeated call does.
        confirm: Tells if the effect of an earlier attempt exists; takes any of the same arguments.
        confirm_binder: Makes the keyword arguments of `confirm`.
        retry: Policy for its calls when the document names none.
        is_effect: Whether it changes anything outside.
    """

    name: str
    title: str
    function: Callable[..., Awaitable[Any]]
    binder: Binder
    idempotency: IdempotencyWord = "none"
    confirm: Callable[..., Awaitable[Any]] | None = None
    confirm_binder: Binder | None = None
    retry: RetryPolicy | None = None
    is_effect: bool = True

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Arguments that it takes, in order."""
        return self.binder.parameters


class Connector:
    """A product that workflows can call.

    Args:
        name: Name in documents, before the dot.
        title: Name for people; the name itself when empty.
        retry: Attempts of its calls when neither the document nor the action says.

    Raises:
        DefinitionError: The name is not usable.
    """

    def __init__(self, name: str, title: str = "", retry: Retry | RetryPolicy | None = None) -> None:
        if not _NAME.match(name):
            raise _refusal(name, f"a connector's name {_NAME_RULE}")
        if name in RESERVED_NAMES:
            raise _refusal(name, f"{name!r} is a name of the product itself; choose another")
        self.name = name
        self.title = title or name
        self.retry = _policy(retry)
        self.actions: dict[str, Action] = {}

    def __repr__(self) -> str:
        return f"Connector({self.name!r}, actions={sorted(self.actions)})"

    def action(
        self,
        name: str | None = None,
        *,
        idempotency: IdempotencyWord = "none",
        confirm: Callable[..., Awaitable[Any]] | None = None,
        retry: Retry | RetryPolicy | None = None,
        effect: bool = True,
    ) -> Callable[[ActionFunction], ActionFunction]:
        """Register an `async def f(ctx, **arguments)` as an action; the function itself stays as it is.

        Args:
            name: Name after the dot; the function's own when None.
            idempotency: What a repeated call does at the target.
            confirm: `async def` that gives the result of an earlier attempt if its effect exists, else None.
            retry: Attempts of its calls when the document names none; None takes the connector's.
            effect: Whether it changes anything outside; False for a read.

        Raises:
            DefinitionError: The function cannot be an action; raised when it is decorated.
        """

        def register(function: ActionFunction) -> ActionFunction:
            short_name = str(name or getattr(function, "__name__", ""))
            action = self._compile(short_name, function, idempotency, confirm)
            policy = _policy(retry) or self.retry
            self.actions[action.name] = msgspec.structs.replace(action, retry=policy, is_effect=effect)
            return function

        return register

    def _compile(
        self,
        short_name: str,
        function: Callable[..., Awaitable[Any]],
        idempotency: IdempotencyWord,
        confirm: Callable[..., Awaitable[Any]] | None,
    ) -> Action:
        full_name = f"{self.name}.{short_name}"
        if not _NAME.match(short_name):
            raise _refusal(full_name, f"an action's name {_NAME_RULE}")
        if full_name in self.actions:
            raise _refusal(full_name, "an action of this name is registered already")
        if idempotency not in ("none", "key", "natural"):
            raise _refusal(full_name, f"idempotency is {idempotency!r}; write none, key or natural")
        binder = Binder(full_name, _parameters(full_name, function))
        confirm_binder = None if confirm is None else _confirm_binder(full_name, confirm, binder)
        title = (inspect.getdoc(function) or short_name).splitlines()[0]
        return Action(full_name, title, function, binder, idempotency, confirm, confirm_binder)


def _confirm_binder(name: str, confirm: Callable[..., Awaitable[Any]], binder: Binder) -> Binder:
    parameters = _parameters(f"{name} (confirm)", confirm)
    known = {p.name for p in binder.parameters}
    if strange := [p.name for p in parameters if p.is_required and p.name not in known]:
        raise _refusal(name, f"confirm asks for {', '.join(strange)}, which the action does not take")
    return Binder(f"{name} (confirm)", parameters, ignores_unknown=True)


def _parameters(name: str, function: Callable[..., Any]) -> tuple[Parameter, ...]:
    if not inspect.iscoroutinefunction(function):
        raise _refusal(name, "a plain function would block every run of the engine; write `async def`")
    try:
        return compile_parameters(function)
    except TypeError as error:
        raise _refusal(name, str(error)) from error


def _policy(retry: Retry | RetryPolicy | None) -> RetryPolicy | None:
    return retry.policy() if isinstance(retry, Retry) else retry


def _refusal(pointer: str, message: str) -> DefinitionError:
    return DefinitionError([Problem(pointer, message, code="connector")])
