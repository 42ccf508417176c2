"""Use case: local actors and their tokens."""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable

import msgspec

from counterpoint.errors import InvalidRequest, NotAuthenticated
from counterpoint.ports.records import ActorRecord, RecordStore

TOKEN_BYTES = 32
"""Random bytes of a token."""

TOKEN_PREFIX = "cpt_"
"""Beginning of every token, so that scanners for leaked secrets can find one."""

SYSTEM_PREFIX = "os:"
"""Beginning of the names of users of the operating system; no local actor may have it."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")


class NewActor(msgspec.Struct, frozen=True, rename="camel"):
    """A new actor and its token, which is shown this once and stored only as a digest."""

    name: str
    token: str


class Actors:
    """Adds actors and recognises them.

    Args:
        records: Where actors are kept.
        entropy: Gives that many random bytes.
    """

    def __init__(self, records: RecordStore, entropy: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._records = records
        self._entropy = entropy

    async def add(self, name: str, actor: str) -> NewActor:
        """Add an actor and issue its token.

        Raises:
            InvalidRequest: The name has other characters than small letters, digits, dot, dash, underscore.
            Conflict: The name is taken.
        """
        if _NAME.fullmatch(name) is None:
            raise InvalidRequest(
                f"{name!r} cannot be the name of an actor",
                "Take at most 63 small letters, digits, dots, dashes and underscores, such as `ci-deployer`.",
            )
        token = TOKEN_PREFIX + urlsafe_b64encode(self._entropy(TOKEN_BYTES)).rstrip(b"=").decode()
        await self._records.add_actor(name, digest_of(token), actor)
        return NewActor(name, token)

    async def disable(self, name: str, actor: str) -> None:
        """Make the token of an actor worthless, at once.

        Raises:
            NotFound: No such actor.
        """
        await self._records.disable_actor(name, actor)

    async def list(self) -> list[ActorRecord]:
        """All local actors by name."""
        return await self._records.actors()

    async def authenticate(self, token: str) -> str:
        """Name of the actor that holds a token.

        Raises:
            NotAuthenticated: Unknown, disabled or empty token.
        """
        name = await self._records.actor_by_token(digest_of(token)) if token else None
        if name is None:
            raise NotAuthenticated("this token is not known", "`counterpoint actors add NAME` issues one.")
        return name


def digest_of(token: str) -> bytes:
    """Stored form of a token; a token has 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(token.encode()).digest()
