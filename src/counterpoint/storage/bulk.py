"""Statements for many rows at once.

The writer's thread shares the interpreter lock with the engine: each step of SQLite that releases the lock
may have to wait to get it back. One statement with many rows releases it once. `Bulk` renders a statement for
a number of rows; the committer asks for a few fixed sizes so that the prepared statements stay cached.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec


class Effect(IntEnum):
    """What a statement does to the rows that it names."""

    INSERT = 1
    UPDATE = 2
    DELETE = 3


class Bulk(msgspec.Struct, frozen=True):
    """A statement over rows of equal shape; make one per statement, at import.

    Attributes:
        head: SQL before the rows.
        row: SQL of one row in brackets, such as `(?,?)`; `?1` stands for the commit number when `has_commit`.
        tail: SQL after the rows.
        arity: Values that one row brings (the commit number not counted).
        has_commit: Whether the first bound value of the statement is the commit number.
        table: Table that it changes.
        effect: What it does.
        key: Columns that name a row; their values stand first in each row. Empty when the database gives the
            key.
    """

    head: str
    row: str
    arity: int
    tail: str = ""
    has_commit: bool = False
    table: str = ""
    effect: Effect = Effect.INSERT
    key: tuple[str, ...] = ()

    def sql(self, rows: int) -> str:
        """The statement for a number of rows."""
        return f"{self.head}{','.join([self.row] * rows)}{self.tail}"

    def __hash__(self) -> int:
        return id(self)


def insert(table: str, columns: str, *, commit: str = "", key: int = 1) -> Bulk:
    """`INSERT` of rows.

    Args:
        table: Table.
        columns: List with commas; the columns of the primary key first.
        commit: Extra column that gets the commit number.
        key: How many of the columns form the primary key; 0 when the database gives it.
    """
    names = _names(columns)
    marks = ["?"] * len(names)
    key_names = tuple(names[:key])
    arity = len(names)
    if commit:
        names.insert(0, commit)
        marks.insert(0, "?1")
    head = f"INSERT INTO {table}({','.join(names)})VALUES"
    return Bulk(
        head,
        f"({','.join(marks)})",
        arity,
        has_commit=bool(commit),
        table=table,
        effect=Effect.INSERT,
        key=key_names,
    )


def update(table: str, columns: str, *, key: str) -> Bulk:
    """`UPDATE` of rows by key; each row brings the key first, then the columns."""
    names = _names(columns)
    sets = ",".join(f"{name}=v.column{i + 2}" for i, name in enumerate(names))
    marks = ",".join(["?"] * (len(names) + 1))
    return Bulk(
        f"UPDATE {table} SET {sets} FROM (VALUES",
        f"({marks})",
        len(names) + 1,
        f")AS v WHERE {table}.{key}=v.column1",
        table=table,
        effect=Effect.UPDATE,
        key=(key,),
    )


def delete(table: str, keys: str) -> Bulk:
    """`DELETE` of rows by one or several key columns."""
    names = _names(keys)
    marks = ",".join(["?"] * len(names))
    return Bulk(
        f"DELETE FROM {table} WHERE({','.join(names)})IN(VALUES",
        f"({marks})",
        len(names),
        ")",
        table=table,
        effect=Effect.DELETE,
        key=tuple(names),
    )


def _names(columns: str) -> list[str]:
    return [name.strip() for name in columns.split(",")]
