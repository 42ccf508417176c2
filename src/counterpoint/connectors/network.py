"""What a failure of the network says about the request: never sent, or sent and without an answer."""

from __future__ import annotations

import aiohttp

_UNSENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
_NETWORK = (OSError, aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)


def is_network_failure(error: BaseException) -> bool:
    """Whether an exception means that the target could not be talked to; another attempt may succeed."""
    return isinstance(error, _NETWORK)


def was_surely_unsent(error: BaseException) -> bool:
    """Whether the request of an HTTP client cannot have reached its target: no connection came to be."""
    return isinstance(error, _UNSENT)
