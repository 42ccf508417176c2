"""Compiles a checked document into the model (DSL: Workflow)."""

from __future__ import annotations

from collections.abc import Mapping

from counterpoint.core.dsl.build_calls import build_authentication
from counterpoint.core.dsl.build_data import build_input, build_output, build_timeout
from counterpoint.core.dsl.build_events import build_strategy
from counterpoint.core.dsl.build_functions import build_function
from counterpoint.core.dsl.build_metadata import build_workflow_extras
from counterpoint.core.dsl.build_retries import build_error, build_retry
from counterpoint.core.dsl.build_tasks import build_list, build_task
from counterpoint.core.dsl.building import Build
from counterpoint.core.dsl.grammar_tasks import KINDS
from counterpoint.core.dsl.model import Extension, Schedule, Task, Workflow
from counterpoint.core.dsl.node import Node
from counterpoint.core.dsl.pointers import pointer_of
from counterpoint.core.dsl.report import Report
from counterpoint.core.dsl.scope import (
    BEFORE_INPUT,
    SCHEDULE,
    WORKFLOW_INPUT,
    WORKFLOW_OUTPUT,
    Enclosure,
)
from counterpoint.core.values import JsonValue

LANGUAGES = ("jq",)
"""Languages of runtime expressions that can be evaluated."""

_COMPOSITES = ("do", "fork")


def build_workflow(definition: JsonValue, report: Report, resources: Mapping[str, JsonValue]) -> Workflow:
    """The model of a document; it may be used only if the report has no errors afterwards."""
    root = Node(definition, ())
    build = Build(root, report, resources, build_task, build_list)
    _check_language(build)
    build.extensions = _build_extensions(build)
    functions = _build_functions(build)
    _check_components(build)
    document = root.child("document")
    tags = document.child("tags")
    return Workflow(
        dsl=document.child("dsl").text or "",
        namespace=document.child("namespace").text or "",
        name=document.child("name").text or "",
        version=document.child("version").text or "",
        title=document.child("title").text or "",
        summary=document.child("summary").text or "",
        tags=tags.value if tags.is_map else {},
        definition=definition if root.is_map else {},
        input=build_input(build, root.child("input"), WORKFLOW_INPUT),
        output=build_output(build, root.child("output"), WORKFLOW_OUTPUT),
        timeout=build_timeout(build, root.child("timeout"), WORKFLOW_INPUT),
        do=build_list(build, root.child("do"), Enclosure()),
        functions=functions,
        secrets=tuple(build.known("secrets")),
        schedule=_build_schedule(build),
        mode=build.mode,
        language=LANGUAGES[0],
        extras=build_workflow_extras(build),
        resources=tuple(build.needed),
    )


def _check_language(build: Build) -> None:
    node = build.root.at("evaluate", "language")
    if node.text is not None and node.text not in LANGUAGES:
        message = f"The expression language `{node.text[:40]}` is not supported."
        build.report.add(
            node.path, "language", message, build.report.did_you_mean(node.text, LANGUAGES) or "Use `jq`."
        )


def _build_extensions(build: Build) -> dict[str, tuple[Extension, ...]]:
    by_kind: dict[str, tuple[Extension, ...]] = dict.fromkeys(KINDS, ())
    inside = Enclosure(is_extended=False)
    for name, node in build.root.at("use", "extensions").named():
        extension = Extension(
            name=name,
            pointer=pointer_of(node.path),
            when=build.program(node.child("when"), BEFORE_INPUT),
            before=build_list(build, node.child("before"), inside) if node.has("before") else None,
            after=build_list(build, node.child("after"), inside) if node.has("after") else None,
        )
        for kind in _kinds_extended(node.child("extend").text or ""):
            by_kind[kind] += (extension,)
    return by_kind


def _kinds_extended(target: str) -> tuple[str, ...]:
    if target == "all":
        return tuple(KINDS)
    if target == "composite":
        return _COMPOSITES
    return (target,) if target in KINDS else ()


def _build_functions(build: Build) -> dict[str, Task]:
    functions: dict[str, Task] = {}
    for name, node in build.root.at("use", "functions").members():
        task = build_function(build, name, node, Enclosure())
        if task is not None:
            functions[name] = task
    return functions


def _check_components(build: Build) -> None:
    """Compile each reusable component once for its problems; its variables depend on who refers to it."""
    use = build.root.child("use")
    for _, node in use.child("authentications").members():
        build_authentication(build, node, None)
    for _, node in use.child("errors").members():
        build_error(build, node, None)
    for _, node in use.child("retries").members():
        build_retry(build, node, None)
    for _, node in use.child("timeouts").members():
        build.duration(node.child("after"), None)


def _build_schedule(build: Build) -> Schedule | None:
    node = build.root.child("schedule")
    if not node.is_map:
        return None
    return Schedule(
        every=build.duration(node.child("every"), SCHEDULE),
        cron=node.child("cron").text,
        after=build.duration(node.child("after"), SCHEDULE),
        on=build_strategy(build, node.child("on"), SCHEDULE) if node.child("on").is_map else None,
        read=node.child("read").text or "data",
    )
