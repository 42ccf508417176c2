"""Compiles what moves data (DSL: Data Flow): schemas, `input`, `output`, `export`, timeouts."""

from __future__ import annotations

from counterpoint.core.dsl.building import Allowed, Build
from counterpoint.core.dsl.grammar_parts import is_expression
from counterpoint.core.dsl.model import DurationSpec, InputSpec, OutputSpec, Schema
from counterpoint.core.dsl.node import Node
from counterpoint.core.dsl.pointers import pointer_of
from counterpoint.core.dsl.schemas import SchemaInvalid, compile_schema
from counterpoint.core.dsl.uris import variables_of
from counterpoint.core.expr.program import Program, Template
from counterpoint.core.values import JsonValue


def build_input(build: Build, node: Node, allowed: Allowed) -> InputSpec | None:
    """`input` of a workflow or task; None when absent."""
    if not node.is_map:
        return None
    transform = _build_transform(build, node.child("from"), allowed)
    return InputSpec(schema=build_schema(build, node.child("schema")), transform=transform)


def build_output(build: Build, node: Node, allowed: Allowed) -> OutputSpec | None:
    """`output` or `export` of a workflow or task; None when absent."""
    if not node.is_map:
        return None
    transform = _build_transform(build, node.child("as"), allowed)
    if transform is not None and not transform.variables.isdisjoint({"secrets", "secret"}):
        warn_secret_flow(build, node.child("as"))
    return OutputSpec(schema=build_schema(build, node.child("schema")), transform=transform)


def warn_secret_flow(build: Build, node: Node) -> None:
    """Warn that a secret flows into data that is stored and shown."""
    message = "A secret flows into the data of the run, which is stored and shown."
    build.report.warn(node.path, "secret-flow", message, "Use `$secrets` only where the secret is needed.")


def _build_transform(build: Build, node: Node, allowed: Allowed) -> Program | Template | None:
    if node.text is not None:
        return build.program(node, allowed)
    return build.template(node, allowed) if node.is_map else None


def build_timeout(build: Build, node: Node, allowed: Allowed) -> DurationSpec | None:
    """`timeout`, inline or the name of one in `use.timeouts`."""
    timeout = build.component("timeouts", node) if node.text is not None else node
    return None if timeout is None else build.duration(timeout.child("after"), allowed)


def build_schema(build: Build, node: Node) -> Schema | None:
    """A schema; an external one that is not at hand accepts everything and is listed as needed."""
    if not node.is_map:
        return None
    form = node.child("format").text
    if form is not None and form != "json" and not form.startswith("json:"):
        message = f"The schema format `{form[:40]}` is not supported."
        build.report.add(node.child("format").path, "schema-format", message, "Write `json`.")
        return None
    if node.has("document"):
        return _compile(build, node.child("document"), node.child("document").value)
    return _build_external(build, node.at("resource", "endpoint"))


def _build_external(build: Build, endpoint: Node) -> Schema | None:
    place = endpoint.child("uri") if endpoint.is_map else endpoint
    address = place.text
    if address is None:
        return None
    if is_expression(address) or variables_of(address):
        message = "The address of a schema is fixed when the workflow is deployed."
        build.report.add(
            place.path, "not-static", message, "Write the address without expressions and `{ }`."
        )
        return None
    build.needed[address] = None
    if address in build.resources:
        return _compile(build, place, build.resources[address])
    message = f"The schema at `{address[:120]}` is checked when the workflow is deployed."
    build.report.warn(place.path, "external-schema", message)
    return Schema(pointer=pointer_of(place.path), check=_accept)


def _accept(value: JsonValue) -> list[str]:
    return []


def _compile(build: Build, place: Node, document: JsonValue) -> Schema | None:
    try:
        check = compile_schema(document, build.resources)
    except SchemaInvalid as invalid:
        inside = invalid.path if place.value is document else ()
        build.report.add(place.path + inside, "schema", str(invalid), invalid.hint)
        return None
    return Schema(pointer=pointer_of(place.path), check=check)
