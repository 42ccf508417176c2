"""Egress guard: no call reaches an address inside, unless the operator allows it.

A name is resolved once and every address of the answer is judged; the connection goes to what was judged, so
an answer that changes between check and use changes nothing. Literal addresses never reach a resolver, so the
host of the address is judged too, before each request and each redirect. Spellings of an address that only
some parsers understand (decimal, octal, hexadecimal, short forms) are refused.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, TypeAlias

from counterpoint.errors import DefinitionError, FaultRaised, Problem, standard_fault

if TYPE_CHECKING:
    from yarl import URL

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

SETTING = "http.allow_private_hosts"
"""Name of the operator's setting, for messages."""

_SCHEMES = frozenset({"http", "https"})
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?\Z", re.IGNORECASE)
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z", re.IGNORECASE)

_SPECIAL: tuple[Network, ...] = (
    IPv4Network("168.63.129.16/32"),  # a cloud's own services to its machines
    IPv4Network("192.0.0.0/24"),  # protocol assignments, among them another cloud's metadata
    IPv4Network("192.88.99.0/24"),
    IPv6Network("3fff::/20"),
)
"""Networks that the standard library's tables of this Python version take for public."""

_NAT64 = IPv6Network("64:ff9b::/96")
_V4_COMPATIBLE = IPv6Network("::/96")


class EgressGuard:
    """Judges where a request may go.

    Args:
        allowed: Entries of the setting `allow_private_hosts`.

    Raises:
        DefinitionError: An entry is not a host, host and port, address or network.
    """

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._names: set[tuple[str, int | None]] = set()
        self._networks: list[tuple[Network, int | None]] = []
        for entry in allowed:
            self._allow(entry)
        # Judging a host costs as much as the rest of a request's preparation; refusals are not kept.
        self._check_host = lru_cache(maxsize=1024)(self._judge_host)

    def check_url(self, url: URL) -> None:
        """Refuse a request by its address bar, before any name is resolved.

        Raises:
            FaultRaised: validation/400 for what is no HTTP address, authorization/403 for a forbidden one.
        """
        if url.scheme not in _SCHEMES:
            raise _invalid(f"{url.scheme or 'no scheme'} in {_shown(url)}: only http and https are called")
        if url.raw_user is not None or url.raw_password is not None:
            raise _invalid(f"{_shown(url)} carries a user name or password; use `authentication` instead")
        if not url.raw_host or url.port is None:
            raise _invalid(f"{_shown(url)} has no host")
        self._check_host(url.raw_host, url.port)

    def check_address(self, host: str, port: int, address: str) -> None:
        """Refuse a resolved address.

        Raises:
            FaultRaised: authorization/403 that names the setting which would allow it.
        """
        self._judge_address(host, port, ipaddress.ip_address(address))

    def _judge_host(self, host: str, port: int) -> None:
        literal = _literal(host)
        if literal is not None:
            self._judge_address(host, port, literal)

    def _judge_address(self, host: str, port: int, address: Address) -> None:
        if is_public(address) or self._is_allowed(host, port, address):
            return
        shown = host if str(address) == host else f"{host} ({address})"
        detail = f"{shown} is not on the public internet; if that is intended, add {host!r} to {SETTING}"
        raise FaultRaised(standard_fault("authorization", detail))

    def _is_allowed(self, host: str, port: int, address: Address) -> bool:
        name = host.rstrip(".").lower()
        if (name, None) in self._names or (name, port) in self._names:
            return True
        plain = _embedded(address) or address
        return any(
            (address in network or plain in network) and wanted in (None, port)
            for network, wanted in self._networks
        )

    def _allow(self, entry: str) -> None:
        host, port = _split_port(entry.strip())
        try:
            self._networks.append((ipaddress.ip_network(host, strict=False), port))
        except ValueError:
            if not _NAME.match(host) or "/" in host:
                hint = "write a host, host:port, an address, or a network such as 10.0.0.0/8"
                raise DefinitionError([Problem(SETTING, f"{entry!r} names no host", hint=hint)]) from None
            self._names.add((host.rstrip(".").lower(), port))


def is_public(address: Address) -> bool:
    """Whether an address lies on the public internet, also when it wraps another (mapped, 6to4, NAT64)."""
    inner = _embedded(address)
    if inner is not None:
        return is_public(inner)
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    if address.is_multicast or address.is_reserved or any(address in network for network in _SPECIAL):
        return False
    return address.is_global


def _embedded(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64 or (address in _V4_COMPATIBLE and int(address) > 0xFFFF):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _literal(host: str) -> Address | None:
    """Address that a host spells out; None for a name."""
    if ":" in host:
        # A zone names a network card of this machine: nothing that a document may choose.
        if "%" in host or not _is_ipv6(host):
            raise _invalid(f"{host!r} is not an IPv6 address")
        return IPv6Address(host)
    if not _NAME.match(host):
        raise _invalid(f"{host!r} is not a host name")
    if not _NUMBER.match(host.rstrip(".").rpartition(".")[2]):
        return None
    try:
        return IPv4Address(host)
    except ValueError:
        raise _invalid(f"{host!r} is not an IPv4 address; write four decimal numbers") from None


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True


def _split_port(entry: str) -> tuple[str, int | None]:
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(\d+))?", entry)
    plain = re.fullmatch(r"([^:]*):(\d+)", entry)
    match = bracketed or plain
    if match is None:
        return entry, None
    return match[1], int(match[2]) if match[2] else None


def _shown(url: URL) -> str:
    """An address without user, password, query and fragment."""
    return str(url.with_user(None).with_query(None).with_fragment(None)) if url.raw_host else url.raw_path


def _invalid(detail: str) -> FaultRaised:
    return FaultRaised(standard_fault("validation", detail))
