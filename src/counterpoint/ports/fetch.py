"""Port of fetching the external resources of a document, once, when it is deployed."""

from __future__ import annotations

from typing import Protocol

MAX_RESOURCE_BYTES = 1024 * 1024
"""Largest external resource, in bytes."""


class Fetcher(Protocol):
    """Reads a resource that a document names; called by a deploy, never by a run."""

    async def fetch(self, address: str, folder: str) -> bytes:
        """Content at an address: `http(s)`, or a file in the folder of the document.

        Args:
            address: As the document names it; a relative one counts from the folder.
            folder: Absolute path of the document's folder; empty when there is none, and then no file is
                read.

        Raises:
            NotFound: Nothing is there.
            NotAuthorized: The address lies where this fetcher may not read.
            LimitExceeded: The content is larger than `MAX_RESOURCE_BYTES`.
            RetryableError: The target cannot be reached now.
        """
        ...
