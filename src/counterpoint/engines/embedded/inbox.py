"""The inbox: what one run has to say to another lies in the database until that one takes it.

An item is stored in the transaction of the row that sends it and goes in the transaction of the row that
takes it, so a crash in between loses nothing and doubles nothing. Children tell their parents how they ended;
parents cancel their children, and let them go on after a retry.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from counterpoint.engines.embedded.execution import Execution
from counterpoint.engines.embedded.inputs import Input
from counterpoint.engines.embedded.rows import encode_body
from counterpoint.engines.embedded.statements import GONE_INBOX, NEW_INBOX
from counterpoint.errors import RequestError, standard_fault
from counterpoint.ports.history import InputKind, RunEnd

if TYPE_CHECKING:
    from counterpoint.engines.embedded.kernel import Kernel

_ITEMS = "SELECT item_no, kind, step, body FROM inbox WHERE run_no = ? ORDER BY item_no"


class Inbox:
    """Sends and delivers."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def send(self, sender: Execution, run_no: int, kind: InputKind, payload: dict[str, Any]) -> None:
        """Say something to another run, in the transaction of the sender's open row."""
        row = (sender.facts.scope_no, run_no, kind, "", encode_body(payload))
        sender.also.append((NEW_INBOX, row))
        sender.afterwards.append(partial(self.wake, run_no))

    def wake(self, run_no: int) -> None:
        """Deliver what lies there for a run."""
        self._kernel.host.read(
            lambda connection: connection.execute(_ITEMS, (run_no,)).fetchall(),
            lambda rows, error: self._deliver(run_no, rows or []),
        )

    def discard(self, item_no: int, refused: Exception | None = None) -> None:
        """An item concerns nobody any more; unless the run only could not be read now."""
        if refused is None or isinstance(refused, RequestError):
            self._kernel.outbox.add(GONE_INBOX, (item_no,))

    def _deliver(self, run_no: int, rows: list[tuple[int, int, str, bytes]]) -> None:
        kernel = self._kernel
        for item_no, kind, step, body in rows:
            payload = msgspec.json.decode(body)
            if kind == InputKind.RETRY:
                kernel.retries.retry_child(run_no, item_no, payload["actor"])
                continue
            make = partial(self._make, item_no, InputKind(kind), step, payload)
            kernel.deliver(run_no, make, partial(self.discard, item_no))

    def _make(
        self, item_no: int, kind: InputKind, step: str, payload: dict[str, Any], execution: Execution
    ) -> Input | None:
        end = execution.end
        if item_no in execution.taken:
            return None
        if end is not None and end.status == "suspended" and kind is InputKind.CHILD:
            return None  # it stays there until the run goes on
        is_over = end is not None and end.status != "suspended"
        if is_over or (kind is InputKind.CHILD and step not in execution.children):
            self.discard(item_no)
            return None
        execution.taken.add(item_no)
        actor = payload.get("actor", "")
        return Input(kind, self._kernel.host.now(), step, payload, actor=actor, inbox_no=item_no)


def outcome_of_child(run_id: str, end: RunEnd) -> dict[str, Any]:
    """What a child that ended says to its parent."""
    said: dict[str, Any] = {"status": end.status, "childId": run_id}
    if end.status == "completed":
        said["output"] = end.output
    else:
        said["fault"] = end.fault or standard_fault("runtime", f"The child run {run_id} was cancelled")
    return said
