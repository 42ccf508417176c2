"""Requests: from the evaluated arguments of a call to what goes on the wire."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from multidict import CIMultiDict, istr
from yarl import URL

from counterpoint.connectors.http.methods import READS
from counterpoint.core.values import JsonValue, encode_json
from counterpoint.errors import FaultRaised, standard_fault
from counterpoint.ports.connectors import Attempt

AUTHORIZATION = istr("Authorization")
_CONTENT_TYPE = istr("Content-Type")
_CORRELATION_ID = istr("X-Correlation-Id")
_HOST = istr("Host")
_TRACEPARENT = istr("traceparent")
_USER_AGENT = istr("User-Agent")

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_UNSAFE_IN_URI = re.compile(r"[\x00-\x1f\x7f\\]")
_ENCODED_PATH = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*")
"""A path that holds nothing but what RFC 3986 allows there."""

_DOT_SEGMENT = re.compile(r"/(\.|%2e){1,2}(?=/|\Z)", re.IGNORECASE)

_FRAMING = frozenset(
    {"connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that belong to the connection: set from a document they would let one request smuggle another."""

_SECRET = re.compile(
    r"authorization|cookie|token|secret|passw|api[-_]?key|signature|credential", re.IGNORECASE
)

MASK = "***"


class Request(msgspec.Struct, frozen=True):
    """A request that is ready to send.

    Attributes:
        method: Method in upper case.
        url: Address without fragment.
        headers: All headers of the document and of ours.
        body: Bytes to send, or None.
        key_header: Header that carries the idempotency key; empty for reads.
    """

    method: str
    url: URL
    headers: CIMultiDict[str]
    body: bytes | None = None
    key_header: str = ""

    @property
    def place(self) -> str:
        """Method, host and path, without the query, which may hold secrets."""
        return f"{self.method} {self.url.with_query(None)}"


def prepare(attempt: Attempt, user_agent: str) -> Request:
    """The request of an attempt.

    Raises:
        FaultRaised: validation/400 for arguments that cannot be sent, configuration/400 for authentication.
    """
    arguments = attempt.invocation.arguments
    try:
        method = _method(arguments["method"])
        url = _url(arguments["endpoint"], arguments.get("query"))
        headers, key_header = _headers(attempt, method, user_agent)
        if (authentication := arguments.get("authentication")) is not None:
            headers[AUTHORIZATION] = _checked(AUTHORIZATION, _credential(authentication))
        if (document_headers := arguments.get("headers")) is not None:
            _apply(headers, document_headers)
        body = arguments.get("body")
        encoded = None if body is None else _body(body, headers)
        return Request(method, url, headers, encoded, key_header)
    except (ValueError, LookupError) as error:
        raise FaultRaised(standard_fault("validation", f"the call cannot be sent: {error}")) from error


def redirected(request: Request, status: int, location: str) -> Request:
    """The request that follows a redirect; another origin gets neither credentials nor our key.

    Raises:
        FaultRaised: The place to go to is no address.
    """
    try:
        url = request.url.join(_parsed(location))
    except ValueError as error:
        detail = f"{request.place} answered {status} with a Location that is no address: {error}"
        raise FaultRaised(standard_fault("communication", detail, status=status)) from error
    method, body = request.method, request.body
    headers = request.headers.copy()
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", None
        headers.popall(_CONTENT_TYPE, None)
    if _origin(url) != _origin(request.url):
        own = request.key_header.lower()
        for name in [n for n in headers if is_secret_name(n) or n.lower() in (own, "host")]:
            headers.popall(name, None)
    return Request(method, url, headers, body, request.key_header)


def _origin(url: URL) -> tuple[str, str | None, int | None]:
    return url.scheme, url.raw_host, url.port


def rewritten(request: Request, url: URL) -> Request:
    """The same request sent to another address; the target still sees the name that it was called by."""
    headers = request.headers.copy()
    headers.setdefault(_HOST, request.url.host_port_subcomponent or "")
    return msgspec.structs.replace(request, url=url, headers=headers)


def masked_headers(request: Request) -> dict[str, str]:
    """Headers of a request for people and runs: without credentials."""
    return {name: MASK if is_secret_name(name) else value for name, value in request.headers.items()}


def masked_uri(request: Request) -> str:
    """Address of a request with the values of secret-looking query parameters masked."""
    url = request.url
    if not any(is_secret_name(name) for name in url.query):
        return str(url)
    return str(url.with_query([(n, MASK if is_secret_name(n) else v) for n, v in url.query.items()]))


def without_credentials(text: str, request: Request) -> str:
    """A text of the target with every credential that the request carried masked, should it echo one."""
    for name, value in request.headers.items():
        if is_secret_name(name) and value:
            for part in (value, value.partition(" ")[2]):
                text = text.replace(part, MASK) if part else text
    return text


def is_secret_name(name: str) -> bool:
    """Whether a header or parameter holds a credential, by its name."""
    return _SECRET.search(name) is not None


def _method(method: str) -> str:
    if not _TOKEN.match(method) or method == "CONNECT":
        raise ValueError(f"{method!r} is not a method that can be called")
    return method.upper()


