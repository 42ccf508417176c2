"""Fail-points: the process kills itself at a named place, the so-many-th time that it gets there.

A test starts the server through a small program of its own that calls `arm` first; the product knows nothing
of it. The kill is SIGKILL: no handler runs, no buffer is written, as when the kernel or an operator kills it.
"""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Coroutine, MutableMapping
from typing import Any

from counterpoint.connectors.hub import ConnectorHub
from counterpoint.engines.embedded.loading import Loading
from counterpoint.engines.embedded.outbox import Outbox
from counterpoint.engines.embedded.records import Records
from counterpoint.engines.embedded.timers import Timers
from counterpoint.storage import writer
from counterpoint.storage.committer import Committer
from counterpoint.storage.writer import Writer

VARIABLE = "COUNTERPOINT_FAILPOINT"
"""Names the place: `commit.after:17` kills the seventeenth time behind a commit."""

Hit = Callable[[], None]


def _around(owner: Any, method: str, before: Hit | None, after: Hit | None) -> None:
    inner = getattr(owner, method)

    @functools.wraps(inner)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            before()
        result = inner(*args, **kwargs)
        if after is not None:
            after()
        return result

    setattr(owner, method, wrapped)


def _around_call(owner: Any, method: str, before: Hit | None, after: Hit | None) -> None:
    inner: Callable[..., Coroutine[Any, Any, Any]] = getattr(owner, method)

    @functools.wraps(inner)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            before()
        result = await inner(*args, **kwargs)
        if after is not None:
            after()
        return result

    setattr(owner, method, wrapped)


_Place = tuple[Callable[[Any, str, Hit | None, Hit | None], None], Any, str]

PLACES: dict[str, _Place] = {
    "row": (_around, Records, "close_row"),  # a row of history is made
    "batch": (_around, Writer, "submit"),  # a batch goes to the writer
    "commit": (_around, Committer, "commit"),  # a group is stored
    "transaction": (_around, Committer, "_reserve"),  # its rows are written, COMMIT is not
    "checkpoint": (_around, Committer, "checkpoint"),
    "answer": (_around, writer, "_tell"),  # who waited for a group is told
    "durable": (_around, Outbox, "_tell"),  # attempts begin, clients are answered
    "attempt": (_around_call, ConnectorHub, "perform"),  # an effect is made
    "timer": (_around, Timers, "_fire"),
    "page": (_around, Timers, "_loaded"),  # timers come from the database
    "replay": (_around, Loading, "build"),  # a run comes back
}
"""Each is a fail-point twice: `NAME.before` and `NAME.after`."""

NAMES = tuple(f"{name}.{side}" for name in PLACES for side in ("before", "after"))


def arm(environ: MutableMapping[str, str]) -> None:
    """Set the fail-point that a variable names, if it names one; the variable is taken out.

    Raises:
        ValueError: There is no such fail-point.
    """
    text = environ.pop(VARIABLE, "")
    if not text:
        return
    point, _, count = text.partition(":")
    if point not in NAMES:
        raise ValueError(f"{VARIABLE}: there is no fail-point {point!r}; there are {', '.join(NAMES)}")
    place, _, side = point.partition(".")
    install, owner, method = PLACES[place]
    hit = _Countdown(int(count or 1)).hit
    install(owner, method, hit if side == "before" else None, hit if side == "after" else None)


class _Countdown:
    """Kills the process at the last of so many hits."""

    def __init__(self, count: int) -> None:
        self._left = count

    def hit(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
