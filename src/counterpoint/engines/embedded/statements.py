"""Statements of the engine, for many rows at once."""

from __future__ import annotations

from msgspec.structs import replace

from counterpoint.storage.bulk import delete, insert, update

NEW_RUN = insert(
    "runs",
    "run_no, scope_no, id, workflow_no, revision_no, status, started, actor, correlation_id, trace_id,"
    " start_key, gate, parent_no, parent_step",
)
RUN_STATE = update("runs", "status, ended, outcome, cause, head", key="run_no")
NEW_HISTORY = insert(
    "history",
    "history_no, scope_no, at, format, kind, step, codec, key_id, nonce, body, head",
    commit="commit_no",
)
FORGET_HISTORY = delete("history", "history_no")
NEW_TIMER = replace(
    insert("timers", "due, run_no, step, kind, scope_no", key=3),
    tail=" ON CONFLICT DO NOTHING",  # a retry sets all timers again, also those that are still there
)
GONE_TIMER = delete("timers", "due, run_no, step")
NEW_INBOX = insert("inbox", "scope_no, run_no, kind, step, body", key=0)
GONE_INBOX = delete("inbox", "item_no")
NEW_AUDIT = insert("audit", "scope_no, at, actor, action, target, detail", commit="commit_no", key=0)
