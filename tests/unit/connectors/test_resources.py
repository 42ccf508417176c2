"""External resources: by file inside the folder alone, by HTTP through the guard."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from counterpoint.connectors.http import HttpSettings
from counterpoint.connectors.hub import ConnectorHub
from counterpoint.connectors.resources import ResourceFetcher, read_file
from counterpoint.errors import LimitExceeded, NotAuthorized, NotFound, PermanentError, RetryableError
from counterpoint.ports.fetch import MAX_RESOURCE_BYTES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "flows"
    (root / "schemas").mkdir(parents=True)
    (root / "schemas" / "a b.json").write_bytes(b"{}")
    (tmp_path / "secret.json").write_bytes(b'{"secret": 1}')
    return root


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        size = int(request.query.get("size", 0))
        return web.Response(
            status=int(request.query.get("status", 200)), body=b"x" * size or b"type: object\n"
        )

    app = web.Application()
    app.router.add_get("/schema", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/schema"
    await runner.cleanup()


@pytest.mark.parametrize("address", ["schemas/a%20b.json", "./schemas/../schemas/a%20b.json"])
def test_a_file_below_the_folder_is_read(folder: Path, address: str) -> None:
    assert read_file(address, str(folder)) == b"{}"


def test_an_absolute_address_below_the_folder_is_read(folder: Path) -> None:
    assert read_file((folder / "schemas" / "a b.json").as_uri(), str(folder)) == b"{}"


@pytest.mark.parametrize(
    "address", ["../secret.json", "schemas/../../secret.json", "%2e%2e/secret.json", "/etc/passwd"]
)
def test_a_file_outside_the_folder_is_refused(folder: Path, address: str) -> None:
    with pytest.raises(NotAuthorized):
        read_file(address, str(folder))


def test_a_link_that_leads_outside_is_refused(folder: Path) -> None:
    (folder / "link.json").symlink_to(folder.parent / "secret.json")
    with pytest.raises(NotAuthorized):
        read_file("link.json", str(folder))


def test_without_a_folder_no_file_is_read(folder: Path) -> None:
    with pytest.raises(NotAuthorized):
        read_file(str(folder / "schemas" / "a b.json"), "")


def test_what_is_no_file_or_too_large_is_refused(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    for missing in ("pipe", "schemas", "nothing.json"):
        with pytest.raises(NotFound):
            read_file(missing, str(folder))
    (folder / "large").write_bytes(b"x" * (MAX_RESOURCE_BYTES + 1))
    with pytest.raises(LimitExceeded):
        read_file("large", str(folder))


async def test_a_resource_is_fetched_over_http_as_bytes(address: str) -> None:
    hub = ConnectorHub.of((), HttpSettings(allow_private_hosts=("127.0.0.1",)))
    fetcher = ResourceFetcher(hub)
    assert await fetcher.fetch(address, "") == b"type: object\n"
    with pytest.raises(LimitExceeded):
        await fetcher.fetch(f"{address}?size={MAX_RESOURCE_BYTES + 1}", "")
    with pytest.raises(RetryableError):
        await fetcher.fetch(f"{address}?status=503", "")
    with pytest.raises(PermanentError):
        await fetcher.fetch(f"{address}?status=404", "")
    await hub.close()


async def test_the_guard_holds_for_resources_too(address: str) -> None:
    hub = ConnectorHub.of()
    with pytest.raises(NotAuthorized):
        await ResourceFetcher(hub).fetch(address, "")
    await hub.close()


async def test_other_schemes_are_refused() -> None:
    hub = ConnectorHub.of()
    for address in ("ftp://host/a", "data:text/plain,1", "javascript:1"):
        with pytest.raises(NotAuthorized):
            await asyncio.wait_for(ResourceFetcher(hub).fetch(address, "/tmp"), 5)
    await hub.close()
