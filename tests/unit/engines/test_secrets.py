"""S-06: what authenticates a call is used and nowhere kept."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from counterpoint.testing.conformance import Reply, Route
from counterpoint.testing.stub_http import StubHttp
from tests.unit.engines.standing import SCOPE, document, standing

CANARY = "canary-5f1c9be27d04"
WRITTEN = f'${{ "{CANARY[:9]}" + "{CANARY[9:]}" }}'
"""The secret as it stands in the document: in two parts, so that it is whole nowhere but in use."""

PROPERTIES: dict[str, Any] = {
    "basic": {"username": "user", "password": WRITTEN},
    "bearer": {"token": WRITTEN},
}
SENT = {
    "basic": "Basic " + base64.b64encode(f"user:{CANARY}".encode()).decode(),
    "bearer": f"Bearer {CANARY}",
}


def traces(folder: Path) -> list[str]:
    """Files that hold the secret, in any of the forms that it has on the way."""
    forms = [CANARY.encode(), *(text.rpartition(" ")[2].encode() for text in SENT.values())]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path.name for path in files if any(form in path.read_bytes() for form in forms)]


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
@pytest.mark.parametrize("status", [200, 401, 500])
async def test_a_credential_is_sent_and_kept_in_no_file_no_log_and_no_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], scheme: str, status: int
) -> None:
    # A target that refuses says the credential back, as some do.
    reply = Reply(status=status, body={"title": "welcome" if status == 200 else f"not for {SENT[scheme]}"})
    async with StubHttp([Route(method="GET", host="127.0.0.1", path="/in", replies=[reply])]) as stub:
        uri = f"http://127.0.0.1:{stub._port}/in"
        endpoint = {"uri": uri, "authentication": {scheme: PROPERTIES[scheme]}}
        call = {"call": "http", "with": {"method": "get", "endpoint": endpoint, "output": "response"}}
        async with standing(tmp_path, {"secret": document("secret", {"do": [{"get": call}]})}) as on:
            run_id = await on.start("secret")
            result = await on.engine.wait(SCOPE, run_id)
            assert result.status == ("completed" if status == 200 else "faulted")
            told = [
                result,
                await on.records.run(SCOPE, run_id),
                await on.engine.histories.entries(SCOPE, run_id),
                [event async for event in on.engine.watch(SCOPE, run_id)],
            ]
    assert stub.calls[0].headers["authorization"] == SENT[scheme]
    printed = capfd.readouterr()
    for text in (str(told), printed.out, printed.err):
        assert CANARY not in text
        assert SENT[scheme] not in text
    assert traces(tmp_path) == []
