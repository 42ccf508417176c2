"""The embedded engine: durable runs in one process, on the one SQLite database."""

from counterpoint.engines.embedded.asyncio_host import SystemClock
from counterpoint.engines.embedded.engine import EmbeddedEngine, Surroundings
from counterpoint.engines.embedded.histories import EmbeddedHistories

__all__ = ["EmbeddedEngine", "EmbeddedHistories", "Surroundings", "SystemClock"]
