"""Statements for many rows at once.

The writer's thread shares the interpreter lock with the engine: each step of SQLite that releases the lock may have to wait
to get it back. One statement with many rows releases it once. `Bulk` renders a statement for a number of rows; the writer
asks for a few fixed sizes so that the prepared statements stay cached.
"""

from __future__ import annotations

import msgspec


class Bulk(msgspec.Struct, frozen=True):
    """A statement over rows of equal shape.

    Attributes:
        head: SQL before the rows.
        row: SQL of one row in brackets, such as `(?, ?)`; `?1` stands for the commit number when `has_commit`.
        tail: SQL after the rows.
        arity: Values that one row brings (the commit number not counted).
        has_commit: Whether the first bound value of the statement is the commit number.
    """

    head: str
    row: str
    arity: int
    tail: str = ""
    has_commit: bool = False

    def sql(self, rows: int) -> str:
        """The statement for a number of rows."""
        return f"{self.head}{','.join([self.row] * rows)}{self.tail}"

    def __hash__(self) -> int:
        return id(self)


def insert(table: str, columns: str, *, commit: str = "") -> Bulk:
    """`INSERT` of rows; `columns` is a list with commas, `commit` an extra column that gets the commit number."""
    names = [c.strip() for c in columns.split(",")]
    marks = ["?"] * len(names)
    if commit:
        names.insert(0, commit)
        marks.insert(0, "?1")
    return Bulk(f"INSERT INTO {table} ({', '.join(names)}) VALUES ", f"({', '.join(marks)})", len(marks) - bool(commit),
                has_commit=bool(commit))


def update(table: str, columns: str, *, key: str) -> Bulk:
    """`UPDATE` of rows by key; each row brings the key first, then the columns."""
    names = [c.strip() for c in columns.split(",")]
    sets = ", ".join(f"{name} = v.column{i + 2}" for i, name in enumerate(names))
    marks = ", ".join(["?"] * (len(names) + 1))
    return Bulk(f"UPDATE {table} SET {sets} FROM (VALUES ", f"({marks})", len(names) + 1,
                f") AS v WHERE {table}.{key} = v.column1")


def delete(table: str, keys: str) -> Bulk:
    """`DELETE` of rows by one or several key columns."""
    names = [c.strip() for c in keys.split(",")]
    marks = ", ".join(["?"] * len(names))
    return Bulk(f"DELETE FROM {table} WHERE ({', '.join(names)}) IN (VALUES ", f"({marks})", len(names), ")")
