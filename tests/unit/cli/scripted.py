"""Operations that answer from a script, for tests of what stands before the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from counterpoint.errors import NotAuthenticated, NotFound


class ScriptedOperations:
    """Answers by name; remembers what it was asked.

    An answer is a value, an exception to raise, or a function of the parameters. A stream is a list of these.
    """

    def __init__(
        self, answers: dict[str, Any] | None = None, streams: dict[str, list[Any]] | None = None
    ) -> None:
        self.answers = answers or {}
        self.streams = streams or {}
        self.asked: list[tuple[str, dict[str, Any], str]] = []
        self.hang = asyncio.Event()
        self.ended = asyncio.Event()
        self.entered = asyncio.Event()
        self.asked_thrice = asyncio.Event()

    async def call(self, name: str, params: dict[str, Any], actor: str) -> Any:
        self.asked.append((name, params, actor))
        if len(self.asked) == 3:
            self.asked_thrice.set()
        if name == "hang" or self.answers.get(name) == "hang":
            self.entered.set()
            try:
                await self.hang.wait()
            finally:
                self.ended.set()
            return "released"
        if name not in self.answers:
            raise NotFound(f"no operation {name}")
        return _resolve(self.answers[name], params)

    async def stream(self, name: str, params: dict[str, Any], actor: str) -> AsyncIterator[Any]:
        self.asked.append((name, params, actor))
        try:
            for item in self.streams[name]:
                if item == "hang":
                    self.entered.set()
                    await self.hang.wait()
                else:
                    yield _resolve(item, params)
        finally:
            self.ended.set()

    async def authenticate(self, token: str) -> str:
        if token != "good":
            raise NotAuthenticated("The token is not known.", "Ask for a new one.")
        return "robot"


class ScriptedProduct:
    def __init__(self, operations: ScriptedOperations) -> None:
        self.operations = operations
        self.is_closed = False

    async def authenticate(self, token: str) -> str:
        return await self.operations.authenticate(token)

    async def close(self) -> None:
        self.is_closed = True


def _resolve(answer: Any, params: dict[str, Any]) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer(params) if isinstance(answer, Callable) else answer
