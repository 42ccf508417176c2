"""From text to the compiled workflow: the one way in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import msgspec

from counterpoint.core.dsl.build import build_workflow
from counterpoint.core.dsl.grammar import DOCUMENT
from counterpoint.core.dsl.model import Workflow
from counterpoint.core.dsl.report import Report
from counterpoint.core.dsl.support import unsupported
from counterpoint.core.dsl.yaml_reader import Source, read, scan
from counterpoint.core.values import JsonValue
from counterpoint.errors import DefinitionError, Problem

__all__ = ["check", "document_digest", "load", "unsupported"]


def load(text: str | bytes, resources: Mapping[str, JsonValue] | None = None) -> Workflow:
    """The compiled workflow of a YAML 1.2 or JSON document.

    A large document takes a second of computing at most; whoever serves others meanwhile loads in a thread.

    Args:
        text: The document, UTF-8.
        resources: Fetched external resources by address (schemas and what they refer to).

    Returns:
        The model; its `warnings` are problems that do not forbid its use, its `resources` the addresses of
        what a deploy must fetch.

    Raises:
        DefinitionError: The document cannot be used; carries all its problems, without warnings.
    """
    workflow, report = _compile(scan(text), resources or {})
    problems = report.problems()
    if report.has_errors:
        raise DefinitionError([problem for problem in problems if not problem.is_warning])
    return msgspec.structs.replace(workflow, warnings=tuple(problems))


def check(text: str | bytes, resources: Mapping[str, JsonValue] | None = None) -> list[Problem]:
    """All problems and warnings of a document, in the order of its text; nothing for a flawless one."""
    try:
        source = scan(text)
    except DefinitionError as error:
        return list(error.problems)
    return _compile(source, resources or {})[1].problems()


def _compile(source: Source, resources: Mapping[str, JsonValue]) -> tuple[Workflow, Report]:
    report = Report(source.places)
    for flaw in source.flaws:
        report.add(flaw.path, flaw.code, flaw.message, flaw.hint, position=flaw.position)
    DOCUMENT.check(source.value, (), report)
    return build_workflow(source.value, report, resources), report


def document_digest(text: str | bytes, bundle: Mapping[str, JsonValue] | None = None) -> str:
    """Digest of what a document and its bundle say, 64 hexadecimal characters.

    Comments, layout and the order of keys do not count: the same digest means the same workflow.

    Raises:
        DefinitionError: The text is no YAML or JSON.
    """
    said = [read(text).value, dict(bundle or {})]
    canonical = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
