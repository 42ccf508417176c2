"""Every exception that leaves the package; the type tells the catcher what to do next.

Each class has a stable `code`; `LEAVES` maps each leaf to exit code, HTTP status, log level and whether
trying again can help. A test fails for a leaf without a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

ERROR_BASE = "https://open-workflow-specification.org/spec/1.0.0/errors/"
"""Address below which the standard error types of the DSL lie; this form is the one that we emit."""


class CounterpointError(Exception):
    """Root of all errors of the package."""

    code: ClassVar[str] = "error"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong in a document.

    Attributes:
        pointer: RFC 6901 pointer into the document; empty for the whole.
        message: What is wrong, and what was expected.
        line: Line of the place, from 1; 0 when unknown.
        column: Column of the place, from 1; 0 when unknown.
        hint: What to do, or the nearest known name.
        code: Stable name of the rule, such as `unknown-key`.
        is_warning: Whether the document can be used all the same.
    """

    pointer: str
    message: str
    line: int = 0
    column: int = 0
    hint: str = ""
    code: str = "invalid"
    is_warning: bool = False


class DefinitionError(CounterpointError):
    """The author must fix the document; carries all problems at once."""

    code = "definition"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(f"{first.pointer or '/'}: {first.message}{more}")


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """Problem details of a workflow fault (DSL: Error; RFC 9457).

    Attributes:
        type: URI of the error type.
        status: Status code.
        title: Short summary of the type.
        detail: What happened this time.
        instance: RFC 6901 pointer into the workflow document.
    """

    type: str
    status: int
    title: str = ""
    detail: str = ""
    instance: str = ""

    def as_json(self) -> dict[str, Any]:
        """The fault as the expression language sees it: without empty members."""
        return {k: v for k, v in msgspec.structs.asdict(self).items() if v != ""}


class FaultRaised(CounterpointError):
    """A workflow fault on its way up; a `try` may catch it.

    Attributes:
        fault: The problem details.
        step: Canonical key of the step whose attempts are spent; None when the document itself raised it.
        on_fault: What the innermost task that says so wants done if nothing catches the fault: `fault` or
            `pause`.
    """

    code = "fault"

    def __init__(self, fault: Fault, step: str | None = None) -> None:
        self.fault = fault
        self.step = step
        self.on_fault = ""
        super().__init__(fault.detail or fault.title or fault.type)


def standard_fault(name: str, detail: str, instance: str = "", status: int = 0, title: str = "") -> Fault:
    """Fault of one of the eight standard types of the DSL, such as `validation` or `communication`."""
    default_title, default_status = STANDARD_FAULTS[name]
    if not detail.isascii():
        detail = storable(detail)
    return Fault(ERROR_BASE + name, status or default_status, title or default_title, detail, instance)


def storable(text: str) -> str:
    """The text without lone surrogates, which no UTF-8 can hold: a message from outside may bring some."""
    return text.encode("utf-8", "replace").decode()


STANDARD_FAULTS: dict[str, tuple[str, int]] = {
    "configuration": ("Configuration Error", 400),
    "validation": ("Validation Error", 400),
    "expression": ("Expression Error", 400),
    "authentication": ("Authentication Error", 401),
    "authorization": ("Authorization Error", 403),
    "timeout": ("Timeout Error", 408),
    "communication": ("Communication Error", 500),
    "runtime": ("Runtime Error", 500),
}
"""Title and default status of the standard error types (DSL: Standard Error Types)."""


class ConnectorError(CounterpointError):
    """What an action raises to classify its failure; the subclass says what the engine does next.

    Args:
        message: What failed, without secrets.
        status: Status for the fault, should it become one.
        uncertain: Whether the effect may have happened all the same (a lost reply).
    """

    code = "connector"

    def __init__(self, message: str, *, status: int = 500, uncertain: bool = False) -> None:
        self.status = status
        self.uncertain = uncertain
        super().__init__(message)


class RetryableError(ConnectorError):
    """Another attempt may succeed, at once or after `retry_after_s` seconds."""

    code = "retryable"

    def __init__(
        self, message: str, *, status: int = 500, uncertain: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, status=status, uncertain=uncertain)
        self.retry_after_s = retry_after_s


