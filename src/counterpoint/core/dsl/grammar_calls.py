"""Shapes of the `with` of each built-in call (DSL: Call)."""

from __future__ import annotations

from counterpoint.core.dsl.grammar_parts import (
    AUTHENTICATION_OR_USE,
    DURATION,
    ENDPOINT,
    EXPORT,
    EXPRESSION,
    OUTPUT,
    RESOURCE,
)
from counterpoint.core.dsl.pointers import Path
from counterpoint.core.dsl.report import Report
from counterpoint.core.dsl.shapes import (
    ANYTHING,
    FLAG,
    MAP,
    TEXT,
    Both,
    ByType,
    Fields,
    Later,
    ListOf,
    MapOf,
    Shape,
    Text,
    Whole,
)
from counterpoint.core.values import JsonValue

_RESPONSE_FORMS = Text(("raw", "content", "response"))
_SCALAR = ByType("text, a number, or true or false", text=TEXT, scalar=ANYTHING)
_HEADERS = ByType("a map of headers or an expression", text=EXPRESSION, mapping=MapOf(_SCALAR))
# The schema wants texts; the reference text has any scalar and lists (A16).
_QUERY_VALUE = ByType("a scalar or a list of scalars", text=TEXT, scalar=ANYTHING, items=ListOf(_SCALAR))
_QUERY = ByType("a map of query parameters or an expression", text=EXPRESSION, mapping=MapOf(_QUERY_VALUE))

HTTP = Fields(
    "the arguments of `call: http`",
    {
        "method": TEXT,
        "endpoint": ENDPOINT,
        "headers": _HEADERS,
        "body": ANYTHING,
        "query": _QUERY,
        "output": _RESPONSE_FORMS,
        "redirect": FLAG,
    },
    ("method", "endpoint"),
)

OPENAPI = Fields(
    "the arguments of `call: openapi`",
    {
        "document": RESOURCE,
        "operationId": TEXT,
        "parameters": MAP,
        "authentication": AUTHENTICATION_OR_USE,
        "output": _RESPONSE_FORMS,
        "redirect": FLAG,
    },
    ("document", "operationId"),
)

GRPC = Fields(
    "the arguments of `call: grpc`",
    {
        "proto": RESOURCE,
        "service": Fields(
            "a gRPC service",
            {
                "name": TEXT,
                "host": Text(
                    pattern=r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,61}[a-zA-Z0-9])?",
                    rule="a host has letters, digits, inner dots and hyphens, at most 63",
                ),
                "port": Whole(0, 65535),
                "authentication": AUTHENTICATION_OR_USE,
            },
            ("name", "host"),
        ),
        "method": TEXT,
        "arguments": MAP,
    },
    ("proto", "service", "method"),
)

_A2A_METHODS = (
    "message/send",
    "message/stream",
    "tasks/get",
    "tasks/list",
    "tasks/cancel",
    "tasks/resubscribe",
    "tasks/pushNotificationConfig/set",
    "tasks/pushNotificationConfig/get",
    "tasks/pushNotificationConfig/list",
    "tasks/pushNotificationConfig/delete",
    "agent/getAuthenticatedExtendedCard",
)
A2A = Fields(
    "the arguments of `call: a2a`",
    {
        "agentCard": RESOURCE,
        "server": ENDPOINT,
        "method": Text(_A2A_METHODS),
        "parameters": ByType("a map or an expression", text=TEXT, mapping=MapOf(least=1)),
    },
    ("method",),
)

_MCP_METHODS = (
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/read",
    "resources/templates/list",
)
_TEXTS = MapOf(TEXT)
_MCP_TRANSPORT = Fields(
    "an MCP transport",
    {
        "http": Fields(
            "the http transport", {"endpoint": ENDPOINT, "headers": _TEXTS}, ("endpoint",), is_open=True
        ),
        "stdio": Fields(
            "the stdio transport",
            {"command": TEXT, "arguments": ListOf(TEXT), "environment": _TEXTS},
            ("command",),
            is_open=True,
        ),
        "options": _TEXTS,
    },
    one_of=("http", "stdio"),
    is_open=True,
)
MCP = Fields(
    "the arguments of `call: mcp`",
    {
        "protocolVersion": TEXT,
        "method": Text(_MCP_METHODS),
        "parameters": ByType("a map or an expression", text=TEXT, mapping=MAP),
        "timeout": DURATION,
        "transport": _MCP_TRANSPORT,
        "client": Fields("an MCP client", {"name": TEXT, "version": TEXT}, ("name", "version"), is_open=True),
    },
    ("method", "transport"),
    is_open=True,
)

_ASYNCAPI_PROTOCOLS = tuple(
    "amqp amqp1 anypointmq googlepubsub http ibmmq jms kafka mercure mqtt mqtt5 nats pulsar redis sns solace"
    " sqs stomp ws".split()
)
_CONSUMPTION = Fields(
    "a consumption policy",
    {"for": DURATION, "amount": Whole(), "while": EXPRESSION, "until": EXPRESSION},
    one_of=("amount", "while", "until"),
)


def _channel_or_operation(value: JsonValue, path: Path, report: Report) -> None:
    for first, second in (("channel", "operation"), ("message", "subscription")):
        if (first in value) == (second in value):
            code = "exclusive" if first in value else "missing"
            report.add(path, code, f"`call: asyncapi` needs exactly one of `{first}` and `{second}`.")


def iterator_of(tasks: Shape) -> Shape:
    """Shape of `foreach` over consumed events or messages."""
    return Fields(
        "a `foreach`",
        {"item": TEXT, "at": TEXT, "do": tasks, "output": OUTPUT, "export": EXPORT},
    )


def calls_of(iterator: Shape) -> dict[str, Shape]:
    """Shape of `with` of each built-in call; `iterator` is the shape of `foreach`."""
    subscription = Fields(
        "a subscription",
        {"filter": EXPRESSION, "consume": _CONSUMPTION, "foreach": Later(lambda: iterator)},
        ("consume",),
    )
    asyncapi = Fields(
        "the arguments of `call: asyncapi`",
        {
            "document": RESOURCE,
            "channel": TEXT,
            "operation": TEXT,
            "server": Fields("an AsyncAPI server", {"name": TEXT, "variables": MAP}, ("name",)),
            "protocol": Text(_ASYNCAPI_PROTOCOLS),
            "message": Fields("a message", {"payload": MAP, "headers": MAP}),
            "subscription": subscription,
            "authentication": AUTHENTICATION_OR_USE,
        },
        ("document",),
    )
    return {
        "http": HTTP,
        "openapi": OPENAPI,
        "grpc": GRPC,
        "a2a": A2A,
        "mcp": MCP,
        "asyncapi": Both(asyncapi, _channel_or_operation),
    }
