"""The tables of the watchlist's database.

In clear lie ids, what is said of lists, validities, states, actors, versions, counts and keyed hashes. All that is said
of people is sealed under the key of its entry (`sealed`, `found`, `digest`); what is said of imports and of their rows,
and what was measured of lists, under the store's own.

A `place` (and every other number) is given once, in order of commit. Times are microseconds since 1970 (UTC).
`stamp`, `searched_from` and `removed.version` are versions of all lists together.
"""

from __future__ import annotations

from typing import Final

from borderpost.runtime.outbox import OUTBOX_SCHEMA

_FORMER: Final = """
    CREATE TABLE version (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL);
    INSERT INTO version VALUES (1, 0);
    CREATE TABLE lists (
        list_id TEXT PRIMARY KEY, name TEXT NOT NULL, authority TEXT NOT NULL, legal_basis TEXT NOT NULL,
        category TEXT NOT NULL, priority INTEGER NOT NULL, handling_instruction TEXT NOT NULL,
        target_fpir REAL NOT NULL, version INTEGER NOT NULL, changed_at INTEGER NOT NULL
    );
    CREATE TABLE entries (
        place INTEGER PRIMARY KEY AUTOINCREMENT, entry_id TEXT NOT NULL UNIQUE,
        list_id TEXT NOT NULL REFERENCES lists,
        birth_year INTEGER, birth_month INTEGER, birth_day INTEGER,
        reason_code TEXT NOT NULL, source_reference TEXT NOT NULL,
        valid_from INTEGER, valid_until INTEGER NOT NULL,
        proposed_issuer TEXT NOT NULL, proposed_subject TEXT NOT NULL,
        approved_issuer TEXT, approved_subject TEXT, approved_version INTEGER
    );
    CREATE INDEX entries_by_list ON entries (list_id, place);
    CREATE TABLE templates (
        entry INTEGER NOT NULL REFERENCES entries, place INTEGER NOT NULL,
        model_id TEXT NOT NULL, dimension INTEGER NOT NULL, vector BLOB NOT NULL
    );
    CREATE INDEX templates_by_entry ON templates (entry, place);
    CREATE INDEX templates_by_model ON templates (model_id, dimension);
    CREATE TABLE names (
        entry INTEGER NOT NULL REFERENCES entries, place INTEGER NOT NULL,
        primary_identifier TEXT NOT NULL, secondary_identifier TEXT NOT NULL
    );
    CREATE INDEX names_by_entry ON names (entry, place);
    CREATE TABLE documents (
        entry INTEGER NOT NULL REFERENCES entries, place INTEGER NOT NULL,
        document_code TEXT NOT NULL, issuing_state TEXT NOT NULL, number TEXT NOT NULL
    );
    CREATE INDEX documents_by_entry ON documents (entry, place)
"""
"""Tables of databases that were made before anything was sealed."""

FORMER_TABLES: Final = ("documents", "names", "templates", "entries", "lists", "version")
"""What they are called, those that refer to others first; with `former_` before it, once they are put aside."""

_PUT_ASIDE: Final = "; ".join(
    ["DROP INDEX entries_by_list", "DROP INDEX templates_by_entry", "DROP INDEX templates_by_model"]
    + ["DROP INDEX names_by_entry", "DROP INDEX documents_by_entry"]
    + [f"ALTER TABLE {table} RENAME TO former_{table}" for table in FORMER_TABLES]
    + ["CREATE INDEX former_templates_by_entry ON former_templates (entry, place)"]
    + ["CREATE INDEX former_names_by_entry ON former_names (entry, place)"]
    + ["CREATE INDEX former_documents_by_entry ON former_documents (entry, place)"]
)
"""`sql_former` seals what is in them, and drops them."""

