"""Names for runs that do not depend on their ids: the steps of the parents that led to them."""

from __future__ import annotations

from counterpoint.testing.simulation import Simulation


def labels(simulation: Simulation) -> dict[str, tuple[str, str]]:
    """For each run the id of the run at the root, and the path from there.

    A child that nobody awaits has no step; the name of its workflow stands instead.
    """
    sql = "SELECT run_no, id, parent_no, parent_step, revision_no FROM runs ORDER BY run_no"
    found: dict[int, tuple[str, str]] = {}
    named: dict[str, tuple[str, str]] = {}
    for run_no, run_id, parent_no, step, revision in simulation.database.connection.execute(sql):
        place = (run_id, "")
        if parent_no is not None:
            root, path = found[parent_no]
            place = (root, f"{path}/{step or '~' + simulation.revisions.by_number(revision).workflow.name}")
        found[run_no] = named[run_id] = place
    return named
