"""Counterpoint: durable orchestration and event choreography in one product."""

from __future__ import annotations

# Written out instead of imported: `typing` would take as long as all the rest of `counterpoint --version`.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from counterpoint.sdk import (
        ActionContext,
        AuthenticationError,
        Connector,
        PermanentError,
        Retry,
        RetryableError,
        ThrottledError,
    )

__version__ = "0.1.0"

__all__ = [
    "ActionContext",
    "AuthenticationError",
    "Connector",
    "PermanentError",
    "Retry",
    "RetryableError",
    "ThrottledError",
    "__version__",
]


def __getattr__(name: str) -> object:
    """Load the author's names on first use, so that a command that needs none of them starts at once."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from counterpoint import sdk

    return getattr(sdk, name)
