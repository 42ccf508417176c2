"""What a failure of the network says: the target could not be talked to."""

from __future__ import annotations

import sys


def is_network_failure(error: BaseException) -> bool:
    """Whether an exception means that the target could not be talked to; another attempt may succeed."""
    if isinstance(error, OSError):
        return True
    # Its errors come from nobody who has not loaded it.
    aiohttp = sys.modules.get("aiohttp")
    return aiohttp is not None and isinstance(
        error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError
    )
