"""What a deploy fetched for a document, kept with the revision, so that nothing is fetched when it runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from counterpoint.core.values import JsonValue


class Resource(msgspec.Struct, frozen=True):
    """One fetched resource.

    Attributes:
        digest: SHA-256 of the text, hex.
        text: Content, UTF-8.
        value: Content as JSON; what the loader gets.
    """

    digest: str
    text: str
    value: JsonValue


def make_resource(text: str, value: JsonValue) -> Resource:
    """Resource with its digest."""
    return Resource(hashlib.sha256(text.encode()).hexdigest(), text, value)


def bundle_json(resources: Mapping[str, Resource]) -> dict[str, JsonValue]:
    """The stored form of a bundle, by address."""
    found: dict[str, Any] = msgspec.to_builtins(dict(resources))
    return found


def resource_values(bundle: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """What the loader needs of a stored bundle: content by address."""
    return {address: resource["value"] for address, resource in bundle.items()}
