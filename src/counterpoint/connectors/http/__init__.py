"""Outgoing HTTP: the target `http` of calls (DSL: HTTP Call), behind the egress guard."""

from __future__ import annotations

from counterpoint.connectors.http.settings import DEFAULTS, HttpSettings
from counterpoint.connectors.http.target import HttpTarget

__all__ = ["DEFAULTS", "HttpSettings", "HttpTarget"]
