"""External resources of documents: read once, at a deploy, through the same guard as every call."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from pathlib import Path
from urllib.parse import unquote, urlsplit

from counterpoint.core.context import Invocation
from counterpoint.core.values import Scope
from counterpoint.errors import LimitExceeded, NotAuthorized, NotFound, PermanentError, RetryableError
from counterpoint.ports.connectors import Attempt, AttemptResult, Connectors, Verdict
from counterpoint.ports.fetch import MAX_RESOURCE_BYTES

HTTP_SCHEMES = frozenset({"http", "https"})


class ResourceFetcher:
    """Reads resources over HTTP, and files in the folder of the document (`ports.fetch.Fetcher`).

    Args:
        connectors: What reaches the outside; its egress guard holds for resources too.
    """

    def __init__(self, connectors: Connectors) -> None:
        self._connectors = connectors

    async def fetch(self, address: str, folder: str) -> bytes:
        """Content at an address."""
        scheme = urlsplit(address).scheme
        if scheme in HTTP_SCHEMES:
            content = await self._fetch_http(address)
        elif scheme in ("", "file"):
            content = await asyncio.to_thread(read_file, address, folder)
        else:
            raise NotAuthorized(f"resources are not fetched by {scheme}", "Take http, https or a file.")
        if len(content) > MAX_RESOURCE_BYTES:
            raise LimitExceeded(f"the resource is larger than {MAX_RESOURCE_BYTES:,} bytes")
        return content

    async def _fetch_http(self, address: str) -> bytes:
        # A deploy has no run, so there is no trace to join.
        headers = {"traceparent": None, "X-Correlation-Id": None}
        arguments = {"method": "GET", "endpoint": address, "output": "raw", "headers": headers}
        invocation = Invocation("http", arguments, "", "resource")
        attempt = Attempt(Scope(""), "", "", "", 1, invocation, "", "Idempotency-Key", "", "")
        result = await self._connectors.perform(attempt)
        if result.verdict is not Verdict.DONE:
            raise _failure(result)
        return b64decode(result.value or "")


def read_file(address: str, folder: str) -> bytes:
    """Content of a file below a folder; links are followed before it is judged where the file lies.

    Raises:
        NotFound: No such file.
        NotAuthorized: There is no folder, or the file lies outside it.
        LimitExceeded: It is larger than `MAX_RESOURCE_BYTES`.
    """
    if not folder:
        raise NotAuthorized(
            "the document comes without a folder", "Deploy it as a file, or put the schema inline."
        )
    root = Path(folder).resolve()
    path = (root / unquote(urlsplit(address).path)).resolve()
    if not path.is_relative_to(root):
        raise NotAuthorized(
            "the file lies outside the folder of the document", "Move it beside the document."
        )
    try:
        # A device or a pipe would never end.
        if not path.is_file():
            raise NotFound("no such file")
        with path.open("rb") as stream:
            content = stream.read(MAX_RESOURCE_BYTES + 1)
    except OSError as error:
        raise NotFound(f"the file cannot be read: {error.strerror}") from error
    if len(content) > MAX_RESOURCE_BYTES:
        raise LimitExceeded(f"the file is larger than {MAX_RESOURCE_BYTES:,} bytes")
    return content


def _failure(result: AttemptResult) -> RetryableError | PermanentError | NotAuthorized:
    fault = result.fault
    detail = (fault.detail or fault.title) if fault is not None else "no answer"
    if fault is not None and fault.type.endswith("/authorization"):
        return NotAuthorized(detail)
    if result.verdict in (Verdict.RETRYABLE, Verdict.THROTTLED):
        return RetryableError(detail)
    return PermanentError(detail)
