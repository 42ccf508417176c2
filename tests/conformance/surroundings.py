"""What every runner of the kit needs: compiled documents, HTTP that ends at the stub, refusals as seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from counterpoint.connectors.http import HttpSettings, HttpTarget
from counterpoint.core.dsl.loader import load, unsupported
from counterpoint.core.dsl.model import Workflow
from counterpoint.core.values import Instant
from counterpoint.errors import DefinitionError
from counterpoint.testing.conformance import Case, Observed, load_cases
from counterpoint.testing.stub_http import StubHttp

START: Instant = 1_767_225_600 * 1_000_000
"""2026-01-01T00:00:00Z, where virtual clocks begin."""

CASES = load_cases(Path(__file__).parent / "cases")


def compiled(case: Case, has_action: Callable[[str, str, str], bool]) -> tuple[list[Workflow], list[str]]:
    """The documents of a case, the one to run first, and the pointers of its warnings.

    Raises:
        DefinitionError: A document must not be deployed.
    """
    documents = [load(text, case.resources) for text in (case.main_document(), *case.other_documents())]
    problems = [problem for document in documents for problem in unsupported(document, has_action)]
    if any(not problem.is_warning for problem in problems):
        raise DefinitionError(problems)
    return documents, [warning.pointer for warning in documents[0].warnings]


def refusal_of(refused: DefinitionError) -> Observed:
    """The observation of a document that was not accepted."""
    return Observed(status="refused", problems=[p.pointer for p in refused.problems if not p.is_warning])


def http_target(stub: StubHttp) -> HttpTarget:
    """Outgoing HTTP whose every address leads to the stub."""
    return HttpTarget(HttpSettings(allow_private_hosts=("127.0.0.1",)), rewrite=stub.rewrite)
