"""What a status means for the next attempt, and the fault that it becomes (DSL: HTTP Call)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from counterpoint.connectors.http.request import Request, is_json, without_credentials
from counterpoint.connectors.http.response import decode_text, is_text
from counterpoint.errors import standard_fault
from counterpoint.ports.connectors import AttemptResult, Verdict
from counterpoint.sdk.results import parse_json

if TYPE_CHECKING:
    import aiohttp

MAX_EXCERPT = 200
"""Longest part of an error's body that a fault shows, in characters."""

MAX_RETRY_AFTER_S = 86_400.0
"""Longest wait that a target can ask for: a typing error there must not put a run to sleep for years."""

_RETRYABLE = frozenset({408, 425, 429})
_THROTTLED = frozenset({409, 429, 503})
"""With `Retry-After` they ask to come back later; 409 means that our key is still being worked on there."""

_UNAUTHENTICATED = frozenset({401, 407})


def failure_of(
    request: Request, response: aiohttp.ClientResponse, body: bytes, pointer: str
) -> AttemptResult:
    """Result of an attempt that was answered with a status outside the accepted ones."""
    status = response.status
    wait = retry_after_s(response) if status >= 400 else None
    fault = standard_fault("communication", _detail(request, response, body), pointer, status)
    return AttemptResult(_verdict(status, wait), fault=fault, retry_after_s=wait)


def _verdict(status: int, wait: float | None) -> Verdict:
    if status in _THROTTLED and wait is not None:
        return Verdict.THROTTLED
    if status in _RETRYABLE or status >= 500:
        return Verdict.RETRYABLE
    return Verdict.AUTHENTICATION if status in _UNAUTHENTICATED else Verdict.PERMANENT


def retry_after_s(response: aiohttp.ClientResponse) -> float | None:
    """Seconds that `Retry-After` asks to wait; a date counts from the response's own `Date`.

    The two clocks of one server agree with each other, which ours and the server's may not.
    """
    wanted = response.headers.get("Retry-After", "").strip()
    if wanted.isascii() and wanted.isdigit():
        return min(float(wanted), MAX_RETRY_AFTER_S)
    try:
        until = parsedate_to_datetime(wanted)
        wait = (until - parsedate_to_datetime(response.headers.get("Date", ""))).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(wait, 0.0), MAX_RETRY_AFTER_S)


def _detail(request: Request, response: aiohttp.ClientResponse, body: bytes) -> str:
    status = response.status
    known = status in HTTPStatus.__members__.values()
    phrase = f" {HTTPStatus(status).phrase}" if known else ""
    said = without_credentials(_excerpt(response, body), request)
    return f"{request.place} answered {status}{phrase}" + (f": {said}" if said else "")


def _excerpt(response: aiohttp.ClientResponse, body: bytes) -> str:
    """What an error's body says, in one short line; problem details say it in `detail` and `title`."""
    media = response.content_type.lower()
    text = ""
    if is_json(media):
        text = _problem_text(body) or decode_text(body, "utf-8")
    elif is_text(media):
        text = decode_text(body, response.charset)
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MAX_EXCERPT]).split())
    return line if len(line) <= MAX_EXCERPT else line[: MAX_EXCERPT - 1] + "…"


def _problem_text(body: bytes) -> str:
    try:
        problem = parse_json(body)
    except ValueError:
        return ""
    if not isinstance(problem, dict):
        return ""
    parts = [problem.get(name) for name in ("title", "detail")]
    return ": ".join(part for part in parts if isinstance(part, str) and part)
