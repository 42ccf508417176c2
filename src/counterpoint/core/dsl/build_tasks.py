"""Compiles task lists and the tasks that stay in the core; calls, events and runs have their own modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from counterpoint.core.dsl.build_calls import build_call
from counterpoint.core.dsl.build_data import build_input, build_output, build_timeout, warn_secret_flow
from counterpoint.core.dsl.build_events import build_emit, build_listen
from counterpoint.core.dsl.build_metadata import build_task_extras
from counterpoint.core.dsl.build_retries import build_error, build_retry
from counterpoint.core.dsl.build_runs import build_run
from counterpoint.core.dsl.building import NOTHING, Build, Common
from counterpoint.core.dsl.flow import WORDS, build_directive, warn_unreachable
from counterpoint.core.dsl.grammar_tasks import kinds_of
from counterpoint.core.dsl.model import (
    Catch,
    DoTask,
    ErrorSpec,
    ForkTask,
    ForTask,
    RaiseTask,
    SetTask,
    SwitchCase,
    SwitchTask,
    Task,
    TaskList,
    TryTask,
    WaitTask,
)
from counterpoint.core.dsl.node import Node
from counterpoint.core.dsl.pointers import pointer_of
from counterpoint.core.dsl.scope import BEFORE_INPUT, BODY, EXPORT, Enclosure
from counterpoint.core.values import Duration, JsonValue


def build_list(build: Build, node: Node, enclosure: Enclosure) -> TaskList:
    """A task list; repeated names, unknown targets and unreachable tasks are reported."""
    named = list(node.named())
    siblings: dict[str, int] = {}
    for index, (name, task) in enumerate(named):
        if name in siblings:
            message = f"The list has two tasks `{name[:60]}`, so `then: {name[:60]}` would be ambiguous."
            build.report.add(task.path, "repeated-name", message, "Rename one of them.")
        elif name in WORDS:
            message = f"`then: {name}` is a directive and will not lead to this task."
            build.report.warn(task.path, "reserved-name", message, "Rename the task.")
        siblings.setdefault(name, index)
    inner = enclosure.inside(siblings)
    build.note_depth(inner.depth)
    tasks = tuple(build_task(build, task, name, inner) for name, task in named)
    made = TaskList(pointer=pointer_of(node.path), tasks=tasks)
    warn_unreachable(build, node, made)
    return made


def build_task(build: Build, node: Node, name: str, enclosure: Enclosure) -> Task:
    """A task of any kind."""
    kinds = kinds_of(node.value)
    kind = kinds[0] if kinds else "set"
    own = enclosure.sees(BODY)
    before = enclosure.sees(BEFORE_INPUT)
    common: Common = {
        "name": name,
        "pointer": pointer_of(node.path),
        "definition": node.value if node.is_map else {},
        "condition": build.program(node.child("if"), before),
        "input": build_input(build, node.child("input"), before),
        "output": build_output(build, node.child("output"), own),
        "export": build_output(build, node.child("export"), enclosure.sees(EXPORT)),
        "timeout": build_timeout(build, node.child("timeout"), own),
        "then": build_directive(build, node.child("then"), enclosure.siblings),
        "extras": build_task_extras(build, node, kind, enclosure),
        "extensions": build.extensions.get(kind, ()) if enclosure.is_extended else (),
    }
    return BUILDERS[kind](build, node, enclosure, common)


def _build_set(build: Build, node: Node, enclosure: Enclosure, common: Common) -> Task:
    value = build.template(node.child("set"), enclosure.sees(BODY))
    if not value.variables.isdisjoint({"secrets", "secret"}):
        warn_secret_flow(build, node.child("set"))
    return SetTask(**common, value=value)


def _build_do(build: Build, node: Node, enclosure: Enclosure, common: Common) -> Task:
    return DoTask(**common, do=build_list(build, node.child("do"), enclosure))


def _build_switch(build: Build, node: Node, enclosure: Enclosure, common: Common) -> Task:
    cases: list[SwitchCase] = []
    default = ""
    for name, case in node.child("switch").named():
        if not case.has("when"):
            if default:
                message = f"A switch has one default; `{default[:60]}` is one already."
                build.report.add(case.path, "two-defaults", message, "Give this case a `when`.")
            default = name
        when = build.program(case.child("when"), enclosure.sees(BODY))
        then = build_directive(build, case.child("then"), enclosure.siblings)
        cases.append(SwitchCase(name=name, pointer=pointer_of(case.path), when=when, then=then))
    return SwitchTask(**common, cases=tuple(cases))


def _build_for(build: Build, node: Node, enclosure: Enclosure, common: Common) -> Task:
    loop = node.child("for")
    each, at = build.variable(loop.child("each"), "item"), build.variable(loop.child("at"), "index")
    if each == at:
        message = f"`each` and `at` both name `{each}`."
        build.report.add(loop.path, "variable-name", message, "Rename one of them.")
    source = loop.child("in")
    own = enclosure.sees(BODY)
    inner = enclosure.binding(each, at)
    program = build.program(source, own) if source.text is not None else None
    return ForTask(
        **common,
        each=each,
        at=at,
        collection=program or (NOTHING if source.text is not None else build.template(source, own)),
        condition_while=build.program(node.child("while"), inner.sees(BODY)),
        do=build_list(build, node.child("do"), inner),
    )


def _build_fork(build: Build, node: Node, enclosure: Enclosure, common: Common) -> Task:
    fork = node.child("fork")
    branches = build_list(build, fork.child("branches"), enclosure)
    return ForkTask(**common, branches=branches, compete=fork.child("compete").is_true)


def _build_raise(build: Build, node: Node, enclosure: Enclosure, common: Common) -> Task:
    error = build_error(build, node.at("raise", "error"), enclosure.sees(BODY))
    return RaiseTask(**common, error=error or ErrorSpec(type=NOTHING, status=0))


def _build_wait(build: Build, node: Node, enclosure: Enclosure, common: Common) -> Task:
    wait = build.duration(node.child("wait"), enclosure.sees(BODY))
    return WaitTask(**common, wait=Duration() if wait is None else wait)


def _build_try(build: Build, node: Node, enclosure: Enclosure, common: Common) -> Task:
    catch = node.child("catch")
    name = build.variable(catch.child("as"), "error")
    caught = enclosure.binding(name)
    sees = caught.sees(BODY)
    retry = build_retry(build, catch.child("retry"), sees)
    tried = enclosure
    if retry is not None:
        tried = enclosure.retried(None if retry.attempt_count is None else retry.attempt_count + 1)
    return TryTask(
        **common,
        do=build_list(build, node.child("try"), tried),
        catch=Catch(
            pointer=pointer_of(catch.path),
            errors=_build_filter(build, catch.at("errors", "with")),
            name=name,
            when=build.program(catch.child("when"), sees),
            except_when=build.program(catch.child("exceptWhen"), sees),
            retry=retry,
            do=build_list(build, catch.child("do"), caught) if catch.has("do") else None,
            then=build_directive(build, catch.child("then"), enclosure.siblings)
            if catch.has("then")
            else None,
        ),
    )


def _build_filter(build: Build, node: Node) -> dict[str, JsonValue]:
    errors: dict[str, JsonValue] = {}
    for name, member in node.members():
        if member.text is not None and "${" in member.text:
            message = "An error filter is static: `${ }` is not evaluated here."
            hint = "Put the expression into `when` of the `catch`."
            build.report.warn(member.path, "static-filter", message, hint)
        # Version 1.0.x of the schema spells it `details` (A43).
        errors.setdefault("detail" if name == "details" else name, member.value)
    return errors


_Builder: TypeAlias = Callable[[Build, Node, Enclosure, Common], Task]

BUILDERS: dict[str, _Builder] = {
    "set": _build_set,
    "do": _build_do,
    "switch": _build_switch,
    "for": _build_for,
    "fork": _build_fork,
    "raise": _build_raise,
    "wait": _build_wait,
    "try": _build_try,
    "call": build_call,
    "run": build_run,
    "emit": build_emit,
    "listen": build_listen,
}
"""One compiling function per kind of task."""
