"""Names of the standard error types: four base addresses mean the same (DSL: Standard Error Types)."""

from __future__ import annotations

from counterpoint.errors import ERROR_BASE, STANDARD_FAULTS

_HOSTS = ("open-workflow-specification.org", "serverlessworkflow.io")
_PATHS = ("spec/1.0.0/errors", "dsl/errors/types")
_BASES = tuple(f"https://{host}/{path}/" for host in _HOSTS for path in _PATHS)


def normalise_error_type(uri: str) -> str:
    """The form that we emit for a standard error type in any of its four spellings; other types unchanged."""
    for base in _BASES:
        if uri.startswith(base):
            name = uri[len(base) :]
            return ERROR_BASE + name if name in STANDARD_FAULTS else uri
    return uri
