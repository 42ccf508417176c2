"""Compiles `use.functions` on demand, each once, and refuses functions that call themselves (DSL: Use)."""

from __future__ import annotations

from counterpoint.core.dsl.building import Build, OpenFunction
from counterpoint.core.dsl.model import Task
from counterpoint.core.dsl.node import Node
from counterpoint.core.dsl.scope import MAX_NESTING, Enclosure


def build_function(build: Build, name: str, site: Node, enclosure: Enclosure) -> Task | None:
    """Task of a function for a call at `site`; None when the function would call itself or nest too deeply.

    A function sees none of its caller's variables, so that one compiled task serves all callers; only calls
    from inside an extension get one of their own, in which extensions do not apply.
    """
    key = (name, enclosure.is_extended)
    if any(function.key == key for function in build.open_functions):
        message = f"The function `{name[:60]}` calls itself, directly or through others."
        build.report.add(site.path, "recursion", message, "Loop with `for` or `then` instead.")
        return None
    depth = enclosure.depth + 1
    if depth + build.heights.get(key, 1) > MAX_NESTING:
        message = f"Task lists and functions nest deeper than {MAX_NESTING} levels here."
        build.report.add(site.path, "too-deep", message, "Call fewer functions from functions.")
        return None
    if key not in build.functions:
        build.functions[key] = _build(build, key, depth)
    build.note_depth(depth + build.heights.get(key, 1))
    return build.functions[key]


def _build(build: Build, key: tuple[str, bool], depth: int) -> Task:
    function = OpenFunction(key, depth)
    build.open_functions.append(function)
    node = build.root.at("use", "functions", key[0])
    task = build.make_task(build, node, key[0], Enclosure(is_extended=key[1], depth=depth))
    build.open_functions.pop()
    build.heights[key] = function.height
    return task
