"""Child runs: started in the transaction of the row that asks for them, cancelled with who awaits them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from counterpoint.engines.embedded.admission import StartOrder
from counterpoint.engines.embedded.context import boundary_bytes
from counterpoint.engines.embedded.execution import Execution
from counterpoint.engines.embedded.inputs import Input
from counterpoint.engines.embedded.strands import ChildPending
from counterpoint.errors import CounterpointError, FaultRaised, standard_fault
from counterpoint.ports.engine import StartRun
from counterpoint.ports.history import InputKind

if TYPE_CHECKING:
    from counterpoint.engines.embedded.kernel import Kernel

MAX_CHILD_DEPTH = 32
"""How deep runs may nest."""


def check_depth(order: StartOrder) -> None:
    """A run is not nested too deep.

    Raises:
        FaultRaised: runtime/500.
    """
    if order.depth > MAX_CHILD_DEPTH:
        detail = f"Runs are nested deeper than {MAX_CHILD_DEPTH}: does a workflow run itself?"
        raise FaultRaised(standard_fault("runtime", detail))


class Children:
    """Starts and cancels child runs."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def start(self, parent: Execution, child: ChildPending) -> None:
        """Start a child in the transaction of the parent's row; what it does follows afterwards."""
        kernel, start = self._kernel, child.start
        try:
            scope = msgspec.structs.replace(parent.scope, namespace=start.namespace)
            version = "" if start.version == "latest" else start.version
            deployed = kernel.revisions.resolve(scope, start.name, version)
            request = StartRun(
                start.name,
                start.input,
                parent.facts.actor,
                start.version,
                "child",
                parent.facts.correlation_id,
            )
            awaited = child.step.text if start.is_awaited else None
            order = StartOrder(
                request,
                deployed,
                run_id=child.child_id,
                parent=(parent.facts.run_no, awaited),
                depth=parent.depth + 1,
                trace_id=parent.facts.trace_id,
            )
            check_depth(order)
            data = boundary_bytes(start.input, "child's input", start.pointer)
        except CounterpointError as refused:
            self._refuse(parent, child, refused)
            return
        execution, given = kernel.admission.prepare(order, data)
        execution.is_new = True
        execution.has_begun = False
        kernel.adopt(execution)
        parent.child_nos[child.child_id] = execution.facts.run_no
        execution.input = given
        # The row of the start belongs to the parent's transaction; the child's own work must not grow
        # this stack.
        kernel.records.close_row(execution)
        kernel.host.soon(lambda: self._begin(execution, given))

    def _begin(self, execution: Execution, given: Input) -> None:
        if not execution.is_dropped:
            self._kernel.admission.go_on(execution, given)

    def _refuse(self, parent: Execution, child: ChildPending, refused: CounterpointError) -> None:
        if not child.start.is_awaited:
            return
        fault = (
            refused.fault
            if isinstance(refused, FaultRaised)
            else standard_fault("configuration", str(refused), child.start.pointer)
        )
        payload = {"status": "faulted", "fault": fault}
        parent.inputs.append(Input(InputKind.CHILD, self._kernel.host.now(), child.step.text, payload))

    def cancel(self, parent: Execution, child_id: str) -> None:
        """Cancel an awaited child of a run or branch that was cancelled, in the transaction that says so."""
        child_no = parent.child_nos.get(child_id)
        if child_no is not None:
            reason = f"its parent {parent.facts.id} was cancelled"
            said = {"reason": reason, "actor": parent.facts.actor, "isParents": True}
            self._kernel.inbox.send(parent, child_no, InputKind.CANCEL, said)