_SEALED: Final = """
    CREATE TABLE version (
        one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, next_place INTEGER NOT NULL,
        forgotten INTEGER NOT NULL, keys_check BLOB
    );
    INSERT INTO version VALUES (1, 0, 1, 0, NULL);
    CREATE TABLE lists (
        list INTEGER PRIMARY KEY, list_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, retention INTEGER NOT NULL,
        schema INTEGER NOT NULL, content BLOB NOT NULL, version INTEGER NOT NULL, changed_at INTEGER NOT NULL,
        stamp INTEGER NOT NULL
    );
    CREATE TABLE actors (
        actor INTEGER PRIMARY KEY, issuer TEXT NOT NULL, subject TEXT NOT NULL, UNIQUE (issuer, subject)
    );
    CREATE TABLE models (
        model INTEGER PRIMARY KEY, model_id TEXT NOT NULL, dimension INTEGER NOT NULL, UNIQUE (model_id, dimension)
    );
    CREATE TABLE sources (
        source INTEGER PRIMARY KEY, list INTEGER NOT NULL REFERENCES lists, hash BLOB NOT NULL,
        changes INTEGER NOT NULL, UNIQUE (list, hash)
    );
    CREATE TABLE imports (
        import INTEGER PRIMARY KEY, import_id TEXT NOT NULL UNIQUE, list INTEGER NOT NULL REFERENCES lists,
        sealed BLOB NOT NULL
    );
    CREATE TABLE entries (
        place INTEGER PRIMARY KEY, entry_id TEXT NOT NULL UNIQUE, list INTEGER NOT NULL REFERENCES lists,
        valid_from INTEGER, valid_until INTEGER NOT NULL, ends INTEGER NOT NULL,
        templates INTEGER NOT NULL, pictures INTEGER NOT NULL, named INTEGER NOT NULL,
        proposed_by INTEGER NOT NULL REFERENCES actors,
        approved_by INTEGER REFERENCES actors, approved_version INTEGER, withdrawn_at INTEGER,
        searched_from INTEGER, stamp INTEGER,
        source INTEGER REFERENCES sources, record_hash BLOB, digest BLOB,
        pending INTEGER REFERENCES imports, hidden INTEGER NOT NULL
    );
    CREATE INDEX entries_in_order ON entries (list, place);
    CREATE INDEX entries_by_end ON entries (list, ends);
    CREATE INDEX entries_by_stamp ON entries (stamp);
    CREATE INDEX entries_by_record ON entries (source, record_hash);
    CREATE INDEX entries_by_import ON entries (pending);
    CREATE TABLE bodies (place INTEGER PRIMARY KEY REFERENCES entries ON DELETE CASCADE, sealed BLOB NOT NULL);
    CREATE TABLE pictures (place INTEGER PRIMARY KEY REFERENCES entries ON DELETE CASCADE, sealed BLOB NOT NULL);
    CREATE TABLE templates (
        run INTEGER PRIMARY KEY, place INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE,
        model INTEGER NOT NULL REFERENCES models, sealed BLOB NOT NULL
    );
    CREATE INDEX templates_in_order ON templates (place, run);
    CREATE INDEX templates_of_model ON templates (model, place);
    CREATE TABLE suppressions (
        number INTEGER PRIMARY KEY, suppression_id TEXT NOT NULL UNIQUE, list INTEGER NOT NULL REFERENCES lists,
        place INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE, found BLOB NOT NULL, needed INTEGER NOT NULL,
        proposed_by INTEGER NOT NULL REFERENCES actors, proposed_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
        confirmed_by INTEGER REFERENCES actors, revoked_by INTEGER REFERENCES actors
    );
    CREATE INDEX suppressions_in_order ON suppressions (list, number);
    CREATE INDEX suppressions_by_entry ON suppressions (place, number);
    CREATE TABLE measured (
        list INTEGER NOT NULL REFERENCES lists, model_id TEXT NOT NULL, sealed BLOB NOT NULL,
        PRIMARY KEY (list, model_id)
    );
    CREATE TABLE staged_rows (
        import INTEGER NOT NULL REFERENCES imports, line INTEGER NOT NULL, record_hash BLOB,
        place INTEGER, replaces INTEGER, reason TEXT, field TEXT, message TEXT,
        PRIMARY KEY (import, line)
    );
    CREATE INDEX staged_rows_by_record ON staged_rows (import, record_hash);
    CREATE TABLE removed (
        place INTEGER PRIMARY KEY, entry_id TEXT NOT NULL, searched_from INTEGER NOT NULL, version INTEGER NOT NULL
    );
    CREATE INDEX removed_by_version ON removed (version);
    CREATE TABLE doomed (place INTEGER PRIMARY KEY)
"""
"""`version` is locked by every change before all else. `templates` has a row for each run of templates of one model;
`named` counts names and documents. `removed` tells of entries that were searched; what is older than `forgotten` isn't
in it. `doomed` are the places of entries whose keys are to be destroyed."""

_USED_IDS: Final = """
    CREATE TABLE used_ids (entry_id TEXT PRIMARY KEY);
    INSERT INTO used_ids SELECT entry_id FROM entries WHERE source IS NULL UNION SELECT entry_id FROM removed
"""
"""The ids that callers gave entries, of removed ones too: an id means one content for ever, or what a second person has
seen could be swapped before they approve it. Ids of imported entries are random ones of the service's own."""

_OPEN_IMPORTS: Final = """
    ALTER TABLE imports ADD COLUMN begun_at INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE imports ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0;
    UPDATE imports SET begun_at = (SELECT max(changed_at) FROM lists);
    UPDATE imports SET is_open = 1 WHERE import IN (SELECT import FROM staged_rows);
    CREATE INDEX imports_by_begin ON imports (is_open, begun_at)
"""
"""When imports were begun, and which can still be gone on with: one that nobody goes on with is dropped in the end. For
those that were begun before this was kept, the time of the last change of any list stands in."""

_SUPPRESSED: Final = """
    ALTER TABLE lists ADD COLUMN suppressed INTEGER NOT NULL DEFAULT 0;
    UPDATE lists SET suppressed = stamp
"""
"""The stamp of a list at the last change of its suppressions: they are told again only then."""

_SEALED_ERRORS: Final = """
    ALTER TABLE staged_rows ADD COLUMN error BLOB
"""
"""Why a row can't be used, under the store's own key: part of it is its sender's words, which may be about the person.
Rows that were taken before have it in clear, in `reason`, `field` and `message`, until their import is at its end."""

_SINCE_SEALED: Final = (_USED_IDS, _OPEN_IMPORTS, _SUPPRESSED, _SEALED_ERRORS)

SQLITE_MIGRATIONS: Final = (OUTBOX_SCHEMA, _FORMER, _PUT_ASIDE, _SEALED, *_SINCE_SEALED)
POSTGRES_MIGRATIONS: Final = (OUTBOX_SCHEMA, _SEALED, *_SINCE_SEALED)

LIST_SCHEMA: Final = 1
"""`lists.schema`: which `Watchlist` message the content is."""

PAGE_BYTES: Final = 16384
"""Pages of the SQLite file: seven sealed templates of 512 dimensions fit into one; of SQLite's usual 4,096, one."""
