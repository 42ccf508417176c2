"""Limits and permissions of outgoing HTTP; the operator's, never the document's."""

from __future__ import annotations

import msgspec

MEBIBYTE = 1024 * 1024


class HttpSettings(msgspec.Struct, frozen=True):
    """How calls go out.

    Attributes:
        timeout_s: Longest time of one attempt, redirects included, in seconds.
        connect_timeout_s: Longest time to get a connection, in seconds.
        max_response_bytes: Largest response body, after decompression.
        max_connections: Connections open at once; further calls wait for one.
        keepalive_s: How long an idle connection is kept, in seconds.
        max_redirects: Redirects followed when a call asks for that.
        allow_private_hosts: Hosts that may lie on a private, local or otherwise special address: `host`,
            `host:port`, an address, or a network in CIDR form.
        user_agent: Value of `User-Agent`, unless the document sets one.
    """

    timeout_s: float = 30.0
    connect_timeout_s: float = 10.0
    max_response_bytes: int = 2 * MEBIBYTE
    max_connections: int = 1000
    keepalive_s: float = 15.0
    max_redirects: int = 5
    allow_private_hosts: tuple[str, ...] = ()
    user_agent: str = "counterpoint"


DEFAULTS = HttpSettings()
