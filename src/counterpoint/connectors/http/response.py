"""Responses: read within limits, decoded by type, in the form that the call asks for (DSL: HTTP Response)."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from counterpoint.connectors.http.request import Request, is_json, masked_headers, masked_uri
from counterpoint.core.values import JsonValue
from counterpoint.sdk.results import parse_json

if TYPE_CHECKING:
    import aiohttp

_TEXT = frozenset({"application/xml", "application/yaml", "application/x-yaml", "application/javascript"})
"""Types outside text/* that are text all the same (A36)."""


class UnusableResponse(Exception):
    """A response that arrived but cannot be used: too large, or not what it says it is."""


async def read_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, decompressed.

    Raises:
        UnusableResponse: It is larger than `limit` bytes; the connection is dropped, not drained.
    """
    length = response.content_length
    if length is not None and length <= limit and "Content-Encoding" not in response.headers:
        return await response.read()
    chunks: list[bytes] = []
    size = 0
    # Counted while it arrives: a small compressed body may stand for a huge one.
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            response.close()
            raise UnusableResponse(f"the response is larger than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def output_of(form: str, request: Request, response: aiohttp.ClientResponse, body: bytes) -> JsonValue:
    """The result of a call.

    Args:
        form: `content`, `raw` or `response`.
        request: What was sent last, after redirects.
        response: What came back.
        body: Its body.

    Raises:
        UnusableResponse: It is announced as JSON, and is not, or is more than a run can hold.
    """
    if form == "raw":
        return b64encode(body).decode() if body else None
    content = _content(response, body) if body else None
    if form == "content":
        return content
    return {
        "request": {
            "method": request.method,
            "uri": masked_uri(request),
            "headers": masked_headers(request),
        },
        "statusCode": response.status,
        "headers": _joined(response),
        "content": content,
    }


def _content(response: aiohttp.ClientResponse, body: bytes) -> JsonValue:
    media = response.content_type.lower()
    if is_json(media):
        try:
            return parse_json(body)
        except ValueError as error:
            raise UnusableResponse(f"the response says that it is JSON, but: {error}") from error
    if is_text(media):
        return decode_text(body, response.charset)
    return b64encode(body).decode()


def is_text(media: str) -> bool:
    """Whether a media type is text that is not JSON."""
    return media.startswith("text/") or media in _TEXT or media.endswith("+xml")


def decode_text(body: bytes, charset: str | None) -> str:
    """Text of a body; what its character set cannot say becomes U+FFFD."""
    try:
        return body.decode(charset or "utf-8", errors="replace")
    except (LookupError, UnicodeError):
        return body.decode(errors="replace")


def _joined(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Headers with repeated ones joined (RFC 9110: Field Order)."""
    headers = response.headers
    return {name: ", ".join(headers.getall(name)) for name in headers}
