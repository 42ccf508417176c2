"""`call: http` (DSL: HTTP Call): everything is evaluated here, the connector only sends."""

from __future__ import annotations

import base64
import re
from urllib.parse import quote

from counterpoint.core.context import Invocation
from counterpoint.core.dsl.model import Authentication, CallHttpTask, Directive
from counterpoint.core.interp.calling import policy_of
from counterpoint.core.interp.dataflow import evaluate, expression_fault
from counterpoint.core.interp.scope import TaskScope
from counterpoint.core.values import JsonValue
from counterpoint.errors import FaultRaised, standard_fault

_SCHEME = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.\-]*:")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


async def run_call_http(task: CallHttpTask, scope: TaskScope) -> tuple[JsonValue, Directive]:
    """The response in the form that `output` asks for.

    Raises:
        FaultRaised: communication/STATUS; expression/400 or configuration/400 for a bad endpoint.
    """
    arguments: dict[str, JsonValue] = {
        "method": task.method,
        "endpoint": await _uri(task, scope),
        "output": task.output_form,
        "redirect": task.redirect,
    }
    if task.headers is not None:
        arguments["headers"] = await evaluate(scope, task.headers, scope.input)
    if task.query is not None:
        arguments["query"] = await evaluate(scope, task.query, scope.input)
    if task.body is not None:
        arguments["body"] = await evaluate(scope, task.body, scope.input)
    if task.endpoint.authentication is not None:
        arguments["authentication"] = await _authentication(task.endpoint.authentication, scope)
    invocation = Invocation("http", arguments, task.pointer, task.name)
    output = await scope.context.call(scope.key, invocation, await policy_of(task, scope, "http"))
    return output, task.then


async def _uri(task: CallHttpTask, scope: TaskScope) -> str:
    uri = task.endpoint.uri
    if isinstance(uri, str):
        value = _expand(uri, scope, task)
    else:
        value = await evaluate(scope, uri, scope.input)
        if not isinstance(value, str):
            raise expression_fault(uri.text, "the endpoint must be a string", task.pointer)
    if _SCHEME.match(value) is None:
        detail = f"The endpoint `{value[:100]}` is relative, and there is no base address: write it in full"
        raise FaultRaised(standard_fault("configuration", detail, task.pointer))
    return value


def _expand(template: str, scope: TaskScope, task: CallHttpTask) -> str:
    """RFC 6570 simple expansion with the top-level members of the task's input; a missing one is empty."""
    if "{" not in template:
        return template
    values = scope.input if isinstance(scope.input, dict) else {}

    def expand(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str | int | float):
            text = str(value)
            # A template that begins with a variable takes its scheme and host from it: only the rest is a
            # component.
            return text if match.start() == 0 else quote(text, safe="-._~")
        why = f"`{match[1]}` is no string, number, boolean or null"
        raise expression_fault(template, why, task.pointer)

    return _PLACEHOLDER.sub(expand, template)


async def _authentication(policy: Authentication, scope: TaskScope) -> JsonValue:
    properties = await evaluate(scope, policy.properties, scope.input)
    if not isinstance(properties, dict):
        detail = f"The {policy.scheme} authentication must be an object with its properties"
        raise FaultRaised(standard_fault("configuration", detail, scope.task.pointer))
    if policy.scheme == "basic":
        pair = f"{properties.get('username', '')}:{properties.get('password', '')}"
        scope.authorization = {"scheme": "Basic", "parameter": base64.b64encode(pair.encode()).decode()}
    elif policy.scheme == "bearer":
        scope.authorization = {"scheme": "Bearer", "parameter": properties.get("token")}
    return {"scheme": policy.scheme, "properties": properties}
