"""Shapes of the parts that documents and tasks share: data flow, durations, endpoints, retries, events."""

from __future__ import annotations

import re

from counterpoint.core.dsl.durations import UNITS, duration_of_units, parse_duration
from counterpoint.core.dsl.pointers import Path
from counterpoint.core.dsl.report import Report
from counterpoint.core.dsl.shapes import (
    ANYTHING,
    MAP,
    TEXT,
    Both,
    ByType,
    Fields,
    Judged,
    Later,
    ListOf,
    MapOf,
    Number,
    Shape,
    Text,
    Whole,
)
from counterpoint.core.dsl.uris import uri_problem
from counterpoint.core.values import JsonValue

_WHOLE_EXPRESSION = re.compile(r"\s*\$\{[\s\S]+\}\s*")
_DATE_TIME = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"
    r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")


def is_expression(text: str) -> bool:
    """Whether a text is one whole `${ ... }`, over several lines too (A11)."""
    return _WHOLE_EXPRESSION.fullmatch(text) is not None


def _judge_expression(text: str) -> str:
    return "" if is_expression(text) else "expected one whole expression `${ ... }`"


def _judge_uri(text: str) -> str:
    return "" if is_expression(text) else uri_problem(text)


def _judge_time(text: str) -> str:
    is_good = is_expression(text) or _DATE_TIME.fullmatch(text)
    return "" if is_good else "expected a date-time such as `2026-01-31T12:00:00Z` or an expression"


def _judge_instance(text: str) -> str:
    is_good = is_expression(text) or _POINTER.fullmatch(text)
    return "" if is_good else "expected a JSON Pointer such as `/do/0/name` or an expression"


def _judge_duration(text: str) -> str:
    if is_expression(text):
        return ""
    try:
        parse_duration(text)
    except ValueError as error:
        return str(error).rstrip(".")
    return ""


def _check_units(value: JsonValue, path: Path, report: Report) -> None:
    try:
        duration_of_units(value)
    except ValueError as error:
        if value and set(value) <= set(UNITS) and all(type(amount) is int for amount in value.values()):
            report.add(path, "duration", str(error))


EXPRESSION = Judged(_judge_expression, "expression")
URI = Judged(uri_problem, "uri-template")
URI_OR_EXPRESSION = Judged(_judge_uri, "uri-template")

_DURATION_HINT = "Write `PT30S`, or units: `{ seconds: 30 }`."
_UNITS = Both(Fields("a duration", dict.fromkeys(UNITS, Whole()), least=1), _check_units)
DURATION = ByType(
    "a duration: units, ISO 8601 text or an expression",
    text=Judged(_judge_duration, "duration", _DURATION_HINT),
    mapping=_UNITS,
)

TIMEOUT = Fields("a timeout", {"after": DURATION}, ("after",))
TIMEOUT_OR_NAME = ByType("a timeout or the name of one in `use.timeouts`", text=TEXT, mapping=TIMEOUT)

_TEXT_OR_MAP = ByType("an expression or a map", text=TEXT, mapping=MAP)

# --- authentication -------------------------------------------------------------------------------

_SECRET = {"use": Text(is_filled=True)}


class _SecretOr:
    """`use: SECRET`, or properties."""

    def __init__(self, properties: Fields) -> None:
        self.properties = properties
        self.secret = Fields(properties.what, _SECRET, ("use",))

    def check(self, value: JsonValue, path: Path, report: Report) -> None:
        """Check as a reference to a secret if there is a `use`."""
        is_secret = isinstance(value, dict) and "use" in value
        (self.secret if is_secret else self.properties).check(value, path, report)


_PASSWORD = {"username": TEXT, "password": TEXT}
_TOKEN = Fields("a token", {"token": TEXT, "type": TEXT}, ("token", "type"))
_GRANTS = (
    "authorization_code",
    "client_credentials",
    "password",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:token-exchange",
)
_CLIENT_METHODS = (
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "none",
)
_CLIENT = Fields(
    "an OAuth 2 client",
    {"id": TEXT, "secret": TEXT, "assertion": TEXT, "authentication": Text(_CLIENT_METHODS)},
)
_OIDC: dict[str, Shape] = {
    "authority": URI,
    "grant": Text(_GRANTS),
    "client": _CLIENT,
    "request": Fields(
        "the token request",
        {"encoding": Text(("application/x-www-form-urlencoded", "application/json"))},
        is_open=True,
    ),
    "issuers": ListOf(TEXT),
    "scopes": ListOf(TEXT),
    "audiences": ListOf(TEXT),
    **_PASSWORD,
    "subject": _TOKEN,
    "actor": _TOKEN,
}
_ENDPOINTS = Fields(
    "the endpoints of an authority",
    {"token": URI, "revocation": URI, "introspection": URI},
    is_open=True,
)


def _policy(scheme: str, members: dict[str, Shape], required: tuple[str, ...]) -> _SecretOr:
    return _SecretOr(Fields(f"the `{scheme}` policy", members, required))


