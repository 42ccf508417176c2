"""The history of a run, decoded: what explain, effects, watch and replay read.

A row is one **transition**: the input that reached the run, and what the interpreter asked for because of
it. Nothing else is stored: pure work is recomputed. Rows of a run are numbered from 1 and chained by digest.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

import msgspec

from counterpoint.core.context import Decision
from counterpoint.core.values import Instant, JsonValue, Scope
from counterpoint.errors import Fault


class InputKind(IntEnum):
    """What reached the run. The numbers are stored: never renumber."""

    STARTED = 1
    RESULT = 2
    """An attempt ended; `number` says which."""
    TIMER = 3
    """A timer of the run fired: a wait, a time-out or a backoff."""
    CHILD = 4
    """A child run ended."""
    CANCEL = 5
    SUSPEND = 6
    RESUME = 7
    RETRY = 8
    """The failed steps are tried again; `voids` holds the numbers of the rows that failed."""
    CONTINUED = 9
    """More commands of the input before; the interpreter gave way in between."""
    SETTLED = 10
    """A sequence settled and its past was forgotten."""
    IN_DOUBT = 11
    """An attempt has no outcome: the process ended between effect and record."""
    ADMITTED = 12
    """The concurrency limit let the run begin."""


class Command(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What the interpreter asked for.

    Attributes:
        kind: `attempt`, `timer`, `child`.
        step: Canonical step key.
        digest: Fingerprint of what was asked, hex.
        number: Number of the attempt, from 1.
        due: Instant at which a timer or backoff fires.
        pointer: Place of the task in the document.
        task: Name of the task.
        target: What is called, or the workflow of a child.
        child: Id of the child run.
        purpose: Of a timer: `wait`, `timeout`, `backoff`.
        is_keyed: Of an attempt: whether the document says that the target honours our key.
        key: Of an attempt: the key that the document gives, if it does.
    """

    kind: str
    step: str
    digest: str = ""
    number: int = 0
    due: Instant = 0
    pointer: str = ""
    task: str = ""
    target: str = ""
    child: str = ""
    purpose: str = ""
    is_keyed: bool = False
    key: str = ""


class RunEnd(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """How a run ended, or that it paused.

    Attributes:
        status: Word of the status: `completed`, `faulted`, `cancelled`, `suspended`.
        output: Output of a completed run.
        fault: Fault of a faulted or paused run.
        step: Step whose attempts are spent, if a step caused it.
        cause: Stable name of the cause of a pause: `fault`, `inDoubt`, `nonDeterminism`, `operator`.
        outcome: Business outcome.
    """

    status: str
    output: JsonValue = None
    fault: Fault | None = None
    step: str | None = None
    cause: str = ""
    outcome: JsonValue = None


class HistoryEntry(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One decoded row.

    Attributes:
        seq: Number in the run, from 1.
        at: Instant of the input.
        commit: Number of the commit that made it durable.
        kind: What reached the run.
        step: Step that it concerns, or empty.
        payload: Input by kind. STARTED: `input`, `trigger`, `seed`, `flags`. RESULT: `number`, `verdict`,
            `value` or
            `fault`, `isUncertain`, `due` (of the next attempt). RETRY: `voids`. CANCEL, SUSPEND: `reason`.
        actor: Who caused it, if a person or client did.
        commands: What was asked for because of it.
        decisions: Choices of the pure work in between.
        end: Set when the run ended or paused here.
        is_unfinished: Whether more was to follow from the input: a row `CONTINUED`, unless the process ended.
    """

    seq: int
    at: Instant
    commit: int
    kind: InputKind
    step: str = ""
    payload: JsonValue = None
    actor: str = ""
    commands: tuple[Command, ...] = ()
    decisions: tuple[Decision, ...] = ()
    end: RunEnd | None = None
    is_unfinished: bool = False


class Verification(msgspec.Struct, frozen=True, rename="camel"):
    """Result of recomputing a run's digest chain.

    Attributes:
        is_intact: Whether every row matches and the chain ends in the head stored with the run.
        rows: Rows checked.
        head: Recomputed head, hex.
        problem: What does not match, and at which row.
    """

    is_intact: bool
    rows: int
    head: str
    problem: str = ""


class Histories(Protocol):
    """Reads histories."""

    async def entries(
        self, scope: Scope, run_id: str, after: int = 0, limit: int = 1000
    ) -> list[HistoryEntry]:
        """Rows of a run in order, from the one after `after`.

        Raises:
            NotFound: No such run in the scope.
            HistoryCorruptError: A row cannot be decoded.
        """
        ...

    async def verify(self, scope: Scope, run_id: str) -> Verification:
        """Recompute the chain from the stored bytes."""
        ...
