"""Compiles `run` tasks (DSL: Run)."""

from __future__ import annotations

from counterpoint.core.dsl.building import Build, Common
from counterpoint.core.dsl.model import RunProcessTask, RunWorkflowTask, Task
from counterpoint.core.dsl.node import Node
from counterpoint.core.dsl.scope import BODY, Enclosure

# A script is full of `${ }` and dots that mean something in its own language.
_QUIET = frozenset({"code"})


def build_run(build: Build, node: Node, enclosure: Enclosure, common: Common) -> Task:
    """A `run` task of any process."""
    run = node.child("run")
    is_awaited = run.child("await").value is not False
    allowed = enclosure.sees(BODY)
    if run.has("workflow"):
        child = run.child("workflow")
        return RunWorkflowTask(
            **common,
            namespace=child.child("namespace").text or "",
            workflow=child.child("name").text or "",
            version=child.child("version").text or "",
            child_input=build.template_or_none(child.child("input"), allowed),
            is_awaited=is_awaited,
        )
    process = next((kind for kind in ("container", "script", "shell") if run.has(kind)), "shell")
    return RunProcessTask(
        **common,
        process=process,
        arguments=build.template(run.child(process), allowed, _QUIET),
        is_awaited=is_awaited,
        returns=run.child("return").text or "stdout",
    )