def _url(endpoint: JsonValue, query: JsonValue) -> URL:
    if not isinstance(endpoint, str):
        raise ValueError(f"the endpoint is {_kind(endpoint)}, it must be a text")
    if _DOT_SEGMENT.search(endpoint.partition("?")[0].partition("#")[0]):
        # A value such as `..` in a template would otherwise leave the path that the author wrote.
        raise ValueError("the endpoint's path has a `.` or `..` segment")
    url = _parsed(endpoint)
    return url.extend_query(list(_pairs(query, "query parameter"))) if query else url


def _parsed(address: str) -> URL:
    if _UNSAFE_IN_URI.search(address):
        raise ValueError("the address holds a control character or a backslash")
    url = URL(address)
    path = urlsplit(address).path
    if "%" in path and _ENCODED_PATH.fullmatch(path):
        # The library turns `%26` and the like back into what they stand for; the author meant them.
        url = url.with_path(path, encoded=True, keep_query=True)
    return url.with_fragment(None) if url.raw_fragment else url


def _headers(attempt: Attempt, method: str, user_agent: str) -> tuple[CIMultiDict[str], str]:
    headers: CIMultiDict[str] = CIMultiDict(
        (
            (_USER_AGENT, user_agent),
            (_TRACEPARENT, _checked(_TRACEPARENT, attempt.traceparent)),
            (_CORRELATION_ID, _checked(_CORRELATION_ID, attempt.correlation_id)),
        )
    )
    if method in READS:
        return headers, ""
    headers[_checked_name(attempt.key_header)] = _checked(attempt.key_header, attempt.key)
    return headers, attempt.key_header


def _apply(headers: CIMultiDict[str], wanted: JsonValue) -> None:
    """Set the document's headers, which win over ours; null takes one away."""
    if not isinstance(wanted, Mapping):
        raise ValueError(f"headers are {_kind(wanted)}, they must be an object")
    for name, value in wanted.items():
        _checked_name(name)
        if value is None:
            headers.popall(name, None)
        else:
            headers[name] = _checked(name, _scalar(value, "header", name))


def _checked_name(name: str) -> str:
    if not _TOKEN.match(name):
        raise ValueError(f"{name!r} is not a header name")
    if name.lower() in _FRAMING:
        raise ValueError(f"header {name} belongs to the connection and cannot be set")
    return name


def _checked(name: str, value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError(f"the value of header {name} holds a control character")
    if not value.isascii():
        value.encode()  # A lone surrogate would only fail in the middle of sending.
    return value


def _credential(authentication: Mapping[str, Any]) -> str:
    scheme, properties = authentication.get("scheme"), authentication.get("properties") or {}
    if scheme == "basic":
        user, password = (_property(properties, scheme, name) for name in ("username", "password"))
        if ":" in user:
            raise _misconfigured("basic authentication: a user name cannot hold a colon (RFC 7617)")
        return "Basic " + b64encode(f"{user}:{password}".encode()).decode()
    if scheme == "bearer":
        return f"Bearer {_property(properties, scheme, 'token')}"
    raise _misconfigured(f"authentication {scheme!r} is not done by this version; use basic or bearer")


def _property(properties: Mapping[str, Any], scheme: str, name: str) -> str:
    value = properties.get(name)
    if not isinstance(value, str):
        raise _misconfigured(f"{scheme} authentication: {name} is {_kind(value)}, it must be a text")
    return value


def _misconfigured(detail: str) -> FaultRaised:
    return FaultRaised(standard_fault("configuration", detail))


def _body(body: JsonValue, headers: CIMultiDict[str]) -> bytes:
    content_type = headers.get(_CONTENT_TYPE)
    if content_type is None:
        is_text = isinstance(body, str)
        headers[_CONTENT_TYPE] = "text/plain; charset=utf-8" if is_text else _JSON
        return body.encode() if is_text else encode_json(body)
    media, _, parameters = content_type.partition(";")
    media = media.strip().lower()
    if is_json(media):
        return encode_json(body)
    if isinstance(body, str):
        return body.encode(_charset(parameters))
    if media == _FORM and isinstance(body, Mapping):
        return urlencode(list(_pairs(body, "form field"))).encode()
    if media.startswith("text/"):
        return encode_json(body)
    raise ValueError(f"the body is {_kind(body)}, which {media} cannot carry; give a text")


def is_json(media: str) -> bool:
    """Whether a media type is JSON or built on it."""
    return media == _JSON or media.endswith("+json") or media == "text/json"


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"')
    return "utf-8"


def _pairs(values: JsonValue, what: str) -> Iterator[tuple[str, str]]:
    """Names and texts of an object; a list repeats its name (A16), null is left out."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{what}s are {_kind(values)}, they must be an object")
    for name, value in values.items():
        for item in value if isinstance(value, list) else (value,):
            if item is not None:
                yield name, _scalar(item, what, name)


def _scalar(value: JsonValue, what: str, name: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return encode_json(value).decode()
    raise ValueError(f"{what} {name!r} is {_kind(value)}, it must be a text, number or boolean")


def _kind(value: JsonValue) -> str:
    if value is None:
        return "null"
    kinds = {dict: "an object", list: "an array", str: "a text", bool: "a boolean"}
    return kinds.get(type(value), "a number")
