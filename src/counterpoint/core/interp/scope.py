"""What a task sees: its place, its data and its variables (DSL: Runtime Expressions, arguments table).

A `Walk` is fixed for a run, `Data` for a branch, a `Frame` for a nesting of variables, a `TaskScope` for one
visit of a task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from counterpoint.core.context import DurableContext
from counterpoint.core.dsl.model import OnUncertain, Task, Workflow
from counterpoint.core.values import Instant, JsonValue, StepKey, to_iso

NO_VARIABLES: Mapping[str, JsonValue] = {}


class WorkflowEnded(Exception):
    """Private signal: a task asked for `then: end`; its output is the data of the workflow."""

    def __init__(self, output: JsonValue) -> None:
        self.output = output


class Walk:
    """What is fixed for a run."""

    __slots__ = ("context", "is_plain", "on_uncertain", "workflow")

    def __init__(self, workflow: Workflow, context: DurableContext) -> None:
        self.workflow = workflow
        self.context = context
        extras = workflow.extras
        careful = OnUncertain.PAUSE if extras.criticality == "high-risk" else OnUncertain.REPEAT
        self.on_uncertain = extras.on_uncertain or careful
        # Nothing in the document's head concerns calls: most calls then share one policy.
        self.is_plain = not extras.retries and self.on_uncertain is OnUncertain.REPEAT


class Data:
    """`$context` of one branch."""

    __slots__ = ("context",)

    def __init__(self, context: JsonValue) -> None:
        self.context = context


class Frame:
    """Variables and circumstances that nested tasks inherit.

    Attributes:
        variables: Variables of enclosing loops and catches.
        is_retried: Whether a `try` with `retry` encloses.
        described: Scope that `$task` describes instead of the task itself (inside an extension).
    """

    __slots__ = ("data", "described", "is_retried", "variables", "walk")

    def __init__(
        self,
        walk: Walk,
        data: Data,
        variables: Mapping[str, JsonValue] = NO_VARIABLES,
        is_retried: bool = False,
        described: TaskScope | None = None,
    ) -> None:
        self.walk = walk
        self.data = data
        self.variables = variables
        self.is_retried = is_retried
        self.described = described

    def with_variables(self, **more: JsonValue) -> Frame:
        """The same frame with inner variables, which shadow outer ones."""
        return Frame(self.walk, self.data, {**self.variables, **more}, self.is_retried, self.described)

    def branch(self) -> Frame:
        """A frame for a concurrent branch, with a `$context` of its own (A6)."""
        return Frame(self.walk, Data(self.data.context), self.variables, self.is_retried, self.described)

    def retried(self) -> Frame:
        """The same frame inside a `try` that retries."""
        return Frame(self.walk, self.data, self.variables, True, self.described)


class TaskScope(msgspec.Struct, eq=False):
    """One visit of a task: where it stands and what its expressions see.

    Attributes:
        input: Transformed input; `raw` until it is transformed.
        has_input: Whether `$input` exists yet.
        raw_output: Output before `output.as`.
        output: Output that `export.as` sees.
        authorization: `$authorization` after an authenticated call.
    """

    frame: Frame
    walk: Walk
    task: Task
    key: StepKey
    raw: JsonValue
    input: JsonValue
    started: Instant
    has_input: bool = False
    raw_output: JsonValue = None
    output: JsonValue = None
    authorization: JsonValue = None

    @classmethod
    def of(cls, frame: Frame, task: Task, key: StepKey, raw: JsonValue) -> TaskScope:
        """Scope of a visit that begins now."""
        walk = frame.walk
        return cls(frame, walk, task, key, raw, raw, walk.context.now)

    @property
    def context(self) -> DurableContext:
        """The engine's side."""
        return self.walk.context

    def variables(self, names: frozenset[str]) -> dict[str, JsonValue]:
        """Values of the variables that a program reads; one that does not exist here is null."""
        inherited = self.frame.variables
        values: dict[str, JsonValue] = {}
        for name in names:
            if name in inherited:
                values[name] = inherited[name]
            else:
                argument = _ARGUMENTS.get(name)
                values[name] = None if argument is None else argument(self)
        return values


def moment(instant: Instant) -> dict[str, JsonValue]:
    """Date-time descriptor of an instant (DSL: DateTime Descriptor)."""
    milliseconds = instant // 1000
    return {
        "iso8601": to_iso(instant),
        "epoch": {"seconds": milliseconds // 1000, "milliseconds": milliseconds},
    }


def describe_task(scope: TaskScope) -> dict[str, JsonValue]:
    """`$task` (DSL: Task Descriptor)."""
    shown = scope.frame.described or scope
    return {
        "name": shown.task.name,
        "reference": shown.task.pointer,
        "definition": dict(shown.task.definition),
        "input": shown.raw,
        "output": shown.raw_output,
        "startedAt": moment(shown.started),
    }


def describe_workflow(walk: Walk) -> dict[str, JsonValue]:
    """`$workflow` (DSL: Workflow Descriptor); its input is the raw one."""
    run = walk.context.run
    return {
        "id": run.id,
        "definition": dict(walk.workflow.definition),
        "input": run.input,
        "startedAt": moment(run.started),
    }


_ARGUMENTS: dict[str, Callable[[TaskScope], JsonValue]] = {
    "context": lambda s: s.frame.data.context,
    "input": lambda s: s.input if s.has_input else None,
    "output": lambda s: s.output,
    "task": describe_task,
    "workflow": lambda s: describe_workflow(s.walk),
    "runtime": lambda s: s.walk.context.run.runtime,
    "authorization": lambda s: s.authorization,
}
