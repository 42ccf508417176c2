"""Gates: at most so many runs of a workflow at once, per value of a key (metadata of the document)."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from counterpoint.engines.embedded.execution import Execution
from counterpoint.engines.embedded.inputs import Input
from counterpoint.ports.engine import Deployed
from counterpoint.ports.history import InputKind

if TYPE_CHECKING:
    from counterpoint.engines.embedded.kernel import Kernel


class Gate:
    """Runs of one concurrency key."""

    __slots__ = ("active", "limit", "waiting")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.active: set[int] = set()
        self.waiting: deque[int] = deque()


class Gates:
    """All gates that have a run; runs wait in the order of their start."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._gates: dict[str, Gate] = {}

    def name_of(self, deployed: Deployed, key: str | None) -> str | None:
        """Name of the gate of a run; None when its workflow has no limit."""
        if deployed.workflow.extras.concurrency is None:
            return None
        return f"{deployed.workflow_no}:{key or ''}"

    def enter(self, name: str, deployed: Deployed, run_no: int) -> bool:
        """Let a new run in; false when it must wait."""
        concurrency = deployed.workflow.extras.concurrency
        limit = concurrency.limit if concurrency is not None else 1
        gate = self._gates.setdefault(name, Gate(limit))
        gate.limit = limit
        if len(gate.active) < limit and not gate.waiting:
            gate.active.add(run_no)
            return True
        gate.waiting.append(run_no)
        return False

    def restore(self, name: str, limit: int, run_no: int, is_waiting: bool) -> None:
        """Put an open run back in its gate after a restart; in order of run numbers."""
        gate = self._gates.setdefault(name, Gate(limit))
        gate.limit = limit
        if is_waiting:
            gate.waiting.append(run_no)
        else:
            gate.active.add(run_no)

    def come_back(self, name: str, execution: Execution) -> None:
        """A run that had left goes on: it waits again, or counts again whatever the limit."""
        concurrency = execution.deployed.workflow.extras.concurrency
        limit = concurrency.limit if concurrency is not None else 1
        run_no = execution.facts.run_no
        gate = self._gates.get(name)
        if gate is None or (run_no not in gate.active and run_no not in gate.waiting):
            self.restore(name, limit, run_no, execution.is_gated)
        self._kernel.host.soon(lambda: self.admit(name))

    def look_again(self, name: str, run_no: int) -> None:
        """Whether a suspended run has begun only its history tells: if not, others get its place."""
        self._kernel.deliver(run_no, partial(self._begins, name), partial(self._not_admitted, name, run_no))

    def leave(self, name: str, run_no: int) -> None:
        """A run of a gate ended: let the next one in."""
        gate = self._gates.get(name)
        if gate is None:
            return
        gate.active.discard(run_no)
        if run_no in gate.waiting:
            gate.waiting.remove(run_no)
        self.admit(name)

    def admit(self, name: str) -> None:
        """Let waiting runs in while there is room."""
        kernel, gate = self._kernel, self._gates.get(name)
        if gate is None:
            return
        while gate.waiting and len(gate.active) < gate.limit:
            run_no = gate.waiting.popleft()
            gate.active.add(run_no)
            kernel.deliver(run_no, partial(self._begins, name), partial(self._not_admitted, name, run_no))
        if not gate.active and not gate.waiting:
            self._gates.pop(name, None)

    def _begins(self, name: str, execution: Execution) -> Input | None:
        """The run has a place; one that is suspended before it began leaves it to others until it resumes."""
        has_begun = not execution.is_gated or any(g.kind is InputKind.ADMITTED for g, _ in execution.held)
        if has_begun or execution.end is not None:
            return None
        if execution.is_suspended:
            self.leave(name, execution.facts.run_no)
            return None
        return Input(InputKind.ADMITTED, self._kernel.host.now())

    def _not_admitted(self, name: str, run_no: int, refused: Exception) -> None:
        """The run was cancelled while it waited, or cannot be loaded: its place is free."""
        self.leave(name, run_no)

    def admit_all(self) -> None:
        """Let waiting runs in after a restart."""
        for name in list(self._gates):
            self.admit(name)
