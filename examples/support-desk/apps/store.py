"""The apps' database: what they hold, the answers that they gave, and every request that they got."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

SCHEMA = """
create table if not exists things (
  id integer primary key, kind text not null, reference text not null, body text not null);
create index if not exists things_by_reference on things (kind, reference);
create table if not exists accounts (id text primary key, name text not null, plan text not null);
create table if not exists answers (
  key text not null, route text not null, digest text not null, status integer not null, body text not null,
  primary key (key, route)) without rowid;
create table if not exists requests (
  id integer primary key, method text not null, path text not null, key text not null, ticket text not null,
  seen integer not null,
  made_effect integer not null default 0, replayed integer not null default 0,
  failure text not null default '', status integer not null default 0,
  correlation text not null, traceparent text not null);
create index if not exists requests_by_ticket on requests (ticket, path);
"""

KINDS = ("issue", "note", "message", "incident")
"""What the apps make for a ticket."""


class Answer(NamedTuple):
    """An answer that was given under an idempotency key."""

    digest: str
    status: int
    body: str


class Arrival(NamedTuple):
    """A request as it is recorded when it arrives."""

    method: str
    path: str
    key: str
    ticket: str
    correlation: str
    traceparent: str


class Store:
    """Everything that the apps keep.

    Args:
        file: Database file; made if it is absent.
    """

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file, isolation_level=None)
        self._database.execute("pragma journal_mode=wal")
        self._database.execute("pragma synchronous=normal")
        self._database.executescript(SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def add_accounts(self, accounts: Iterable[tuple[str, str, str]]) -> None:
        """Accounts as id, name and plan; known ones stay as they are."""
        self._database.executemany("insert or ignore into accounts values (?, ?, ?)", accounts)

    def account(self, account: str) -> dict[str, Any] | None:
        """An account, or None."""
        row = self._database.execute(
            "select id, name, plan from accounts where id = ?", (account,)
        ).fetchone()
        return None if row is None else dict(zip(("id", "name", "plan"), row, strict=True))

    def record(self, arrival: Arrival) -> tuple[int, int]:
        """Number of a request that arrived, and how often its ticket came to this path before."""
        seen = self._database.execute(
            "select count(*) from requests where ticket = ? and path = ?", (arrival.ticket, arrival.path)
        ).fetchone()[0]
        cursor = self._database.execute(
            """insert into requests (method, path, key, ticket, correlation, traceparent, seen)
               values (?, ?, ?, ?, ?, ?, ?)""",
            (*arrival, seen + 1),
        )
        return int(cursor.lastrowid or 0), seen

    def settle(self, request: int, status: int, failure: str, replayed: bool = False) -> None:
        """Record how a request was answered; status 0 means not at all."""
        self._database.execute(
            "update requests set status = ?, failure = ?, replayed = ? where id = ?",
            (status, failure, replayed, request),
        )

    def answer(self, key: str, route: str) -> Answer | None:
        """Answer that was given to a key, or None."""
        row = self._database.execute(
            "select digest, status, body from answers where key = ? and route = ?", (key, route)
        ).fetchone()
        return None if row is None else Answer(*row)

    def make(
        self, kind: str, body: dict[str, Any], request: int, claim: tuple[str, str, str] | None
    ) -> dict[str, Any]:
        """Make a thing and, in the same transaction, keep the answer under the key.

        Args:
            kind: What to make.
            body: What it holds; `reference` names the ticket.
            request: Number of the request.
            claim: Key, route and digest of the request, or None if it has no key.
        """
        # The effect and the answer are one transaction: a death between them would make a repetition double.
        with self._database:
            self._database.execute("begin immediate")
            cursor = self._database.execute(
                "insert into things (kind, reference, body) values (?, ?, ?)",
                (kind, str(body.get("reference", "")), json.dumps(body)),
            )
            thing = {**body, "number": cursor.lastrowid}
            if claim is not None:
                self._database.execute(
                    "insert into answers values (?, ?, ?, 201, ?)", (*claim, json.dumps(thing))
                )
            self._database.execute("update requests set made_effect = 1 where id = ?", (request,))
        return thing

    def thing(self, kind: str, number: int) -> dict[str, Any] | None:
        """A thing by its number, or None."""
        row = self._database.execute(
            "select body from things where kind = ? and id = ?", (kind, number)
        ).fetchone()
        return None if row is None else {**json.loads(row[0]), "number": number}

    def change(self, kind: str, number: int, changes: dict[str, Any]) -> dict[str, Any] | None:
        """A thing with some members changed, or None; changing it twice is the same as once."""
        thing = self.thing(kind, number)
        if thing is None:
            return None
        changed = {**thing, **changes, "number": number}
        self._database.execute("update things set body = ? where id = ?", (json.dumps(changed), number))
        return changed

    def references(self, kind: str) -> dict[str, int]:
        """How many things of a kind there are for each ticket."""
        rows = self._database.execute(
            "select reference, count(*) from things where kind = ? group by reference", (kind,)
        )
        return dict(rows.fetchall())

    def figures(self) -> dict[str, Any]:
        """Requests by what became of them, and the correlation id with the most of them."""
        row = self._database.execute(
            "select count(*), sum(made_effect), sum(replayed), sum(seen > 1 and ticket != '') from requests"
        ).fetchone()
        failures = self._database.execute(
            "select failure, count(*) from requests where failure != '' group by failure order by failure"
        ).fetchall()
        busiest = self._database.execute(
            """select correlation from requests group by correlation
               order by count(*) desc, correlation limit 1"""
        ).fetchone()
        names = ("requests", "effects", "replayed", "repeated")
        counts = {n: v or 0 for n, v in zip(names, row, strict=True)}
        return {**counts, "failures": dict(failures), "busiest": busiest[0] if busiest else ""}
