"""What a document asks for that this version does not run: it loads, but must not be deployed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from counterpoint.core.dsl.build_calls import DEFAULT_CATALOG
from counterpoint.core.dsl.hints import did_you_mean
from counterpoint.core.dsl.model import (
    Authentication,
    CallFunctionTask,
    CallHttpTask,
    CallProtocolTask,
    EmitTask,
    ListenTask,
    RunProcessTask,
    Task,
    Workflow,
)
from counterpoint.core.dsl.walk import tasks_of
from counterpoint.errors import Problem

HasAction = Callable[[str, str, str], bool]
"""Whether something can be called: its name, version and catalog, the last two empty when not written."""

RUNNABLE_SCHEMES = ("basic", "bearer")


def unsupported(
    workflow: Workflow, has_action: HasAction, known_actions: Iterable[str] = ()
) -> list[Problem]:
    """What a deploy must refuse, by pointer: features not run by this version, functions that do not exist.

    Args:
        workflow: The compiled document.
        has_action: Tells which actions there are.
        known_actions: Names of actions, for hints.
    """
    actions = sorted(known_actions)
    found = [*_of_document(workflow)]
    for task in tasks_of(workflow):
        found.extend(_of_task(task, workflow, has_action, actions))
    unique = {(problem.pointer, problem.message): problem for problem in found}
    return sorted(unique.values(), key=lambda problem: problem.pointer)


def _not_run(pointer: str, what: str, hint: str = "") -> Problem:
    return Problem(pointer, f"{what} is not run by this version.", hint=hint, code="not-run")


def _of_document(workflow: Workflow) -> Iterator[Problem]:
    if workflow.schedule is not None:
        yield _not_run("/schedule", "`schedule`", "Start runs by command.")
    if workflow.secrets:
        yield _not_run("/use/secrets", "Reading secrets")


def _of_task(task: Task, workflow: Workflow, has_action: HasAction, actions: list[str]) -> Iterator[Problem]:
    if task.extras.compensate is not None:
        yield _not_run(f"{task.pointer}/metadata/counterpoint/compensate", "Compensation")
    match task:
        case ListenTask():
            yield _not_run(task.pointer, "`listen`")
        case EmitTask():
            yield _not_run(task.pointer, "`emit`")
        case RunProcessTask():
            yield _not_run(task.pointer, f"`run: {task.process}`")
        case CallProtocolTask():
            yield _not_run(task.pointer, f"`call: {task.protocol}`")
        case CallHttpTask() if task.endpoint.authentication is not None:
            yield from _of_authentication(task.endpoint.authentication)
        case CallFunctionTask() if task.function is None:
            yield from _of_call(task, workflow, has_action, actions)


def _of_authentication(authentication: Authentication) -> Iterator[Problem]:
    if authentication.secret is not None:
        yield _not_run(authentication.pointer, "Reading secrets")
    elif authentication.scheme not in RUNNABLE_SCHEMES:
        yield _not_run(authentication.pointer, f"`{authentication.scheme}` authentication")


def _of_call(
    task: CallFunctionTask, workflow: Workflow, has_action: HasAction, actions: list[str]
) -> Iterator[Problem]:
    if "://" in task.target:
        yield _not_run(task.pointer, "Calling a function by its address")
    elif task.catalog and (task.catalog != DEFAULT_CATALOG or _is_overridden(workflow)):
        yield _not_run(task.pointer, "Calling a function of a catalog")
    elif not has_action(task.target, task.version, task.catalog):
        yield _unknown_function(task, workflow, actions)


def _is_overridden(workflow: Workflow) -> bool:
    use = workflow.definition.get("use", {})
    return DEFAULT_CATALOG in use.get("catalogs", {})


def _unknown_function(task: CallFunctionTask, workflow: Workflow, actions: list[str]) -> Problem:
    name = f"{task.target}:{task.version}" if task.version else task.target
    message = f"There is no function or action `{name[:80]}`."
    hint = did_you_mean(task.target, [*workflow.functions, *actions])
    return Problem(task.pointer, message, hint=hint, code="unknown-function")
