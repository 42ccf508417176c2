"""Use cases: what people and clients can ask for. Each takes ports and knows no adapter."""

from counterpoint.app.operations import Operations
from counterpoint.app.table import Ports, build_operations

__all__ = ["Operations", "Ports", "build_operations"]
