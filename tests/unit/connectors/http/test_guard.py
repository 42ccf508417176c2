"""Egress guard (S-10): nothing inside is reached, however its address is spelt."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from counterpoint.connectors.http import HttpSettings, HttpTarget
from counterpoint.connectors.http.guard import EgressGuard, is_public
from counterpoint.connectors.http.resolver import GuardedResolver
from counterpoint.errors import DefinitionError, FaultRaised
from counterpoint.ports.connectors import Verdict
from tests.unit.connectors.attempts import attempt
from tests.unit.connectors.http.conftest import Call
from tests.unit.connectors.http.stand_in import StandIn

INSIDE = [
    "http://127.0.0.1/", "http://127.9.9.9/", "http://0.0.0.0/", "http://10.1.2.3/", "http://172.16.0.1/",
    "http://192.168.1.1/", "http://100.64.0.1/", "http://100.100.100.200/", "http://169.254.169.254/",
    "http://168.63.129.16/", "http://192.0.0.192/", "http://192.0.2.1/", "http://198.18.0.1/", "http://224.0.0.1/",
    "http://255.255.255.255/", "http://240.0.0.1/", "http://[::]/", "http://[::1]/", "http://[fe80::1]/",
    "http://[fc00::1]/", "http://[fd00:ec2::254]/", "http://[fec0::1]/", "http://[ff02::1]/", "http://[2001:db8::1]/",
    "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[::ffff:169.254.169.254]/",
    "http://[0:0:0:0:0:ffff:10.0.0.1]/", "http://[::127.0.0.1]/", "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::a9fe:a9fe]/", "http://[64:ff9b:1::1]/", "http://[2002:7f00:1::]/", "http://[2002:a00:1::1]/",
    "http://[2001:0:7f00:1::]/", "http://127。0。0。1/", "http://①②⑦.0.0.1/", "https://127.0.0.1:443/",
]  # fmt: skip
"""Addresses that are not on the public internet."""

MISSPELT = [
    "http://2130706433/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://0x7f.1/", "http://017700000001/",
    "http://0177.0.0.1/", "http://127.1/", "http://127.0.1/", "http://127.0.0.1./", "http://127.0.0.01/",
    "http://1.2.3.4.5/", "http://256.1.1.1/", "http://0/", "http://0x/", "http://a.0x7f/", "http://[fe80::1%25eth0]/",
    "http://[::1/", "http://[1.2.3.4]/", "http://%31%32%37.0.0.1/",
]  # fmt: skip
"""Forms that some parsers read as an address and others do not."""


@pytest.mark.parametrize("address", INSIDE)
async def test_an_address_inside_is_denied_and_the_setting_is_named(address: str) -> None:
    target = HttpTarget()
    result = await target.perform(attempt("http", {"method": "GET", "endpoint": address}))
    assert result.verdict is Verdict.PERMANENT
    assert result.fault is not None
    assert (result.fault.type.rpartition("/")[2], result.fault.status) == ("authorization", 403)
    assert "http.allow_private_hosts" in result.fault.detail
    await target.close()


@pytest.mark.parametrize("address", MISSPELT)
async def test_a_misspelt_address_is_refused(address: str) -> None:
    target = HttpTarget(HttpSettings(allow_private_hosts=("0.0.0.0/0", "::/0")))
    result = await target.perform(attempt("http", {"method": "GET", "endpoint": address}))
    assert result.verdict is Verdict.PERMANENT
    assert result.fault is not None
    assert (result.fault.type.rpartition("/")[2], result.fault.status) == ("validation", 400)
    await target.close()


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_a_name_that_spells_no_address_is_left_to_the_resolver() -> None:
    for host in (
        "example.com",
        "example.com.",
        "xn--bcher-kva.example",
        "a_b.example",
        "127.0.0.1.nip.example",
    ):
        EgressGuard().check_url(URL(f"https://{host}/"))


class Scripted(AbstractResolver):
    """Answers with the next list of addresses each time it is asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        addresses = self.answers.pop(0)
        return [
            ResolveResult(hostname=host, host=a, port=port, family=socket.AF_INET, proto=0, flags=0)
            for a in addresses
        ]

    async def close(self) -> None: ...


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["1.1.1.1", "10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:10.0.0.1"],
        ["fe80::1%1"],
    ],
)
async def test_a_name_that_resolves_inside_is_denied_even_in_part(addresses: list[str]) -> None:
    resolver = GuardedResolver(EgressGuard(), Scripted(addresses))
    with pytest.raises(FaultRaised) as error:
        await resolver.resolve("rebind.example", 80)
    assert error.value.fault.status == 403
    assert "rebind.example" in error.value.fault.detail


