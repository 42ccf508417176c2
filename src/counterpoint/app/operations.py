"""The one door to the use cases: every operation by name, for the command line, the socket and the API alike.

Nothing passes without an actor, an operation that is known, and parameters that fit; that is checked here and
nowhere else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeAlias

import msgspec

from counterpoint.app.params import read_params
from counterpoint.core.values import JsonValue
from counterpoint.errors import InvalidRequest, NotAuthenticated, NotFound

MAX_ACTOR = 200
"""Longest name of an actor, in characters."""

Call: TypeAlias = Callable[[Any, str], Awaitable[Any]]
"""Handles parameters and actor; gives one result."""

Stream: TypeAlias = Callable[[Any, str], AsyncIterator[Any]]
"""Handles parameters and actor; gives results as they come."""


class Operation(msgspec.Struct, frozen=True):
    """One operation.

    Attributes:
        params: Shape of its parameters.
        call: Its handler, if it gives one result.
        stream: Its handler, if it gives results as they come.
        is_change: Whether it changes anything.
    """

    params: type[msgspec.Struct]
    call: Call | None = None
    stream: Stream | None = None
    is_change: bool = False


class Operations:
    """Runs operations by name.

    Args:
        table: All operations.
    """

    def __init__(self, table: Mapping[str, Operation]) -> None:
        self._table = dict(table)

    @property
    def names(self) -> list[str]:
        """Names of all operations."""
        return sorted(self._table)

    def is_stream(self, name: str) -> bool:
        """Whether an operation gives results as they come.

        Raises:
            NotFound: No such operation.
        """
        return self._find(name).stream is not None

    async def call(self, name: str, params: Mapping[str, JsonValue], actor: str) -> JsonValue:
        """Result of an operation as a JSON value, keys in camelCase.

        Raises:
            NotAuthenticated: There is no actor.
            NotFound: No such operation.
            InvalidRequest: The parameters do not fit; all problems at once.
        """
        operation, read = self._admit(name, params, actor)
        if operation.call is None:
            raise InvalidRequest(f"{name} gives results as they come", "Ask for it as a stream.")
        return msgspec.to_builtins(await operation.call(read, actor))

    async def stream(
        self, name: str, params: Mapping[str, JsonValue], actor: str
    ) -> AsyncIterator[JsonValue]:
        """Results of an operation as they come.

        Raises:
            NotAuthenticated: There is no actor.
            NotFound: No such operation.
            InvalidRequest: The parameters do not fit; all problems at once.
        """
        operation, read = self._admit(name, params, actor)
        if operation.stream is None:
            raise InvalidRequest(f"{name} gives one result", "Ask for it as a call.")
        items = operation.stream(read, actor)
        try:
            async for item in items:
                yield msgspec.to_builtins(item)
        finally:
            # Whoever listened may be gone in the middle: what the handler holds must be released now.
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()

    def _admit(self, name: str, params: Mapping[str, JsonValue], actor: str) -> tuple[Operation, Any]:
        if not actor or len(actor) > MAX_ACTOR:
            raise NotAuthenticated(
                "nobody is known to have asked", "Give a token, or use the owner's account."
            )
        operation = self._find(name)
        return operation, read_params(operation.params, params)

    def _find(self, name: str) -> Operation:
        operation = self._table.get(name)
        if operation is None:
            near = get_close_matches(name, self._table, n=1)
            raise NotFound(f"no operation {name!r}", f"Did you mean {near[0]!r}?" if near else "")
        return operation
