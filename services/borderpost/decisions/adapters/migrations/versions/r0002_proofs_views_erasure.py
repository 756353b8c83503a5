"""Events without roots (checkpoints take their place), stored subtrees, sealed parts, look-ups, views, cases."""

from __future__ import annotations

from borderpost.decisions.adapters.migrations import execute

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    # The truth. `once` is what may be in the log once beside the event id: a kiosk's request, a step of a case.
    # `event` is NULL once its body was pruned; its leaf hash stays.
    """
    CREATE TABLE log (
        idx INTEGER PRIMARY KEY CHECK (idx >= 0),
        event_id TEXT NOT NULL UNIQUE,
        once TEXT UNIQUE,
        event BLOB,
        leaf_sha256 BLOB NOT NULL,
        logged_at INTEGER NOT NULL
    )
    """,
    """
    INSERT INTO log (idx, event_id, once, event, leaf_sha256, logged_at)
    SELECT e.idx, i.event_id,
           CASE WHEN i.request_id IS NOT NULL THEN 'screening/' || i.kiosk_id || '/' || i.request_id END,
           e.event, e.leaf_sha256, e.logged_at
    FROM events e JOIN event_index i ON i.idx = e.idx
    """,
    # Roots of complete subtrees of 256^level leaves (level 1 and above), as in C2SP tlog-tiles, for proofs.
    """
    CREATE TABLE subtrees (
        level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, position)
    )
    """,
    # Ciphertexts. part: 1 payload, 2 evidence.
    """
    CREATE TABLE sealed (
        event_id TEXT NOT NULL, part INTEGER NOT NULL, ciphertext BLOB NOT NULL, PRIMARY KEY (event_id, part)
    )
    """,
    "INSERT INTO sealed (event_id, part, ciphertext) SELECT event_id, 1, ciphertext FROM payloads",
    # What screenings are found by that is personal: keyed hashes. kind: 1 document, 2 list of a candidate, 3 candidate.
    """
    CREATE TABLE lookups (
        kind INTEGER NOT NULL, hash BLOB NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (kind, hash, idx)
    )
    """,
    "CREATE INDEX lookups_idx ON lookups (idx)",
    "CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, made_at INTEGER NOT NULL, note TEXT NOT NULL)",
    # Bodies from `start` up to `stop` were pruned; `note` signs it.
    "CREATE TABLE pruned (start INTEGER PRIMARY KEY, stop INTEGER NOT NULL, note TEXT NOT NULL)",
    # Views of the log: made of its events, dropped and made again at will. `upto` is the next index that a view needs.
    "CREATE TABLE views (name TEXT PRIMARY KEY, upto INTEGER NOT NULL)",
    "DROP TABLE event_reasons",
    "DROP TABLE event_index",
    "DROP TABLE events",
    "DROP TABLE payloads",
    """
    CREATE TABLE event_index (
        idx INTEGER PRIMARY KEY,
        kind INTEGER NOT NULL,
        time INTEGER NOT NULL,
        actor TEXT NOT NULL,
        subject TEXT,
        outcome INTEGER,
        kiosk_id TEXT,
        crossing TEXT,
        visit_id TEXT,
        request_id TEXT
    )
    """,
    "CREATE INDEX event_index_time ON event_index (time, idx)",
    "CREATE INDEX event_index_kind ON event_index (kind, idx)",
    "CREATE INDEX event_index_actor ON event_index (actor, idx)",
    "CREATE INDEX event_index_subject ON event_index (subject, idx)",
    "CREATE INDEX event_index_outcome ON event_index (outcome, idx)",
    "CREATE INDEX event_index_kiosk ON event_index (kiosk_id, idx)",
    "CREATE INDEX event_index_crossing ON event_index (crossing, idx)",
    "CREATE INDEX event_index_visit ON event_index (visit_id, idx)",
    "CREATE INDEX event_index_request ON event_index (request_id, idx)",
    # What else an event is found by. kind: 1 reason, 2 list, 3 entry.
    """
    CREATE TABLE event_terms (
        kind INTEGER NOT NULL, term TEXT NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (kind, term, idx)
    )
    """,
    "CREATE INDEX event_terms_idx ON event_terms (idx)",
    # Cases: a view too. `version` counts the case's events; times in microseconds since 1970, UTC.
    """
    CREATE TABLE cases (
        case_id TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        state INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        crossing TEXT NOT NULL,
        opened_at INTEGER NOT NULL,
        closed_at INTEGER,
        holder TEXT,
        lease_until INTEGER,
        body BLOB NOT NULL
    )
    """,
    "CREATE INDEX cases_queue ON cases (state, priority, opened_at)",
    "CREATE INDEX cases_crossing ON cases (crossing, state, priority, opened_at)",
    "CREATE INDEX cases_closed ON cases (closed_at)",
)


def upgrade() -> None:
    """Bring the tables to this revision."""
    execute(STATEMENTS)
