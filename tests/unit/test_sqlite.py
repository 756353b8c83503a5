"""SQLite: durable settings, all or nothing, snapshots, migrations, and what can't be opened."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.sql import explained
from borderpost.runtime.sqlite import (
    Database,
    DatabaseInUseError,
    DatabaseTooNewError,
    DatabaseUnusableError,
    held_alone,
)

SCHEMA = (
    "CREATE TABLE parent (id INTEGER PRIMARY KEY); "
    "CREATE TABLE child (parent INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "folder" / "it.sqlite", [SCHEMA])
    yield database
    database.close()


def _count(database: Database) -> int:
    with database.read() as connection:
        (count,) = connection.execute("SELECT count(*) FROM parent").fetchone()
    return int(count)


def test_commits_wait_for_the_disk_and_deleted_content_is_overwritten(database: Database) -> None:
    with database.transaction() as connection:
        values = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


def test_the_file_and_its_folder_are_for_their_owner_only(database: Database, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "folder" / "it.sqlite").stat().st_mode) == 0o600


def test_a_transaction_that_raises_leaves_nothing_and_the_next_one_works(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO parent VALUES (1)")
            raise RuntimeError("told to fail")

    with pytest.raises(RuntimeError, match="told to fail"):
        fail()
    assert _count(database) == 0
    with database.transaction() as connection:
        connection.execute("INSERT INTO parent VALUES (2)")
    assert _count(database) == 1


def test_a_commit_that_fails_leaves_nothing_and_the_next_transaction_works(database: Database) -> None:
    def orphan() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO child VALUES (99)")

    with pytest.raises(sqlite3.IntegrityError):
        orphan()
    with database.transaction() as connection:
        connection.execute("INSERT INTO parent VALUES (1)")
    assert _count(database) == 1


def test_an_error_after_which_sqlite_has_rolled_back_by_itself_is_told_as_it_is(database: Database) -> None:
    def clash() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO parent VALUES (1)")
            connection.execute("INSERT OR ROLLBACK INTO parent VALUES (1)")

    with pytest.raises(sqlite3.IntegrityError):
        clash()
    assert _count(database) == 0


def test_a_reader_keeps_its_snapshot_while_another_thread_writes(database: Database) -> None:
    def write() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO parent VALUES (1)")

    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM parent").fetchone()[0] == 0
        writer = threading.Thread(target=write)
        writer.start()
        writer.join(10)
        assert connection.execute("SELECT count(*) FROM parent").fetchone()[0] == 0
    assert _count(database) == 1


def test_a_reading_connection_cant_write(database: Database) -> None:
    with database.read() as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("INSERT INTO parent VALUES (1)")


def test_writers_wait_for_one_another_and_none_is_lost(database: Database) -> None:
    def write(start: int) -> None:
        for number in range(start, start + 20):
            with database.transaction() as connection:
                connection.execute("INSERT INTO parent VALUES (?)", (number,))

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert _count(database) == 60


def test_a_migration_is_run_once_and_new_ones_follow(tmp_path: Path) -> None:
    path = tmp_path / "it.sqlite"
    Database(path, [SCHEMA]).close()
    Database(path, [SCHEMA]).close()
    database = Database(path, [SCHEMA, "ALTER TABLE parent ADD COLUMN name TEXT"])
    with database.transaction() as connection:
        connection.execute("INSERT INTO parent VALUES (1, 'one')")
    database.close()


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "it.sqlite"
    Database(path, [SCHEMA, "CREATE TABLE later (id)"]).close()
    with pytest.raises(DatabaseTooNewError, match="got schema version 2, want at most 1"):
        Database(path, [SCHEMA])
    Database(path, [SCHEMA, "CREATE TABLE later (id)"]).close()


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "it.sqlite"
    path.write_bytes(b"something else of somebody's " * 50)
    with pytest.raises(DatabaseUnusableError, match=r"it\.sqlite"):
        Database(path, [SCHEMA])
    assert path.read_bytes().startswith(b"something else")


def test_a_folder_that_cant_be_made_is_refused_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnusableError, match="can't be used"):
        Database(tmp_path / "file" / "it.sqlite", [SCHEMA])


def test_removed_content_is_in_neither_file_after_the_log_was_emptied(
    database: Database, tmp_path: Path
) -> None:
    canary = "CANARY-4711"
    with database.transaction() as connection:
        connection.execute("CREATE TABLE secret (text)")
        connection.execute("INSERT INTO secret VALUES (?)", (canary,))
    with database.transaction() as connection:
        connection.execute("DELETE FROM secret")
    assert database.truncate_wal()
    for file in (tmp_path / "folder").iterdir():
        assert canary.encode() not in file.read_bytes(), file.name


def test_a_database_that_is_held_alone_is_refused_to_another_and_free_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with held_alone(path), pytest.raises(DatabaseInUseError, match="another process"), held_alone(path):
        pass
    with held_alone(path):
        pass


def test_a_stream_gives_every_row_in_order_as_it_was_when_it_began(database: Database) -> None:
    with database.transaction() as connection:
        connection.executemany("INSERT INTO parent VALUES (?)", [(number,) for number in range(2_500)])
    with database.snapshot() as snapshot:
        rows = snapshot.stream("SELECT id, NULL FROM parent WHERE id >= ? ORDER BY id", (1,))
        assert next(rows) == (1, None)
        with database.transaction() as connection:
            connection.execute("DELETE FROM parent")
        assert list(rows) == [(number, None) for number in range(2, 2_500)]
    assert _count(database) == 0


def test_a_snapshot_cant_write(database: Database) -> None:
    with database.snapshot() as snapshot, pytest.raises(sqlite3.OperationalError, match="readonly"):
        snapshot.execute("INSERT INTO parent VALUES (1)")


def test_a_file_that_is_vacuumed_has_the_pages_that_are_asked_for_and_is_used_on(tmp_path: Path) -> None:
    path = tmp_path / "it.sqlite"
    Database(path, [SCHEMA]).close()
    database = Database(path, [SCHEMA], page_bytes=16384)
    database.vacuum()
    assert database.truncate_wal()
    with database.transaction() as connection:
        connection.execute("INSERT INTO parent VALUES (1)")
        assert connection.execute("PRAGMA page_size").fetchone()[0] == 16384
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert _count(database) == 1
    database.close()


def test_closing_wakes_who_waits(database: Database) -> None:
    thread = threading.Thread(target=database.wait, args=(100,))
    thread.start()
    database.close()
    thread.join(60)
    assert not thread.is_alive()


def test_what_no_second_try_mends_is_not_called_unavailable(database: Database) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"), explained("it"):
        database._writer.execute("SELECT * FROM none")


def test_a_database_that_somebody_else_keeps_locked_is_unavailable(
    database: Database, tmp_path: Path
) -> None:
    database._writer.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(tmp_path / "folder" / "it.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    unavailable = pytest.raises(UnavailableError, match="it: the database can't be used now")
    with unavailable as raised, explained("it"), database.transaction():
        pass
    assert raised.value.details == {"sqlite": "SQLITE_BUSY"}
    other.close()
