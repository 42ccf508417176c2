"""One exchange over HTTP: request, redirects, response, and what became of it; loaded with the first call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver
from yarl import URL

from counterpoint.connectors.http.guard import EgressGuard
from counterpoint.connectors.http.methods import READS
from counterpoint.connectors.http.outcome import failure_of
from counterpoint.connectors.http.request import Request, prepare, redirected, rewritten
from counterpoint.connectors.http.resolver import GuardedResolver
from counterpoint.connectors.http.response import UnusableResponse, output_of, read_body
from counterpoint.connectors.http.settings import HttpSettings
from counterpoint.errors import Fault, FaultRaised, standard_fault
from counterpoint.ports.connectors import Attempt, AttemptResult, Verdict
from counterpoint.ports.logs import Log

MAX_ERROR_BODY = 64 * 1024
"""Bytes of an error's body that are looked at."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_UNSENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)

_LOG = Log("counterpoint.connectors.http")


class Exchange:
    """Makes the attempts of `HttpTarget`.

    Args:
        settings: Limits and permissions.
        guard: Judges where a request may go.
        rewrite: Maps the address of each request to the one that is called.
        resolver: Resolves names; the system's when None.
    """

    def __init__(
        self,
        settings: HttpSettings,
        guard: EgressGuard,
        rewrite: Callable[[URL], URL] | None,
        resolver: AbstractResolver | None,
    ) -> None:
        self._settings = settings
        self._rewrite = rewrite
        self._guard = guard
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def perform(self, attempt: Attempt) -> AttemptResult:
        """See `ports.connectors.Connectors`."""
        pointer = attempt.invocation.pointer
        try:
            request = prepare(attempt, self._settings.user_agent)
            self._guard.check_url(request.url)
            return await self._exchange(attempt, request)
        except FaultRaised as error:
            return AttemptResult(Verdict.PERMANENT, fault=_placed(error.fault, pointer))
        except Exception as error:  # noqa: BLE001 - the boundary of a call: a bug must end as a fault of this run
            _LOG.error("http call failed with a bug", run=attempt.run_id, step=attempt.step, exc_info=error)
            detail = f"http: {type(error).__name__}: {error}"
            return AttemptResult(Verdict.PERMANENT, fault=standard_fault("runtime", detail, pointer))

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _exchange(self, attempt: Attempt, request: Request) -> AttemptResult:
        arguments = attempt.invocation.arguments
        if not arguments.get("redirect"):
            return await self._single(attempt, request)
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await self._follow(attempt, request)
        except TimeoutError as error:
            return self._lost(attempt, request, error, may_have_acted=request.method not in READS)

    async def _single(self, attempt: Attempt, request: Request) -> AttemptResult:
        try:
            response = await self._send(request)
        except (aiohttp.ClientError, OSError) as error:
            may_have_acted = request.method not in READS and not was_surely_unsent(error)
            return self._lost(attempt, request, error, may_have_acted=may_have_acted)
        return await self._finish(attempt, request, response, 300)

    async def _follow(self, attempt: Attempt, request: Request) -> AttemptResult:
        is_effect = request.method not in READS
        for hop in range(self._settings.max_redirects + 1):
            try:
                response = await self._send(request)
            except (aiohttp.ClientError, OSError) as error:
                # An effect may lie behind an earlier hop, whether this one was sent or not.
                may_have_acted = is_effect and (hop > 0 or not was_surely_unsent(error))
                return self._lost(attempt, request, error, may_have_acted=may_have_acted)
            location = response.headers.get("Location") if response.status in _REDIRECTS else None
            if location is None:
                return await self._finish(attempt, request, response, 400)
            response.close()
            request = redirected(request, response.status, location)
            self._guard.check_url(request.url)
        detail = f"{request.place}: more than {self._settings.max_redirects} redirects"
        fault = standard_fault("communication", detail, attempt.invocation.pointer, response.status)
        return AttemptResult(Verdict.PERMANENT, fault=fault)

    async def _send(self, request: Request) -> aiohttp.ClientResponse:
        if self._rewrite is not None:
            request = rewritten(request, self._rewrite(request.url))
            self._guard.check_url(request.url)
        session = self._session or self._open()
        return await session.request(
            request.method,
            request.url,
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
        )

    async def _finish(
        self, attempt: Attempt, request: Request, response: aiohttp.ClientResponse, error_from: int
    ) -> AttemptResult:
        """Read the response and judge it; statuses from 200 up to `error_from` are accepted."""
        is_accepted = 200 <= response.status < error_from
        limit = self._settings.max_response_bytes if is_accepted else MAX_ERROR_BODY
        pointer = attempt.invocation.pointer
        body = b""
        try:
            body = await read_body(response, limit)
            if is_accepted:
                form = attempt.invocation.arguments.get("output") or "content"
                return AttemptResult(Verdict.DONE, output_of(form, request, response, body))
        except UnusableResponse as error:
            if is_accepted:
                # Not uncertain: the target has accepted the request, so repeating it would do it twice.
                detail = f"{request.place} answered {response.status}, but {error}"
                return AttemptResult(
                    Verdict.PERMANENT, fault=standard_fault("communication", detail, pointer)
                )
        except (aiohttp.ClientError, OSError) as error:
            if is_accepted:
                return self._lost(attempt, request, error, may_have_acted=request.method not in READS)
        except BaseException:
            response.close()
            raise
        return failure_of(request, response, body, pointer)

    def _lost(
        self, attempt: Attempt, request: Request, error: Exception, *, may_have_acted: bool
    ) -> AttemptResult:
        """Result of an attempt that got no usable answer."""
        detail = f"{request.place}: {self._reason(error)}"
        if isinstance(error, aiohttp.InvalidURL):
            fault = standard_fault("validation", detail, attempt.invocation.pointer)
            return AttemptResult(Verdict.PERMANENT, fault=fault)
        fault = standard_fault("communication", detail, attempt.invocation.pointer)
        return AttemptResult(Verdict.RETRYABLE, fault=fault, is_uncertain=may_have_acted)

    def _reason(self, error: Exception) -> str:
        """Why there was no answer; in our words, because the library's may quote the query of the address."""
        match error:
            case aiohttp.ConnectionTimeoutError():
                return f"no connection within {self._settings.connect_timeout_s:g} s"
            case TimeoutError():
                return f"no answer within {self._settings.timeout_s:g} s"
            case aiohttp.ClientConnectorDNSError():
                return "the host's name could not be resolved"
            case aiohttp.ClientConnectorCertificateError():
                return "the host's certificate could not be verified"
            case aiohttp.ClientConnectorError():
                return f"no connection ({error.os_error.strerror or type(error.os_error).__name__})"
            case aiohttp.InvalidURL():
                return "this is no address that can be called"
            case _:
                return f"the connection broke before the answer was complete ({type(error).__name__})"

    def _open(self) -> aiohttp.ClientSession:
        """The session; made on first use, because it belongs to the running loop."""
        settings = self._settings
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(self._guard, self._resolver),
            limit=settings.max_connections,
            keepalive_timeout=settings.keepalive_s,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=settings.timeout_s, connect=settings.connect_timeout_s),
            trust_env=False,
        )
        # The library repeats a request of an idempotent method by itself after a lost connection; attempts
        # are the engine's, which counts them and writes them down. There is no public switch.
        session._retry_connection = False
        self._session = session
        return session


def _placed(fault: Fault, pointer: str) -> Fault:
    return msgspec.structs.replace(fault, instance=fault.instance or pointer)


def was_surely_unsent(error: BaseException) -> bool:
    """Whether a request cannot have reached its target: no connection came to be."""
    return isinstance(error, _UNSENT)
