"""The compiled workflow document: frozen, typed, with every reference resolved (DSL 1.0, `Definitions`).

The loader makes it, the interpreter walks it. Names of references (`timeout: short`) are gone: the thing
itself is here. `pointer` is always an RFC 6901 pointer into the document, which is what a fault's `instance`
shows. `definition` is the task as written, for `$task.definition`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeAlias

import msgspec

from counterpoint.core.expr.program import Program, Template
from counterpoint.core.values import Duration, JsonValue


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """Parent of all parts of the model: immutable, built by keyword."""


DurationSpec: TypeAlias = Duration | Program
"""A duration, or an expression that gives an ISO 8601 text."""

Validator: TypeAlias = Callable[[JsonValue], list[str]]
"""Checks a value against a compiled JSON Schema; one message a violation, with its place in the value."""


class Flow(Enum):
    """Kinds of flow directive (DSL: Flow Directive)."""

    CONTINUE = "continue"
    EXIT = "exit"
    END = "end"
    GOTO = "goto"


class Directive(msgspec.Struct, frozen=True):
    """Where to go after a task; `target` is the index of the task in the same list for `GOTO`."""

    flow: Flow
    target: int = -1
    name: str = ""


CONTINUE = Directive(Flow.CONTINUE)
EXIT = Directive(Flow.EXIT)
END = Directive(Flow.END)


class Schema(Frozen, frozen=True, kw_only=True):
    """A compiled JSON Schema and where it stands."""

    pointer: str
    check: Validator


class InputSpec(Frozen, frozen=True, kw_only=True):
    """`input` of a workflow or task; `transform` is `from`."""

    schema: Schema | None = None
    transform: Program | Template | None = None


class OutputSpec(Frozen, frozen=True, kw_only=True):
    """`output`, and also `export`, of a workflow or task; `transform` is `as`."""

    schema: Schema | None = None
    transform: Program | Template | None = None


class Backoff(Enum):
    """How the delay grows from retry to retry."""

    CONSTANT = "constant"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


class RetryPolicy(Frozen, frozen=True, kw_only=True):
    """A retry policy (DSL: Retry); `attempt_count` is the number of retries after the first attempt (A15)."""

    pointer: str = ""
    when: Program | None = None
    except_when: Program | None = None
    delay: DurationSpec | None = None
    backoff: Backoff = Backoff.CONSTANT
    factor: float | None = None
    max_delay: Duration | None = None
    attempt_count: int | None = None
    attempt_duration: DurationSpec | None = None
    duration: DurationSpec | None = None
    jitter: tuple[DurationSpec, DurationSpec] | None = None


class ErrorSpec(Frozen, frozen=True, kw_only=True):
    """An error to raise (DSL: Error); members are templates because they may be expressions."""

    type: Template
    status: int
    title: Template | None = None
    detail: Template | None = None
    instance: Template | None = None


class OnUncertain(Enum):
    """What to do with a call that may or may not have happened."""

    REPEAT = "repeat"
    PAUSE = "pause"


class OnFault(Enum):
    """What to do with an error that no `try` caught."""

    FAULT = "fault"
    PAUSE = "pause"


class IdempotencySpec(Frozen, frozen=True, kw_only=True):
    """`metadata.counterpoint.idempotency` of a task."""

    key: Template | None = None
    header: str = "Idempotency-Key"
    per_attempt: bool = False


class TaskExtras(Frozen, frozen=True, kw_only=True):
    """`metadata.counterpoint` of a task (our extensions)."""

    compensate: Task | None = None
    idempotency: IdempotencySpec | None = None
    on_uncertain: OnUncertain | None = None
    on_fault: OnFault | None = None
    lookback: Duration | None = None
    parallel: int | None = None
    retry: RetryPolicy | None = None


NO_EXTRAS = TaskExtras()


class Task(Frozen, frozen=True, kw_only=True):
    """What every task has (DSL: Task).

    Attributes:
        name: Name in its list.
        pointer: RFC 6901 pointer of the task in the document.
        definition: The task as written.
        condition: `if`.
        extensions: Extensions that apply to this task's kind, in order; empty inside extensions.
    """

    name: str
    pointer: str
    definition: Mapping[str, JsonValue]
    condition: Program | None = None
    input: InputSpec | None = None
    output: OutputSpec | None = None
    export: OutputSpec | None = None
    timeout: DurationSpec | None = None
    then: Directive = CONTINUE
    extras: TaskExtras = NO_EXTRAS
    extensions: tuple[Extension, ...] = ()


class TaskList(Frozen, frozen=True, kw_only=True):
    """A list of tasks with its place in the document."""

    pointer: str
    tasks: tuple[Task, ...]


class Extension(Frozen, frozen=True, kw_only=True):
    """A `use.extensions` entry."""

    name: str
    pointer: str
    when: Program | None = None
    before: TaskList | None = None
    after: TaskList | None = None


class SetTask(Task, frozen=True, kw_only=True):
    """`set`."""

    value: Template


class DoTask(Task, frozen=True, kw_only=True):
    """`do`."""

    do: TaskList


class SwitchCase(Frozen, frozen=True, kw_only=True):
    """One case of a `switch`; a case without `when` is the default."""

    name: str
    pointer: str
    when: Program | None
    then: Directive


class SwitchTask(Task, frozen=True, kw_only=True):
    """`switch`."""

    cases: tuple[SwitchCase, ...]


class ForTask(Task, frozen=True, kw_only=True):
    """`for`; `collection` is an expression, or a template for an inline array."""

    each: str = "item"
    at: str = "index"
    collection: Program | Template
    condition_while: Program | None = None
    do: TaskList


class ForkTask(Task, frozen=True, kw_only=True):
    """`fork`."""

    branches: TaskList
    compete: bool = False


class RaiseTask(Task, frozen=True, kw_only=True):
    """`raise`."""

    error: ErrorSpec


class Catch(Frozen, frozen=True, kw_only=True):
    """`catch` of a `try`; `errors` is the static filter as written (`detail` also from `details`)."""

    pointer: str
    errors: Mapping[str, JsonValue] = {}
    name: str = "error"
    when: Program | None = None
    except_when: Program | None = None
    retry: RetryPolicy | None = None
    do: TaskList | None = None
    then: Directive | None = None


class TryTask(Task, frozen=True, kw_only=True):
    """`try`."""

    do: TaskList
    catch: Catch


class WaitTask(Task, frozen=True, kw_only=True):
    """`wait`."""

    wait: DurationSpec


class Authentication(Frozen, frozen=True, kw_only=True):
    """An authentication policy: scheme (`basic`, `bearer`, `digest`, `oauth2`, `oidc`) and its properties."""

    pointer: str
    scheme: str
    properties: Template
    secret: str | None = None


class Endpoint(Frozen, frozen=True, kw_only=True):
    """An endpoint: a URI template (`{name}`) or an expression, with its authentication."""

    uri: str | Program
    authentication: Authentication | None = None


class CallHttpTask(Task, frozen=True, kw_only=True):
    """`call: http`. `method` is upper case; `output` is `content`, `raw` or `response`."""

    method: str
    endpoint: Endpoint
    headers: Template | None = None
    query: Template | None = None
    body: Template | None = None
    output_form: str = "content"
    redirect: bool = False


class CallFunctionTask(Task, frozen=True, kw_only=True):
    """`call` of a function: one of `use.functions` (`function` is its task) or a connector's action.

    Attributes:
        target: `NAME`, as `CONNECTOR.ACTION`; the version and catalog apart.
        version: Version asked for, or empty.
        catalog: Catalog name, or empty.
        arguments: `with`; None when absent (the function gets the caller's input).
        function: Resolved task of `use.functions`, else None.
    """

    target: str
    version: str = ""
    catalog: str = ""
    arguments: Template | None = None
    function: Task | None = None


class CallProtocolTask(Task, frozen=True, kw_only=True):
    """`call` of `openapi`, `asyncapi`, `grpc`, `a2a` or `mcp`: validated; this version does not run it."""

    protocol: str
    arguments: Template


class EmitTask(Task, frozen=True, kw_only=True):
    """`emit`: the event's attributes and data."""

    event: Template


class EventFilter(Frozen, frozen=True, kw_only=True):
    """One event filter: attributes (literal, regular expression or expression) and correlations."""

    pointer: str
    attributes: Template
    correlate: tuple[tuple[str, Program, Template | None], ...] = ()


class EventStrategy(Frozen, frozen=True, kw_only=True):
    """A consumption strategy: `all`, `any` or `one`."""

    kind: str
    filters: tuple[EventFilter, ...]
    until: Program | EventStrategy | None = None


class SubscriptionIterator(Frozen, frozen=True, kw_only=True):
    """`foreach` of a `listen`."""

    item: str = "item"
    at: str = "index"
    do: TaskList | None = None
    output: OutputSpec | None = None
    export: OutputSpec | None = None


class ListenTask(Task, frozen=True, kw_only=True):
    """`listen`."""

    strategy: EventStrategy
    read: str = "data"
    foreach: SubscriptionIterator | None = None


class RunWorkflowTask(Task, frozen=True, kw_only=True):
    """`run: workflow`; `child_input` None means the task's input (A28)."""

    namespace: str
    workflow: str
    version: str
    child_input: Template | None = None
    is_awaited: bool = True


class RunProcessTask(Task, frozen=True, kw_only=True):
    """`run` of `shell`, `script` or `container`: validated; this version does not run it."""

    process: str
    arguments: Template
    is_awaited: bool = True
    returns: str = "stdout"


class Concurrency(Frozen, frozen=True, kw_only=True):
    """`metadata.counterpoint.concurrency`: at most `limit` runs at once, per value of `key` if given."""

    limit: int
    key: Program | None = None


class WorkflowExtras(Frozen, frozen=True, kw_only=True):
    """`metadata.counterpoint` of the document."""

    owner: str = ""
    criticality: str = ""
    runbook: str = ""
    on_fault: OnFault = OnFault.FAULT
    on_uncertain: OnUncertain | None = None
    outcome: Program | None = None
    start_key: Program | None = None
    concurrency: Concurrency | None = None
    schedule: Mapping[str, JsonValue] = {}
    retries: Mapping[str, RetryPolicy] = {}


class Schedule(Frozen, frozen=True, kw_only=True):
    """`schedule`: validated; this version does not run it."""

    every: DurationSpec | None = None
    cron: str | None = None
    after: DurationSpec | None = None
    on: EventStrategy | None = None
    read: str = "data"


class Workflow(Frozen, frozen=True, kw_only=True):
    """A workflow document, compiled.

    Attributes:
        definition: The document as parsed (`$workflow.definition`).
        resources: Addresses of external resources that a deploy must fetch into the bundle.
        warnings: Problems that do not forbid its use.
    """

    dsl: str
    namespace: str
    name: str
    version: str
    title: str = ""
    summary: str = ""
    tags: Mapping[str, Any] = {}
    definition: Mapping[str, JsonValue]
    input: InputSpec | None = None
    output: OutputSpec | None = None
    timeout: DurationSpec | None = None
    do: TaskList
    functions: Mapping[str, Task] = {}
    secrets: tuple[str, ...] = ()
    schedule: Schedule | None = None
    mode: str = "strict"
    language: str = "jq"
    extras: WorkflowExtras = WorkflowExtras()
    resources: tuple[str, ...] = ()
    warnings: tuple[Any, ...] = ()
