"""Compiles `call` tasks: http, the other protocols, and functions (DSL: Call)."""

from __future__ import annotations

import re
from itertools import islice

from counterpoint.core.dsl.build_events import build_iterator
from counterpoint.core.dsl.build_functions import build_function
from counterpoint.core.dsl.building import NOTHING, Allowed, Build, Common
from counterpoint.core.dsl.grammar_parts import SCHEMES, is_expression
from counterpoint.core.dsl.grammar_tasks import PROTOCOLS
from counterpoint.core.dsl.hints import MAX_CHOICES
from counterpoint.core.dsl.model import (
    Authentication,
    CallFunctionTask,
    CallHttpTask,
    CallProtocolTask,
    Endpoint,
    Task,
)
from counterpoint.core.dsl.node import Node
from counterpoint.core.dsl.pointers import pointer_of
from counterpoint.core.dsl.scope import BODY, Enclosure

_TARGET = re.compile(r"(?P<name>[^:@\s]+)(?::(?P<version>[^@\s]+))?(?:@(?P<catalog>\S+))?")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
DEFAULT_CATALOG = "default"
"""Name of the runtime's own catalog (DSL: Default Catalog)."""


def build_call(build: Build, node: Node, enclosure: Enclosure, common: Common) -> Task:
    """A `call` task of any protocol or of a function."""
    target = node.child("call").text or ""
    arguments = node.child("with")
    if target == "http":
        return _build_http(build, arguments, enclosure.sees(BODY), common)
    if target in PROTOCOLS:
        return _build_protocol(build, node, target, enclosure, common)
    return _build_function_call(build, node, target, enclosure, common)


# --- http -----------------------------------------------------------------------------------------


def _build_http(build: Build, arguments: Node, allowed: Allowed, common: Common) -> Task:
    return CallHttpTask(
        **common,
        method=(arguments.child("method").text or "").upper(),
        endpoint=build_endpoint(build, arguments.child("endpoint"), allowed),
        headers=build.template_or_none(arguments.child("headers"), allowed),
        query=build.template_or_none(arguments.child("query"), allowed),
        body=build.template_or_none(arguments.child("body"), allowed),
        output_form=arguments.child("output").text or "content",
        redirect=arguments.child("redirect").is_true,
    )


def build_endpoint(build: Build, node: Node, allowed: Allowed) -> Endpoint:
    """An endpoint: address or expression, with its authentication."""
    place = node.child("uri") if node.is_map else node
    text = place.text or ""
    program = build.program(place, allowed) if is_expression(text) else None
    authentication = build_authentication(build, node.child("authentication"), allowed)
    return Endpoint(uri=program or text, authentication=authentication)


def build_authentication(build: Build, node: Node, allowed: Allowed) -> Authentication | None:
    """An authentication policy, inline or by `use`; None when absent or dangling."""
    if node.has("use"):
        found = build.component("authentications", node.child("use"))
        if found is None:
            return None
        node = found
    for scheme in SCHEMES:
        if node.has(scheme):
            return _build_policy(build, node.child(scheme), scheme, allowed)
    return None


def _build_policy(build: Build, node: Node, scheme: str, allowed: Allowed) -> Authentication:
    secret = node.child("use").text
    if secret is not None:
        build.component("secrets", node.child("use"))
    properties = NOTHING if secret is not None else build.template(node, allowed)
    return Authentication(pointer=pointer_of(node.path), scheme=scheme, properties=properties, secret=secret)


# --- other protocols ------------------------------------------------------------------------------


def _build_protocol(build: Build, node: Node, protocol: str, enclosure: Enclosure, common: Common) -> Task:
    arguments = node.child("with")
    allowed = enclosure.sees(BODY)
    for holder in _authenticated(arguments):
        build_authentication(build, holder.child("authentication"), allowed)
    subscription = arguments.child("subscription")
    if subscription.is_map:
        _check_subscription(build, subscription, enclosure)
    rest = {key: member.value for key, member in arguments.members() if key != "subscription"}
    template = build.template(Node(rest, arguments.path), allowed)
    return CallProtocolTask(**common, protocol=protocol, arguments=template)


def _authenticated(arguments: Node) -> list[Node]:
    holders = [arguments, arguments.child("service"), arguments.child("server")]
    holders += [arguments.at(name, "endpoint") for name in ("document", "proto", "agentCard")]
    holders.append(arguments.at("transport", "http", "endpoint"))
    return holders


def _check_subscription(build: Build, node: Node, enclosure: Enclosure) -> None:
    allowed = enclosure.sees(BODY)
    build.program(node.child("filter"), allowed)
    for name in ("while", "until"):
        build.program(node.at("consume", name), allowed)
    build_iterator(build, node.child("foreach"), enclosure)


# --- functions ------------------------------------------------------------------------------------


def _build_function_call(build: Build, node: Node, target: str, enclosure: Enclosure, common: Common) -> Task:
    arguments = build.template_or_none(node.child("with"), enclosure.sees(BODY))
    if _ADDRESS.match(target):
        return CallFunctionTask(**common, target=target, arguments=arguments)
    match = _TARGET.fullmatch(target)
    if match is None:
        if node.child("call").text is not None:
            hint = "Write `NAME`, `CONNECTOR.ACTION` or `NAME:VERSION@CATALOG`."
            build.report.add(node.child("call").path, "pattern", f"`{target[:60]}` names no function.", hint)
        return CallFunctionTask(**common, target=target, arguments=arguments)
    return _build_named_call(build, node, match, enclosure, {**common, "arguments": arguments})


def _build_named_call(
    build: Build, node: Node, match: re.Match[str], enclosure: Enclosure, common: Common
) -> Task:
    name, version, catalog = match["name"], match["version"] or "", match["catalog"] or ""
    place = node.child("call")
    function: Task | None = None
    if catalog:
        if catalog != DEFAULT_CATALOG:
            build.component("catalogs", Node(catalog, place.path))
    elif not version and name in build.known("functions"):
        function = build_function(build, name, place, enclosure)
    elif "." not in name:
        known = ["http", *PROTOCOLS, *islice(build.known("functions"), MAX_CHOICES)]
        hint = (
            build.report.did_you_mean(name, known)
            or "Actions of connectors are called as `CONNECTOR.ACTION`."
        )
        build.report.add(place.path, "dangling", f"There is no function `{name[:60]}`.", hint)
    return CallFunctionTask(**common, target=name, version=version, catalog=catalog, function=function)
