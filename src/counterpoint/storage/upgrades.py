"""Brings a database to the current schema: numbered steps, forward only, one transaction."""

from __future__ import annotations

import apsw

from counterpoint.errors import StorageError
from counterpoint.storage.schema import SCHEMA_VERSION, UPGRADES

APPLICATION_ID = 0x43_50_4E_54
"""Marks the file as ours ("CPNT")."""

FORMAT = 1
"""Number of the layout of the data directory as a whole."""


def upgrade(connection: apsw.Connection) -> None:
    """Bring the schema up to date; must run inside a transaction.

    Raises:
        StorageError: The file belongs to another program, to a newer version, or lacks its meta rows.
    """
    version = connection.pragma("user_version")
    _check_ours(connection, version)
    if version > SCHEMA_VERSION:
        raise StorageError(
            f"the database has schema {version}, this version knows up to {SCHEMA_VERSION}:"
            " use a newer Counterpoint"
        )
    for number in range(version + 1, SCHEMA_VERSION + 1):
        connection.execute(UPGRADES[number])
    if version == 0:
        connection.pragma("application_id", APPLICATION_ID)
        connection.execute("INSERT INTO meta (key, value) VALUES ('format', ?), ('epoch', 0)", (FORMAT,))
    if version != SCHEMA_VERSION:
        connection.pragma("user_version", SCHEMA_VERSION)
    _check_meta(connection)


def _check_ours(connection: apsw.Connection, version: int) -> None:
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    found = connection.pragma("application_id")
    if (version or tables) and found != APPLICATION_ID:
        raise StorageError("the database was made by another program; choose an empty data directory")


def _check_meta(connection: apsw.Connection) -> None:
    rows = connection.execute("SELECT key, value FROM meta WHERE key IN ('format', 'epoch')")
    meta = {str(key): value for key, value in rows}
    if not isinstance(meta.get("epoch"), int) or not isinstance(meta.get("format"), int):
        raise StorageError("the database lacks its format or epoch; restore it from a backup")
    if meta["format"] != FORMAT:
        raise StorageError(f"the data directory has format {meta['format']}, this version knows {FORMAT}")
