"""Tables of the one database, and their upgrades.

Hot tables are ordered by integers: a row of history has the number `run_no * 2**20 + seq`, so that rows of a
run lie together and appends go to the end; the public id of a run stands only in `runs`. Every user-visible
row carries a `scope_no` (namespace and environment).
"""

from __future__ import annotations

SEQ_BITS = 20
"""Bits of a row's sequence number in `history_no`: at most 1,048,575 rows a run."""

SCHEMA_VERSION = 1

UPGRADES: dict[int, str] = {
    1: """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

    CREATE TABLE scopes (
        scope_no INTEGER PRIMARY KEY, namespace TEXT NOT NULL, environment TEXT NOT NULL,
        UNIQUE (namespace, environment));

    CREATE TABLE workflows (
        workflow_no INTEGER PRIMARY KEY, scope_no INTEGER NOT NULL, name TEXT NOT NULL,
        active_revision INTEGER,
        UNIQUE (scope_no, name));

    CREATE TABLE revisions (
        revision_no INTEGER PRIMARY KEY, scope_no INTEGER NOT NULL, workflow_no INTEGER NOT NULL,
        version TEXT NOT NULL,
        digest TEXT NOT NULL, deployed INTEGER NOT NULL, actor TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '',
        criticality TEXT NOT NULL DEFAULT '', is_dev INTEGER NOT NULL DEFAULT 0, document BLOB NOT NULL,
        bundle BLOB NOT NULL, replaced_by INTEGER,
        UNIQUE (workflow_no, version, digest));

    CREATE TABLE runs (
        run_no INTEGER PRIMARY KEY, scope_no INTEGER NOT NULL, id TEXT NOT NULL UNIQUE,
        workflow_no INTEGER NOT NULL,
        revision_no INTEGER NOT NULL, status INTEGER NOT NULL, started INTEGER NOT NULL, ended INTEGER,
        actor TEXT NOT NULL, correlation_id TEXT NOT NULL, trace_id TEXT NOT NULL, start_key TEXT, gate TEXT,
        parent_no INTEGER, parent_step TEXT, origin TEXT, outcome TEXT, cause TEXT, head BLOB);
    CREATE INDEX runs_list ON runs (workflow_no, status, started);
    CREATE INDEX runs_open ON runs (status, run_no) WHERE status <> 7;
    CREATE UNIQUE INDEX runs_start_key ON runs (workflow_no, start_key) WHERE start_key IS NOT NULL;
    CREATE INDEX runs_gate ON runs (gate, run_no) WHERE gate IS NOT NULL AND status < 5;
    CREATE INDEX runs_parent ON runs (parent_no) WHERE parent_no IS NOT NULL;

    CREATE TABLE history (
        history_no INTEGER PRIMARY KEY, scope_no INTEGER NOT NULL, commit_no INTEGER NOT NULL,
        at INTEGER NOT NULL,
        format INTEGER NOT NULL, kind INTEGER NOT NULL, step TEXT, codec INTEGER NOT NULL, key_id TEXT,
        nonce BLOB NOT NULL, body BLOB NOT NULL, head BLOB NOT NULL);
    CREATE INDEX history_blobs ON history (history_no) WHERE format = 2;

    CREATE TABLE timers (
        due INTEGER NOT NULL, run_no INTEGER NOT NULL, step TEXT NOT NULL, kind INTEGER NOT NULL,
        scope_no INTEGER NOT NULL, PRIMARY KEY (due, run_no, step)) WITHOUT ROWID;
    CREATE INDEX timers_run ON timers (run_no);

    CREATE TABLE inbox (
        item_no INTEGER PRIMARY KEY, scope_no INTEGER NOT NULL, run_no INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        step TEXT, body BLOB NOT NULL);
    CREATE INDEX inbox_run ON inbox (run_no);

    CREATE TABLE actors (
        actor_no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, token_digest BLOB, created INTEGER NOT NULL,
        created_by TEXT NOT NULL, is_disabled INTEGER NOT NULL DEFAULT 0);

    CREATE TABLE audit (
        audit_no INTEGER PRIMARY KEY, scope_no INTEGER NOT NULL, commit_no INTEGER NOT NULL,
        at INTEGER NOT NULL,
        actor TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL, detail TEXT NOT NULL);

    CREATE TABLE blobs (
        digest TEXT PRIMARY KEY, size INTEGER NOT NULL, created INTEGER NOT NULL,
        marked INTEGER) WITHOUT ROWID;

    CREATE TABLE quarantine (
        table_name TEXT NOT NULL, row_no INTEGER NOT NULL, found INTEGER NOT NULL, reason TEXT NOT NULL,
        PRIMARY KEY (table_name, row_no)) WITHOUT ROWID;
    """,
}
"""SQL that leads from the version before to the numbered one; forward only."""
