"""Switches that make the apps fail, the same way in every run.

Whether a request fails is drawn from the seed, the switch, the request's ticket and path, and how often this
request was seen before: not from the order in which requests arrive, which differs from run to run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KINDS = ("slow", "unavailable", "throttled", "unauthorized", "lostReply")


@dataclass(frozen=True)
class Switch:
    """One way to fail.

    Attributes:
        kind: `slow`, `unavailable` (503), `throttled` (429), `unauthorized` (401) or `lostReply`.
        route: Beginning of the paths that it is for; all paths when empty.
        method: Method that it is for; all when empty.
        rate: Share of requests, 0 to 1.
        every: Or every so many requests; 0 takes the rate.
        delay_ms: How long a slow answer takes.
        retry_after_s: What a throttled one is asked to wait.
    """

    kind: str
    route: str = ""
    method: str = ""
    rate: float = 1.0
    every: int = 0
    delay_ms: int = 250
    retry_after_s: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}; write one of {', '.join(KINDS)}")
        if not 0 <= self.rate <= 1 or self.every < 0:
            raise ValueError("rate is from 0 to 1, every is not negative")


class Failures:
    """The switches that are on.

    Args:
        seed: Other seeds fail at other requests.
    """

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed
        self._switches: tuple[Switch, ...] = ()
        self._counts: dict[Switch, int] = {}

    def set(self, switches: list[Mapping[str, Any]]) -> None:
        """Put these switches in the place of all others.

        Raises:
            ValueError: A switch has a wrong kind or value.
            TypeError: A switch has an unknown member.
        """
        self._switches = tuple(Switch(**switch) for switch in switches)
        self._counts = {}

    def strike(self, method: str, path: str, identity: str, seen: int) -> Switch | None:
        """The first switch that makes a request fail, or None.

        Args:
            method: Its method.
            path: Its path.
            identity: What stays the same when it is repeated.
            seen: How often it was seen before.
        """
        for number, switch in enumerate(self._switches):
            if not path.startswith(switch.route) or switch.method not in ("", method):
                continue
            if switch.every:
                self._counts[switch] = self._counts.get(switch, 0) + 1
                if self._counts[switch] % switch.every == 0:
                    return switch
            elif self._draw(number, switch.kind, path, identity, seen) < switch.rate:
                return switch
        return None

    def _draw(self, *facts: object) -> float:
        text = "\n".join(str(fact) for fact in (self._seed, *facts))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
