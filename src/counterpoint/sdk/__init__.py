"""What authors of connectors import: connectors, actions, and the errors that classify a failure."""

from __future__ import annotations

from counterpoint.errors import AuthenticationError, PermanentError, RetryableError, ThrottledError
from counterpoint.sdk.binding import Parameter
from counterpoint.sdk.connector import RESERVED_NAMES, Action, Connector, IdempotencyWord
from counterpoint.sdk.context import ActionContext
from counterpoint.sdk.retry import Retry

__all__ = [
    "RESERVED_NAMES",
    "Action",
    "ActionContext",
    "AuthenticationError",
    "Connector",
    "IdempotencyWord",
    "Parameter",
    "PermanentError",
    "Retry",
    "RetryableError",
    "ThrottledError",
]
