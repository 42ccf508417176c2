"""The oracles: what must hold whatever fails, checked on what was committed and on what the world saw.

I1 acknowledged starts exist and end or wait. I3 a completed step never runs again, and no attempt begins
before its row is on disk. I4 one idempotency key per step. I5 replay equals live state. I7 timers never
early. I8 each command has one audit row and the reverse. I9 nothing runnable is idle. I11 a refused request
left no effect. I12 counts balance. And: chains verify, nothing acknowledged is missing.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from counterpoint.core.values import Status
from counterpoint.engines.embedded.replay import last_end
from counterpoint.engines.embedded.rows import (
    BLOB_FORMAT,
    GENESIS,
    SEQ_BITS,
    StoredRow,
    chain,
    columns_text,
    decode,
    read_body,
)
from counterpoint.engines.embedded.statements import FORGET_HISTORY, NEW_HISTORY
from counterpoint.ports.connectors import Attempt
from counterpoint.ports.history import HistoryEntry, InputKind
from counterpoint.ports.payloads import PlainCodec
from counterpoint.storage.committer import CommitResult, WriteBatch
from counterpoint.testing.simulation import SCOPE, Simulation
from counterpoint.testing.world import World
from tests.simulation.probe import is_idle, plain, replayed, snapshot, stored

_ATTEMPT = re.compile(r"#\d+")
_AUDITED = (InputKind.SUSPEND, InputKind.RESUME, InputKind.CANCEL, InputKind.RETRY)
_CODEC = PlainCodec()

Blob = Callable[[str], bytes]
"""Reads a blob by its digest."""


class Violation(AssertionError):
    """An oracle does not hold; the first word names it."""


def require(holds: bool, oracle: str, what: object) -> None:
    """Raise unless it holds."""
    if not holds:
        raise Violation(f"{oracle}: {what}")


def identity(step: str) -> str:
    """Key of a step without the attempts of `try`."""
    return _ATTEMPT.sub("", step)


class Mirror:
    """What the committed rows of one run say so far."""

    def __init__(self) -> None:
        self.asked: set[tuple[str, int]] = set()
        self.done: set[str] = set()
        self.dues: dict[str, int] = {}
        self.has_ended = False

    def take(self, entry: HistoryEntry) -> None:
        """Take one row; timers and ends are checked as it passes."""
        payload: Any = entry.payload
        if entry.kind is InputKind.TIMER:
            due = self.dues.pop(entry.step, 0)
            require(entry.at >= due, "I7", f"the timer {entry.step} fired {due - entry.at} us early")
        elif entry.kind is InputKind.RESULT:
            if payload["verdict"] == "done":
                self.done.add(entry.step)
            self.dues.pop(entry.step, None)
            if "due" in payload:
                self.dues[entry.step] = payload["due"]
        for command in entry.commands:
            if command.kind == "attempt":
                self.asked.add((command.step, command.number))
            elif command.kind == "timer":
                self.dues[command.step] = command.due
        if entry.kind is InputKind.RETRY:
            self.has_ended = False
        if entry.end is not None:
            self.has_ended = True


class Auditor:
    """Watches a simulation; a violation is raised where it happens.

    Args:
        simulation: Watched from its next boot on.
        world: Its attempts are compared with the rows.

    Attributes:
        rows: Digest of all rows in the order of their commits.
    """

    def __init__(self, simulation: Simulation, world: World) -> None:
        self.simulation = simulation
        self.world = world
        self.accepted: set[str] = set()
        self.asked_starts = 0
        self.answered_starts = 0
        self.replays = 0
        self.attempts = 0
        self.rows = hashlib.sha256()
        self._mirrors: dict[int, Mirror] = {}
        self._numbers: dict[str, int] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._owners: dict[str, tuple[str, str]] = {}
        self._acknowledged: dict[int, bytes] = {}
        self._entries: dict[int, HistoryEntry] = {}
        simulation.watch = self
        world.on_attempt = self.attempt_begins

    # -- what the journal does (`simulation.Watch`) -----------------------------------------------------

    def committed(self, group: list[WriteBatch], results: list[CommitResult]) -> None:
        """Take the rows that are on disk now."""
        for batch, result in zip(group, results, strict=True):
            if result.error is None:
                for bulk, rows in batch.rows:
                    if bulk is NEW_HISTORY:
                        for row in rows:
                            self._take(row)

    def answered(self, group: list[WriteBatch], results: list[CommitResult]) -> None:
        """From here on the rows must survive anything."""
        for batch, result in zip(group, results, strict=True):
            if result.error is not None:
                continue
            require(not self.simulation.fatal, "I1", "acknowledged after the engine had failed")
            for bulk, rows in batch.rows:
                if bulk is NEW_HISTORY:
                    self._acknowledged.update({row[0]: row[10] for row in rows})
                elif bulk is FORGET_HISTORY:
                    for row in rows:
                        self._acknowledged.pop(row[0], None)

    def _take(self, row: tuple[Any, ...]) -> None:
        number, _, at, form, kind, step, codec, key_id, nonce, data, head = row
        stored_row = StoredRow(number, 0, at, form, kind, step, codec, key_id, nonce, data, head)
        if form == BLOB_FORMAT:
            data = self.simulation.database.blobs.read(data.decode())
        self.rows.update(head)
        entry = decode(stored_row, SCOPE, _CODEC, data)
        self._entries[number] = entry
        mirror = self._mirrors.setdefault(number >> SEQ_BITS, Mirror())
        mirror.take(entry)

    # -- what the world sees ----------------------------------------------------------------------------

    def attempt_begins(self, attempt: Attempt) -> None:
        """An attempt reached the world."""
        self.attempts += 1
        mirror = self._mirrors.get(self._run_no(attempt.run_id), Mirror())
        where = f"{attempt.step} (attempt {attempt.number}) of {attempt.run_id}"
        require(
            (attempt.step, attempt.number) in mirror.asked, "I3", f"{where} began before its row was on disk"
        )
        require(attempt.step not in mirror.done, "I3", f"{where} began although the step is done")
        require(not mirror.has_ended, "I3", f"{where} began although the run has ended")
        due = mirror.dues.get(attempt.step, 0)
        require(self.simulation.host.now() >= due, "I7", f"{where} began before its backoff was over")
        step = (attempt.run_id, identity(attempt.step))
        known = self._keys.setdefault(step, attempt.key)
        require(known == attempt.key, "I4", f"{where} has another key than before")
        owner = self._owners.setdefault(attempt.key, step)
        require(owner == step, "I4", f"{where} has the key of {owner}")

    def _run_no(self, run_id: str) -> int:
        if run_id not in self._numbers:
            found = self.simulation.database.connection.execute(
                "SELECT run_no FROM runs WHERE id = ?", (run_id,)
            ).get
            require(found is not None, "I3", f"an attempt of the run {run_id}, which is not on disk")
            self._numbers[run_id] = found
        return self._numbers[run_id]

    # -- what clients saw -------------------------------------------------------------------------------

    def start_answered(self, started: Any, error: Exception | None) -> None:
        """A start was acknowledged or refused."""
        self.answered_starts += 1
        if error is None:
            self.accepted.add(started.run_id)

    def after_power_cut(self) -> None:
        """Another disk image: all that was acknowledged must be on it, and what is on it is what counts."""
        connection = self.simulation.database.connection
        heads = dict(connection.execute("SELECT history_no, head FROM history").fetchall())
        forgotten = {number for run_no, _, _ in self.simulation.runs() for number in self._forgotten(run_no)}
        for number, head in self._acknowledged.items():
            # The cut may come between the commit that forgets a row and its answer.
            is_there = heads.get(number) == head or number in forgotten
            require(is_there, "I1", f"the acknowledged row {number} is lost")
        known = {row[0] for row in connection.execute("SELECT id FROM runs")}
        require(self.accepted <= known, "I1", f"acknowledged starts are lost: {self.accepted - known}")
        self._mirrors.clear()
        for run_no, _, _ in self.simulation.runs():
            mirror = self._mirrors.setdefault(run_no, Mirror())
            rows = {(run_no << SEQ_BITS) + entry.seq: entry for entry in self.simulation.history(run_no)}
            # What a row on disk says was forgotten did happen; only what nothing accounts for is lost.
            rows |= {n: self._entries[n] for n in self._forgotten(run_no) if n in self._entries}
            for _, entry in sorted(rows.items()):
                mirror.take(entry)
        for performed in self.world.attempts:
            mirror = self._mirrors.get(self._run_no(performed.run_id), Mirror())
            place = (performed.step, performed.number)
            require(place in mirror.asked, "I3", f"the attempt {place} was made, and its row is lost")

    def _forgotten(self, run_no: int) -> set[int]:
        """Rows of a run that its latest SETTLED row on disk accounts for."""
        settled = [e for e in self.simulation.history(run_no) if e.kind is InputKind.SETTLED]
        gaps: Any = settled[-1].payload["gaps"] if settled else []
        first = run_no << SEQ_BITS
        return {first + seq for gap in gaps for seq in range(gap[0], gap[1] + 1)}

    # -- states -----------------------------------------------------------------------------------------

    def check_live(self) -> None:
        """I5, and the chain, for every idle run in memory."""
        for run_no, execution in list(self.simulation.kernel.executions.items()):
            if is_idle(execution):
                self._same(run_no, snapshot(execution), replayed(self.simulation, run_no))
                self._check_chain(run_no)

    def _same(self, run_no: int, live: dict[str, Any], again: dict[str, Any]) -> None:
        self.replays += 1
        different = {name: (live[name], again[name]) for name in live if live[name] != again[name]}
        require(not different, "I5", f"run {run_no} differs after replay (live, replayed): {different}")

    def finish(self) -> None:
        """Everything, once the simulation rests."""
        self.check_live()
        runs = self.simulation.runs()
        for run_no, _, status in runs:
            self._check_run(run_no, status)
        self._check_counts(runs)
        self._check_tables(runs)

    def _check_run(self, run_no: int, status: Status) -> None:
        self._check_chain(run_no)
        again = replayed(self.simulation, run_no)
        history = self.simulation.history(run_no)
        require(again["seq"] == history[-1].seq, "I5", f"run {run_no}: {again['seq']}, {history[-1].seq}")
        last = last_end(history)
        require(
            again["end"] == plain(last),
            "I5",
            f"run {run_no} ended with {last}, its replay with {again['end']}",
        )
        require(last is None or last.status == status.word, "I5", f"run {run_no} is {status.word}: {last}")
        fits = status in (Status.SUSPENDED, Status.WAITING) or (status.is_final and last is not None)
        require(fits, "I9", f"run {run_no} is {status.word} although nothing happens any more")
        if status is Status.WAITING:
            self._check_waiting(run_no, again)

    def _check_waiting(self, run_no: int, again: dict[str, Any]) -> None:
        dues = [*again["timers"].values(), *(call[2] for call in again["calls"].values() if call[2])]
        now = self.simulation.host.now()
        require(bool(dues or again["children"]), "I9", f"run {run_no} waits for nothing")
        require(not dues or min(dues) >= now - 1_000_000, "I9", f"run {run_no} waits for what is over")

    def _check_chain(self, run_no: int) -> None:
        found = stored(self.simulation, run_no)
        rows = [StoredRow(*row) for row in found.rows]
        check_chain(found.facts[2], found.facts[11], rows, self.simulation.database.blobs.read)

    def _check_counts(self, runs: list[tuple[int, str, Status]]) -> None:
        connection = self.simulation.database.connection
        known = {run_id for _, run_id, _ in runs}
        require(self.accepted <= known, "I1", f"acknowledged starts are lost: {self.accepted - known}")
        roots = {row[0] for row in connection.execute("SELECT id FROM runs WHERE parent_no IS NULL")}
        silent = len(roots - self.accepted)
        unanswered = self.asked_starts - self.answered_starts
        require(
            silent <= unanswered,
            "I11",
            f"{silent} runs without a promise, {unanswered} starts without an answer",
        )
        counts = Counter(status for _, _, status in runs)
        standing = sum(counts[s] for s in (Status.COMPLETED, Status.FAULTED, Status.CANCELLED))
        standing += counts[Status.WAITING] + counts[Status.SUSPENDED]
        require(standing == len(runs), "I12", counts)

    def _check_tables(self, runs: list[tuple[int, str, Status]]) -> None:
        connection = self.simulation.database.connection
        over = {run_no for run_no, _, status in runs if status.is_final}
        left = [row for row in self.simulation.timers() if row[1] in over]
        require(not left, "I9", f"timers of runs that ended: {left}")
        inbox = connection.execute("SELECT run_no, step FROM inbox").fetchall()
        open_runs = {run_no for run_no, _, status in runs if not status.is_final}
        stuck = [row for row in inbox if row[0] in open_runs and not self._is_paused(row[0])]
        require(not stuck, "I9", f"undelivered inputs: {stuck}")
        audited = Counter(
            row[0] for row in connection.execute("SELECT target FROM audit WHERE actor = 'tester'")
        )
        taken = Counter(
            f"run/{run_id}"
            for run_no, run_id, _ in runs
            for entry in self.simulation.history(run_no)
            if entry.kind in _AUDITED and entry.actor == "tester" and _is_client(entry)
        )
        require(audited == taken, "I8", f"audit {audited - taken}, history {taken - audited}")

    def _is_paused(self, run_no: int) -> bool:
        """A paused run takes what lies in its inbox once it goes on."""
        return last_end(self.simulation.history(run_no)) is not None


def _is_client(entry: HistoryEntry) -> bool:
    """Whether a person asked; what a parent does to its child has the parent's actor and no audit row."""
    payload: Any = entry.payload
    return not (payload or {}).get("isParents")


