"""The watchlist's store in a SQL database, its keys in another: SQLite, or PostgreSQL where there are replicas."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import structlog

from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.key_encryption import KeyWrapper
from borderpost.runtime.keys import KEY_MIGRATIONS, SqlKeyStore, open_sqlite_keys
from borderpost.runtime.sql import Connection, SqlDatabase, chunks, explained, placeholders
from borderpost.runtime.sqlite import Database
from borderpost.watchlist.adapters.sql_change import SqlChange
from borderpost.watchlist.adapters.sql_former import seal_former
from borderpost.watchlist.adapters.sql_keys import (
    EntryKeyMissingError,
    EntryKeys,
    KeysDontFitError,
    key_id,
    open_store_key,
    unpaired,
)
from borderpost.watchlist.adapters.sql_loading import Loading
from borderpost.watchlist.adapters.sql_reading import SqlReading
from borderpost.watchlist.adapters.sql_schema import PAGE_BYTES, POSTGRES_MIGRATIONS, SQLITE_MIGRATIONS
from borderpost.watchlist.domain import EntryBlock
from borderpost.watchlist.ports import Progress, Stored

WHAT = "watchlist"
"""What can't be used, in errors."""

_log = structlog.get_logger(__name__)


class SqlStore:
    """A `Store`. The database was opened with `sql_schema`'s migrations, the keys are in another one."""

    def __init__(self, database: SqlDatabase, keys: SqlKeyStore) -> None:
        """Open it; where both are new, make the store's own key. KeysDontFitError if they are no pair."""
        self.database = database
        self._keys = keys
        self._left_over = True
        with explained(WHAT), database.transaction() as connection:
            _lock(connection)
            self._own = open_store_key(connection, keys)

    @contextmanager
    def change(self) -> Iterator[SqlChange]:
        """One change at a time, of all who share the store: durable at the block's end, undone if it raises.

        The keys of what it adds are put before it is committed, those of what it removes are destroyed after it.
        UnavailableError: the database or the key store can't be used now.
        """
        ending = False
        try:
            with explained(WHAT), self.database.transaction() as connection:
                change = self._change(connection)
                yield change
                ending = True
                change.finish()
        except BaseException:
            # Its keys may be put, and nothing says that it isn't committed.
            self._left_over = self._left_over or ending
            raise
        if change.removes:
            self.destroy_keys()

    @contextmanager
    def read(self) -> Iterator[SqlReading]:
        """One consistent state. UnavailableError."""
        with explained(WHAT), self.database.read() as connection:
            # A snapshot begins with its first statement: before the keys that belong to it are read.
            connection.execute("SELECT version FROM version").fetchone()
            yield SqlReading(connection, EntryKeys(self._keys, self._check_gone), self._own)

    def load(self, progress: Progress) -> Stored:
        """Everything that can be searched. The database is read while `blocks` are taken. UnavailableError."""
        with ExitStack() as opened:
            opened.enter_context(explained(WHAT))
            snapshot = opened.enter_context(self.database.snapshot())
            reading = SqlReading(snapshot, EntryKeys(self._keys, self._check_gone), self._own)
            version = reading.version
            loading = Loading(snapshot, self._check_gone, progress)
            lists = [row["list"] for row in snapshot.execute("SELECT list FROM lists").fetchall()]
            measured, suppressions = reading.measured(lists), reading.suppressions_of(lists)
            states = reading.lists()
            kept_open = opened.pop_all()
            blocks = self._blocks(loading, kept_open)
            weakref.finalize(blocks, kept_open.close)  # for blocks that are dropped before the first is taken
            return Stored(
                version=version,
                lists=states,
                measured=measured,
                suppressions=suppressions,
                blocks=blocks,
            )

    def secret(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose: the same for all who share the store, and in no database of theirs."""
        return self._own.for_purpose(purpose)

    def wait(self, seconds: float) -> None:
        """Return when another process may have changed the store, at the latest after that time."""
        self.database.wait(seconds)

    def scrub(self) -> None:
        """Leave nothing of what was removed in the store's files: rows, and keys that a killed process left over."""
        self.destroy_keys()
        if self._left_over:
            self._destroy_left_over()
        if not self.database.truncate_wal():
            _log.warning("removed_rows_still_in_wal", advice="they go with the next removal or restart")

    def destroy_keys(self) -> None:
        """Destroy the keys of removed entries. What can't be destroyed now stays noted for the next time."""
        try:
            with explained(WHAT), self.database.read() as connection:
                doomed = [row["place"] for row in connection.execute("SELECT place FROM doomed").fetchall()]
            if not doomed:
                return
            self._keys.destroy_many([key_id(place) for place in doomed])
            with explained(WHAT), self.database.transaction() as connection:
                connection.executemany("DELETE FROM doomed WHERE place = ?", [(place,) for place in doomed])
        except UnavailableError as error:
            _log.warning("keys_of_removed_entries_still_there", reason=error.reason, message=error.message)

    def close(self) -> None:
        """Close the database and the key store."""
        self.database.close()
        self._keys.close()

    def _change(self, connection: Connection) -> SqlChange:
        entry_keys = EntryKeys(self._keys, self._check_gone)
        return SqlChange(connection, entry_keys, self._own, self.database.announce)

    def _blocks(self, loading: Loading, opened: ExitStack) -> Iterator[EntryBlock]:
        with opened, self._keys.all() as keys:
            yield from loading.blocks(keys)

    def _destroy_left_over(self) -> None:
        """Destroy the keys of changes that never were committed, and entries that came back with a backup.

        While there is no change, or they would be its.
        """
        with explained(WHAT), self.database.transaction() as connection:
            change = self._change(connection)
            places = connection.execute("SELECT place FROM entries ORDER BY place")
            with self._keys.all() as keys:
                stray, keyless = unpaired((row["place"] for row in places), keys)
            if stray:
                self._keys.destroy_many(stray)
            change.remove_places(self._erased(keyless))
            change.finish()
        self._left_over = False

    def _erased(self, places: Sequence[int]) -> list[int]:
        """Which of these places' keys were destroyed."""
        destroyed = self._keys.destroyed([key_id(place) for place in places])
        return [place for place in places if key_id(place) in destroyed]

    def _check_gone(self, places: Sequence[int]) -> None:
        """Raise EntryKeyMissingError if one of these entries is there in the newest state, and was not erased."""
        lost = set(places) - set(self._erased(places))
        with self.database.snapshot() as snapshot:
            for some in chunks(sorted(lost)):
                query = f"SELECT place FROM entries WHERE place IN ({placeholders(some)}) LIMIT 1"  # noqa: S608
                if snapshot.execute(query, some).fetchone() is not None:
                    raise EntryKeyMissingError(
                        f"key store: got no key for {len(lost)} entries or more of the database, want one for each: "
                        "restore the keys"
                    )


def open_store(
    state_dir: Path,
    database: str,
    key_dir: Path | None,
    key_database: str,
    wrapper: KeyWrapper | None = None,
) -> SqlStore:
    """Open the store that the settings name, and bring it up to date.

    `database`, `key_database`: a PostgreSQL conninfo each, or empty: then SQLite files, in `state_dir` and `key_dir`
    (None: a folder in `state_dir`). `wrapper` encrypts the keys; None leaves them open, for what is thrown away.
    UnavailableError, KeysDontFitError, and what `Database` raises.
    """
    with ExitStack() as opened:
        keys = _open_keys(state_dir, key_dir, key_database, wrapper)
        opened.callback(keys.close)
        if database:
            server = _open_postgres(database, POSTGRES_MIGRATIONS, WHAT)
            opened.callback(server.close)
            store = SqlStore(server, keys)
        else:
            files = Database(state_dir / "watchlist.sqlite", SQLITE_MIGRATIONS, PAGE_BYTES)
            opened.callback(files.close)
            store = SqlStore(files, keys)
            seal_former(files, store)
        opened.pop_all()
        return store


def _open_keys(
    state_dir: Path, key_dir: Path | None, key_database: str, wrapper: KeyWrapper | None
) -> SqlKeyStore:
    if key_database:
        return SqlKeyStore(_open_postgres(key_database, KEY_MIGRATIONS, f"{WHAT} keys"), wrapper)
    folder = key_dir or state_dir / "keys" / "watchlist"
    if folder.resolve() == state_dir.resolve():
        raise KeysDontFitError(
            "watchlist.key_dir: got the folder of the database, want another: backups would hold both"
        )
    return open_sqlite_keys(folder / "keys.sqlite", wrapper)


def _open_postgres(conninfo: str, migrations: Sequence[str], name: str) -> SqlDatabase:
    """A PostgreSQL database that holds nothing else of the watchlist's: keys and what they open lie apart."""
    from borderpost.runtime.postgres import PostgresDatabase  # noqa: PLC0415  # SQLite needs no driver of its own

    database = PostgresDatabase(conninfo, migrations, name)
    with database.read() as connection:
        stores = connection.execute("SELECT count(*) AS count FROM borderpost_schema").fetchone()["count"]
    if stores > 1:
        database.close()
        raise KeysDontFitError(
            "watchlist.key_database: got the database that the keys open, want another: backups would hold both"
        )
    return database


def _lock(connection: Connection) -> None:
    """Wait for the change that is being made, if there is one, and shut out all others."""
    connection.execute("UPDATE version SET version = version")