async def test_the_connection_goes_to_what_was_judged_not_to_a_second_answer(server: StandIn) -> None:
    scripted = Scripted(["127.0.0.1"], ["10.0.0.1"])
    target = HttpTarget(HttpSettings(allow_private_hosts=("127.0.0.0/8",)), resolver=scripted)
    arguments = {"method": "GET", "endpoint": f"http://rebind.example:{server.port}/"}
    assert (await target.perform(attempt("http", arguments))).verdict is Verdict.DONE
    assert scripted.asked == 1
    assert server.seen[0].headers["host"] == f"rebind.example:{server.port}"
    await target.close()


async def test_a_denied_name_ends_the_call_before_anything_is_sent(server: StandIn) -> None:
    target = HttpTarget(resolver=Scripted(["127.0.0.1"]))
    arguments = {"method": "POST", "endpoint": f"http://rebind.example:{server.port}/"}
    result = await target.perform(attempt("http", arguments))
    assert result.verdict is Verdict.PERMANENT
    assert result.fault is not None
    assert (result.fault.status, result.fault.instance) == (403, "/do/0/notify")
    assert server.connections == 0
    await target.close()


@pytest.mark.parametrize(
    ("allowed", "host", "port", "address", "passes"),
    [
        ("desk.internal", "desk.internal", 80, "10.0.0.1", True),
        ("Desk.Internal.", "desk.internal", 80, "10.0.0.1", True),
        ("desk.internal", "DESK.internal.", 80, "10.0.0.1", True),
        ("desk.internal", "other.internal", 80, "10.0.0.1", False),
        ("desk.internal", "a.desk.internal", 80, "10.0.0.1", False),
        ("desk.internal:8080", "desk.internal", 8080, "10.0.0.1", True),
        ("desk.internal:8080", "desk.internal", 80, "10.0.0.1", False),
        ("10.0.0.0/8", "any.example", 80, "10.9.9.9", True),
        ("10.0.0.0/8", "any.example", 80, "11.9.9.9", True),
        ("10.0.0.0/8", "any.example", 80, "192.168.0.1", False),
        ("10.0.0.0/8", "any.example", 80, "::ffff:10.1.1.1", True),
        ("127.0.0.1", "localhost", 80, "127.0.0.1", True),
        ("127.0.0.1", "localhost", 80, "127.0.0.2", False),
        ("127.0.0.1:9000", "localhost", 9000, "127.0.0.1", True),
        ("127.0.0.1:9000", "localhost", 9001, "127.0.0.1", False),
        ("::1", "localhost", 80, "::1", True),
        ("[::1]:9000", "localhost", 9000, "::1", True),
        ("[::1]:9000", "localhost", 80, "::1", False),
        ("fd00::/8", "any.example", 80, "fd12::1", True),
    ],
)
def test_the_operator_allows_hosts_ports_and_networks(
    allowed: str, host: str, port: int, address: str, passes: bool
) -> None:
    guard = EgressGuard((allowed,))
    if passes:
        guard.check_address(host, port, address)
    else:
        with pytest.raises(FaultRaised):
            guard.check_address(host, port, address)


@pytest.mark.parametrize("entry", ["", "http://h/", "10.0.0.0/99", "a b", "h:port", "*"])
def test_an_entry_that_names_nothing_is_refused(entry: str) -> None:
    with pytest.raises(DefinitionError, match="allow_private_hosts"):
        EgressGuard((entry,))


async def test_what_is_allowed_is_reached(server: StandIn, call: Call) -> None:
    assert (await call("/")).verdict is Verdict.DONE
    assert len(server.seen) == 1