def check_chain(run_id: str, stored_head: bytes | None, rows: list[StoredRow], blob: Blob) -> None:
    """The chain of digests holds, over the gaps that a later row attests."""
    gaps: dict[int, list[Any]] = {}
    for row in rows:
        if row.kind == InputKind.SETTLED:
            payload: Any = decode(row, SCOPE, _CODEC, read_body(row, blob)).payload
            gaps = {gap[0]: gap for gap in payload["gaps"]}
    head, last = GENESIS, 0
    for row in rows:
        if row.seq != last + 1:
            gap = gaps.get(last + 1)
            require(gap is not None and gap[1] == row.seq - 1, "chain", f"{run_id}: {last}, {row.seq}, {gap}")
            require(gap is not None and bytes.fromhex(gap[2]) == head, "chain", f"{run_id}: before {row.seq}")
            head = bytes.fromhex(gap[3]) if gap is not None else head
        columns = columns_text(row.history_no, row.at, row.form, row.kind, row.step or "")
        head = chain(head, row.nonce, columns, row.body)
        require(head == row.head, "chain", f"{run_id}: row {row.seq}")
        last = row.seq
    heads = {row.head for row in rows}
    require(
        stored_head is None or stored_head in heads,
        "chain",
        f"{run_id}: its own head is none of its rows'",
    )
