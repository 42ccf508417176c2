"""Control-plane records in the one SQLite database."""

from counterpoint.stores.sqlite.records import SqliteRecordStore
from counterpoint.stores.sqlite.revisions import SqliteRevisions
from counterpoint.stores.sqlite.stuck import SqliteStuckRuns

__all__ = ["SqliteRecordStore", "SqliteRevisions", "SqliteStuckRuns"]
