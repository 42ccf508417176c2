"""What every command is given: options, settings, output, and the way to the engine."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from counterpoint.cli.documents import Document
from counterpoint.cli.output import Output
from counterpoint.core.values import JsonValue
from counterpoint.settings import DEFAULT_DATA, LoadedSettings, load_settings

if TYPE_CHECKING:
    from counterpoint.cli.session import Session

Answer = TypeVar("Answer")

INTERRUPTION = "Interrupted."


class CommandContext:
    """State of one invocation of the command line.

    Attributes:
        options: Settings given as options, by key.
        is_json: Whether results and errors are JSON.
        token: Token of a local actor; empty for the operating-system user.
        document: The document that the command is about, for messages.
        interruption: What to say when the user interrupts.
    """

    def __init__(self) -> None:
        self.options: dict[str, JsonValue] = {}
        self.is_json = False
        self.token = ""
        self.document: Document | None = None
        self.interruption = INTERRUPTION

    @cached_property
    def loaded(self) -> LoadedSettings:
        """Settings with their sources.

        Raises:
            DefinitionError: A setting is unknown or has the wrong form.
        """
        return load_settings(options=self.options, environ=os.environ, folder=Path.cwd())

    @property
    def data(self) -> Path:
        """Data directory, even when the settings cannot be read."""
        if "loaded" in self.__dict__:
            return self.loaded.settings.data
        return Path(str(self.options.get("data") or os.environ.get("COUNTERPOINT_DATA") or DEFAULT_DATA))

    @cached_property
    def out(self) -> Output:
        """Where the command speaks."""
        return Output(self.is_json)

    def session(self) -> Session:
        """A session with the engine, not open yet."""
        from counterpoint.cli.session import Session

        return Session(self.loaded.settings, self.token)

    def ask(self, operation: str, /, **params: JsonValue) -> Any:
        """Result of one operation."""

        async def work(session: Session) -> JsonValue:
            return await session.call(operation, self.params(**params))

        return self.within_session(work)

    def params(self, **params: JsonValue) -> dict[str, Any]:
        """Parameters of an operation: those that were given, and the environment."""
        given = {key: value for key, value in params.items() if value is not None}
        return {"environment": self.loaded.settings.environment, **given}

    def within_session(self, work: Callable[[Session], Coroutine[Any, Any, Answer]]) -> Answer:
        """Result of `work` with an open session."""

        async def main() -> Answer:
            async with self.session() as session:
                return await work(session)

        return run_loop(main())


def run_loop(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Result of a coroutine in an event loop of its own, the fastest that there is."""
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
