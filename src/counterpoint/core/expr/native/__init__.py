"""The native subset: jq programs as Python closures, bounded by construction, with the results of libjq."""

from counterpoint.core.expr.native.compile import compile_native

__all__ = ["compile_native"]