class ThrottledError(RetryableError):
    """The target asks for fewer calls; wait for `retry_after_s` seconds."""

    code = "throttled"


class AuthenticationError(ConnectorError):
    """The target refused the credential; its owner must reconnect before another attempt."""

    code = "authentication"


class PermanentError(ConnectorError):
    """Another attempt with the same arguments cannot succeed."""

    code = "permanent"


class RequestError(CounterpointError):
    """The caller asked for something that cannot be done; asking again unchanged gives the same answer.

    Args:
        message: What failed and on what.
        hint: What to do about it.
    """

    code = "request"

    def __init__(self, message: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(message)


class InvalidRequest(RequestError):
    """The request is not well-formed; carries all problems at once, each with a pointer into the request."""

    code = "invalidRequest"

    def __init__(self, message: str, hint: str = "", problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message, hint)


class NotFound(RequestError):
    """No such thing."""

    code = "notFound"


class Conflict(RequestError):
    """The thing is in a state, or has a content, that forbids the request."""

    code = "conflict"


class NotAuthenticated(RequestError):
    """The actor could not be established."""

    code = "notAuthenticated"


class NotAuthorized(RequestError):
    """The actor may not do this."""

    code = "notAuthorized"


class LimitExceeded(RequestError):
    """A named limit would be passed."""

    code = "limitExceeded"


class Unsupported(RequestError):
    """Known, but not done by this version or adapter."""

    code = "unsupported"


class EngineError(CounterpointError):
    """The engine cannot go on with a run, or at all."""

    code = "engine"


class NonDeterminismError(EngineError):
    """Replay asked for something else than the history holds; nothing was called."""

    code = "nonDeterminism"


class HistoryCorruptError(EngineError):
    """A stored record does not match its digest or cannot be decoded; it is quarantined, never skipped."""

    code = "historyCorrupt"


class LockLostError(EngineError):
    """Another process owns the data directory."""

    code = "lockLost"


class StorageError(EngineError):
    """The disk or the database refused; `is_fatal` says that the process must stop (a failed fsync)."""

    code = "storage"

    def __init__(self, message: str, *, is_fatal: bool = False, is_full: bool = False) -> None:
        self.is_fatal = is_fatal
        self.is_full = is_full
        super().__init__(message)


class Suspended(BaseException):
    """Private signal: the run is put aside. Not an Exception, so that no connector can eat it."""


class Cancelled(BaseException):
    """Private signal: the run or branch was cancelled. Not an Exception, so that no connector can eat it."""


class Treatment(msgspec.Struct, frozen=True):
    """How an error leaves the process: HTTP status, exit code, log level, whether a retry can help."""

    http_status: int
    exit_code: int
    log_level: str
    is_retryable: bool


LEAVES: dict[type[CounterpointError], Treatment] = {
    DefinitionError: Treatment(422, 2, "info", False),
    FaultRaised: Treatment(422, 1, "info", False),
    RetryableError: Treatment(502, 1, "warning", True),
    ThrottledError: Treatment(429, 1, "warning", True),
    AuthenticationError: Treatment(502, 1, "warning", False),
    PermanentError: Treatment(502, 1, "warning", False),
    InvalidRequest: Treatment(400, 2, "info", False),
    NotFound: Treatment(404, 11, "info", False),
    Conflict: Treatment(409, 5, "info", False),
    NotAuthenticated: Treatment(401, 6, "warning", False),
    NotAuthorized: Treatment(403, 6, "warning", False),
    LimitExceeded: Treatment(429, 7, "info", True),
    Unsupported: Treatment(501, 8, "info", False),
    NonDeterminismError: Treatment(500, 9, "error", False),
    HistoryCorruptError: Treatment(500, 9, "error", False),
    LockLostError: Treatment(503, 10, "error", True),
    StorageError: Treatment(507, 10, "error", True),
}
"""One row per leaf."""


def treatment_of(error: CounterpointError) -> Treatment:
    """Row of an error's class, or of its nearest parent that has one; a bug is 500 and exit code 70."""
    for kind in type(error).__mro__:
        row = LEAVES.get(kind)
        if row is not None:
            return row
    return Treatment(500, 70, "error", False)