_POLICIES: dict[str, Shape] = {
    "basic": _policy("basic", {**_PASSWORD}, ("username", "password")),
    "bearer": _policy("bearer", {"token": TEXT}, ("token",)),
    "digest": _policy("digest", {**_PASSWORD}, ("username", "password")),
    "oauth2": _policy("oauth2", {**_OIDC, "endpoints": _ENDPOINTS}, ("authority", "grant")),
    "oidc": _policy("oidc", _OIDC, ("authority", "grant")),
}
SCHEMES = tuple(_POLICIES)
AUTHENTICATION = Fields("an authentication policy", _POLICIES, one_of=SCHEMES, is_open=True)
AUTHENTICATION_OR_USE = Fields("an authentication", {**_SECRET, **_POLICIES}, one_of=("use", *SCHEMES))

# --- endpoints and resources ----------------------------------------------------------------------

ENDPOINT = ByType(
    "an address, an expression, or a map with `uri`",
    text=URI_OR_EXPRESSION,
    mapping=Fields(
        "an endpoint", {"uri": URI_OR_EXPRESSION, "authentication": AUTHENTICATION_OR_USE}, ("uri",)
    ),
)
RESOURCE = Fields("an external resource", {"name": TEXT, "endpoint": ENDPOINT}, ("endpoint",))
CATALOG = Fields("a catalog", {"endpoint": ENDPOINT}, ("endpoint",))

# --- data flow ------------------------------------------------------------------------------------

SCHEMA = Fields(
    "a schema",
    {"format": TEXT, "document": ANYTHING, "resource": RESOURCE},
    one_of=("document", "resource"),
)
INPUT = Fields("`input`", {"schema": SCHEMA, "from": _TEXT_OR_MAP})
OUTPUT = Fields("`output`", {"schema": SCHEMA, "as": _TEXT_OR_MAP})
EXPORT = Fields("`export`", {"schema": SCHEMA, "as": _TEXT_OR_MAP})

# --- errors and retries ---------------------------------------------------------------------------

ERROR = Fields(
    "an error",
    {
        "type": URI_OR_EXPRESSION,
        "status": Whole(),
        "instance": Judged(_judge_instance, "pattern"),
        "title": TEXT,
        "detail": TEXT,
    },
    ("type", "status"),
)
ERROR_FILTER = Fields(
    "an error filter",
    {"type": TEXT, "status": Whole(), "instance": TEXT, "title": TEXT, "detail": TEXT, "details": TEXT},
    is_open=True,
    least=1,
)
_GROWTH = Fields("a backoff", {"factor": Number(1), "maxDelay": DURATION}, is_open=True)
_BACKOFFS = ("constant", "exponential", "linear")
RETRY = Fields(
    "a retry policy",
    {
        "when": TEXT,
        "exceptWhen": TEXT,
        "delay": DURATION,
        "backoff": Fields("a backoff", dict.fromkeys(_BACKOFFS, _GROWTH), one_of=_BACKOFFS),
        "limit": Fields(
            "a retry limit",
            {
                "attempt": Fields("a limit of attempts", {"count": Whole(), "duration": DURATION}),
                "duration": DURATION,
            },
        ),
        "jitter": Fields("a jitter", {"from": DURATION, "to": DURATION}, ("from", "to")),
    },
)
RETRY_OR_NAME = ByType("a retry policy or the name of one in `use.retries`", text=TEXT, mapping=RETRY)

# --- events ---------------------------------------------------------------------------------------

_EVENT: dict[str, Shape] = {
    "id": TEXT,
    "source": URI_OR_EXPRESSION,
    "type": TEXT,
    "time": Judged(_judge_time, "pattern"),
    "subject": TEXT,
    "datacontenttype": TEXT,
    "dataschema": URI_OR_EXPRESSION,
    "data": ANYTHING,
}
EMITTED_EVENT = Fields("an event", _EVENT, ("type",), is_open=True)
_FILTERED_EVENT = Fields("an event filter", _EVENT, is_open=True, least=1)
_CORRELATION = Fields("a correlation", {"from": TEXT, "expect": TEXT}, ("from",), is_open=True)
FILTER = Fields("an event filter", {"with": _FILTERED_EVENT, "correlate": MapOf(_CORRELATION)}, ("with",))


def _until_only_with_any(value: JsonValue, path: Path, report: Report) -> None:
    if "until" in value and "any" not in value:
        message = "`until` belongs to `any` alone."
        report.add((*path, "until"), "unknown-key", message, "Remove it, or listen to `any`.")


def _no_until(value: JsonValue, path: Path, report: Report) -> None:
    if "until" in value:
        report.add(
            (*path, "until"), "unknown-key", "An `until` cannot have an `until`.", "Remove the inner one."
        )


STRATEGIES = ("all", "any", "one")
STRATEGY: Shape = Both(
    Fields(
        "an event strategy",
        {
            "all": ListOf(FILTER),
            "any": ListOf(FILTER),
            "one": FILTER,
            "until": ByType(
                "an expression or an event strategy",
                text=TEXT,
                mapping=Both(Later(lambda: STRATEGY), _no_until),
            ),
        },
        one_of=STRATEGIES,
    ),
    _until_only_with_any,
)
