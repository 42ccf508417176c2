"""Compiles `emit`, `listen` and event strategies (DSL: Emit, Listen, Event Consumption Strategy)."""

from __future__ import annotations

from counterpoint.core.dsl.build_data import build_output
from counterpoint.core.dsl.building import Build, Common
from counterpoint.core.dsl.model import (
    EmitTask,
    EventFilter,
    EventStrategy,
    ListenTask,
    SubscriptionIterator,
    Task,
)
from counterpoint.core.dsl.node import Node
from counterpoint.core.dsl.pointers import pointer_of
from counterpoint.core.dsl.scope import BODY, EXPORT, Enclosure
from counterpoint.core.expr.program import Program, Template


def build_emit(build: Build, node: Node, enclosure: Enclosure, common: Common) -> Task:
    """An `emit` task."""
    event = build.template(node.at("emit", "event", "with"), enclosure.sees(BODY))
    return EmitTask(**common, event=event)


def build_listen(build: Build, node: Node, enclosure: Enclosure, common: Common) -> Task:
    """A `listen` task."""
    listen = node.child("listen")
    return ListenTask(
        **common,
        strategy=build_strategy(build, listen.child("to"), enclosure.sees(BODY)),
        read=listen.child("read").text or "data",
        foreach=build_iterator(build, node.child("foreach"), enclosure),
    )


def build_strategy(build: Build, node: Node, allowed: frozenset[str]) -> EventStrategy:
    """A consumption strategy; what is tested for each event must be in the native subset."""
    kind = next((kind for kind in ("all", "any", "one") if node.has(kind)), "one")
    filters = [node.child(kind)] if kind == "one" else node.child(kind).items()
    until: Program | EventStrategy | None = None
    if node.child("until").is_map:
        until = build_strategy(build, node.child("until"), allowed)
    else:
        until = build.native_program(node.child("until"), allowed, "`until`")
    made = tuple(_build_filter(build, entry, allowed) for entry in filters)
    return EventStrategy(kind=kind, filters=made, until=until)


def _build_filter(build: Build, node: Node, allowed: frozenset[str]) -> EventFilter:
    attributes = node.child("with")
    correlate: list[tuple[str, Program, Template | None]] = []
    for name, entry in node.child("correlate").members():
        source = build.native_program(entry.child("from"), allowed, "`from`")
        expected = build.template_or_none(entry.child("expect"), allowed)
        if source is not None:
            correlate.append((name, source, expected))
    template = build.template(attributes, allowed)
    for path, program in template.holes:
        build.require_native(program, attributes.path + path, "An event filter")
    return EventFilter(pointer=pointer_of(node.path), attributes=template, correlate=tuple(correlate))


def build_iterator(build: Build, node: Node, enclosure: Enclosure) -> SubscriptionIterator | None:
    """`foreach` over consumed events or messages; None when absent."""
    if not node.is_map:
        return None
    item, at = build.variable(node.child("item"), "item"), build.variable(node.child("at"), "index")
    inner = enclosure.binding(item, at)
    return SubscriptionIterator(
        item=item,
        at=at,
        do=build.make_list(build, node.child("do"), inner) if node.has("do") else None,
        output=build_output(build, node.child("output"), inner.sees(BODY)),
        export=build_output(build, node.child("export"), inner.sees(EXPORT)),
    )
