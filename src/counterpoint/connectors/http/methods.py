"""Methods of HTTP by what they do at the target."""

from __future__ import annotations

READS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing at the target (RFC 9110: Safe Methods)."""
