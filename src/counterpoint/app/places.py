"""Finding what a person names: a workflow by its name, a run by the beginning of its id."""

from __future__ import annotations

from difflib import get_close_matches

from counterpoint.core.values import Scope
from counterpoint.errors import InvalidRequest, NotFound
from counterpoint.ports.records import RecordStore, Revision, RunRecord

ANY_NAMESPACE = "*"
"""Namespace that stands for all of an environment, in reads."""


def everywhere(environment: str) -> Scope:
    """All namespaces of an environment."""
    return Scope(ANY_NAMESPACE, environment)


def scope_of(run: RunRecord) -> Scope:
    """Scope of a run."""
    return Scope(run.namespace, run.environment)


async def find_run(records: RecordStore, environment: str, run_id: str) -> RunRecord:
    """A run by id or prefix, in whichever namespace.

    Raises:
        NotFound: No such run; or the prefix fits several.
    """
    return await records.run(everywhere(environment), run_id)


async def find_workflow(records: RecordStore, environment: str, name: str) -> Revision:
    """Active revision of a workflow named `NAME` or `NAMESPACE/NAME`.

    Raises:
        NotFound: No such workflow; the hint has the nearest name.
        InvalidRequest: Several namespaces have one of that name.
    """
    namespace, _, bare = name.rpartition("/")
    known = await records.workflows(Scope(namespace or ANY_NAMESPACE, environment))
    found = [revision for revision in known if revision.name == bare]
    if not found:
        raise NotFound(f"no workflow {name!r} in environment {environment!r}", _hint(bare, known))
    if len(found) > 1:
        full = ", ".join(f"{revision.namespace}/{revision.name}" for revision in found)
        raise InvalidRequest(f"{name!r} names several workflows", f"Say which: {full}.")
    return found[0]


def _hint(name: str, known: list[Revision]) -> str:
    names = sorted({revision.name for revision in known})
    if not names:
        return "Nothing is deployed yet: `counterpoint deploy FILE`."
    near = get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"There is {', '.join(names[:10])}."
