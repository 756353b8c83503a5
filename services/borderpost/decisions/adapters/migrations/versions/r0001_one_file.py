"""The log as it was in one SQLite file, before there were proofs: events with a root after each."""

from __future__ import annotations

from borderpost.decisions.adapters.migrations import execute

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE events (
        idx INTEGER PRIMARY KEY CHECK (idx >= 0),
        event BLOB NOT NULL,
        leaf_sha256 BLOB NOT NULL,
        root_sha256 BLOB NOT NULL,
        logged_at INTEGER NOT NULL
    )
    """,
    "CREATE TABLE payloads (event_id TEXT PRIMARY KEY, ciphertext BLOB NOT NULL)",
    """
    CREATE TABLE event_index (
        idx INTEGER PRIMARY KEY,
        event_id TEXT NOT NULL UNIQUE,
        kind INTEGER NOT NULL,
        time INTEGER NOT NULL,
        outcome INTEGER,
        kiosk_id TEXT,
        visit_id TEXT,
        request_id TEXT,
        UNIQUE (request_id, kiosk_id)
    )
    """,
    "CREATE TABLE event_reasons (idx INTEGER, reason TEXT, PRIMARY KEY (idx, reason))",
)


def upgrade() -> None:
    """Bring the tables to this revision."""
    execute(STATEMENTS)
