"""PostgreSQL behind the interface of SQLite: all or nothing, snapshots, migrations, news, and a server that is away."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.outbox import OUTBOX_SCHEMA, Outbox, enqueue
from borderpost.runtime.postgres import PostgresDatabase
from borderpost.runtime.sqlite import DatabaseTooNewError, DatabaseUnusableError
from borderpost.v1.decisions_pb2 import Event
from fakes.outbox import FakeLog
from fakes.postgres import shared_postgres

SCHEMA = (
    "CREATE TABLE parent (id INTEGER PRIMARY KEY, said TEXT, sealed BLOB) STRICT, WITHOUT ROWID;"
    "CREATE TABLE child (parent INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"
)


@pytest.fixture
def conninfo() -> str:
    return shared_postgres().new_database()


@pytest.fixture
def database(conninfo: str) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(conninfo, [SCHEMA], "test")
    yield database
    database.close()


def _insert(database: PostgresDatabase, *numbers: int) -> None:
    with database.transaction() as connection:
        connection.executemany("INSERT INTO parent (id) VALUES (?)", [(number,) for number in numbers])


def _count(database: PostgresDatabase) -> int:
    with database.read() as connection:
        return int(connection.execute("SELECT count(*) AS count FROM parent").fetchone()["count"])


def test_rows_come_back_by_name_as_they_were_given(database: PostgresDatabase) -> None:
    with database.transaction() as connection:
        row = (2**62, "what? 100 %", b"\x00\xff?")
        connection.execute("INSERT INTO parent VALUES (?, ?, ?)", row)
    with database.read() as connection:
        (found,) = connection.execute("SELECT * FROM parent WHERE said LIKE '%100 %'").fetchall()
        assert tuple(found[name] for name in ("id", "said", "sealed")) == row
        assert connection.execute("SELECT * FROM parent WHERE id = ?", (1,)).fetchone() is None


def test_a_stream_gives_every_row_in_order(database: PostgresDatabase) -> None:
    _insert(database, *range(2_500))
    with database.snapshot() as snapshot:
        rows = snapshot.stream("SELECT id, said FROM parent WHERE id >= ? ORDER BY id", (1,))
        others = snapshot.stream("SELECT id FROM parent ORDER BY id DESC")
        assert next(others) == (2_499,)
        assert list(rows) == [(number, None) for number in range(1, 2_500)]


def test_a_transaction_that_raises_leaves_nothing_and_the_next_one_works(database: PostgresDatabase) -> None:
    def fail() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO parent (id) VALUES (1)")
            raise RuntimeError("told to fail")

    with pytest.raises(RuntimeError, match="told to fail"):
        fail()
    assert _count(database) == 0
    _insert(database, 2)
    assert _count(database) == 1


def test_a_commit_that_fails_leaves_nothing(database: PostgresDatabase) -> None:
    def orphan() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO child VALUES (99)")

    with pytest.raises(psycopg.IntegrityError):
        orphan()
    _insert(database, 1)
    assert _count(database) == 1


def test_a_transaction_in_which_an_error_was_passed_over_is_not_taken_for_committed(
    database: PostgresDatabase,
) -> None:
    def pass_over() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO parent (id) VALUES (1)")
            with pytest.raises(psycopg.IntegrityError):
                connection.execute("INSERT INTO parent (id) VALUES (1)")

    with pytest.raises(UnavailableError):
        pass_over()
    assert _count(database) == 0


def test_a_reader_keeps_its_snapshot_and_cant_write(database: PostgresDatabase) -> None:
    with database.read() as connection:
        count = "SELECT count(*) AS count FROM parent"
        assert connection.execute(count).fetchone()["count"] == 0
        _insert(database, 1)
        assert connection.execute(count).fetchone()["count"] == 0
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("INSERT INTO parent (id) VALUES (2)")
    assert _count(database) == 1


def test_migrations_are_run_once_and_new_ones_follow(conninfo: str, database: PostgresDatabase) -> None:
    _insert(database, 1)
    later = PostgresDatabase(conninfo, [SCHEMA, "ALTER TABLE parent ADD COLUMN more INTEGER"], "test")
    with later.read() as connection:
        assert connection.execute("SELECT more FROM parent").fetchone() == {"more": None}
    later.close()
    with pytest.raises(DatabaseTooNewError, match="got schema version 2, want at most 1"):
        PostgresDatabase(conninfo, [SCHEMA], "test")


def test_processes_that_start_together_migrate_once(conninfo: str) -> None:
    opened: list[PostgresDatabase] = []
    threads = [
        threading.Thread(target=lambda: opened.append(PostgresDatabase(conninfo, [SCHEMA], "test")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(opened) == 4
    for database in opened:
        database.close()


def test_what_is_no_conninfo_is_refused(conninfo: str) -> None:
    with pytest.raises(DatabaseUnusableError, match="conninfo"):
        PostgresDatabase("postgresql://[", [SCHEMA], "test")


def test_who_waits_is_woken_by_a_commit(database: PostgresDatabase) -> None:
    database.wait(0)  # begins to listen
    thread = threading.Thread(target=database.wait, args=(100,))
    thread.start()
    with database.transaction() as connection:
        database.announce(connection)
    thread.join(60)
    assert not thread.is_alive()


def test_closing_wakes_who_waits(database: PostgresDatabase) -> None:
    database.wait(0)
    thread = threading.Thread(target=database.wait, args=(100,))
    thread.start()
    database.close()
    thread.join(60)
    assert not thread.is_alive()


def test_a_server_that_is_away_is_unavailable_and_used_again_when_it_is_back(
    conninfo: str, database: PostgresDatabase
) -> None:
    _insert(database, 1)
    database.wait(0)
    server = shared_postgres()
    server.refuse(conninfo)
    for _ in range(2):
        with pytest.raises(UnavailableError, match="try again"):
            _count(database)
        with pytest.raises(UnavailableError, match="try again"):
            _insert(database, 2)
        database.wait(0.01)
    with pytest.raises(UnavailableError):
        PostgresDatabase(conninfo, [SCHEMA], "test")
    server.refuse(conninfo, refused=False)
    assert _count(database) == 1
    database.wait(0.01)


def test_a_connection_that_broke_while_it_was_idle_is_not_noticed(
    conninfo: str, database: PostgresDatabase
) -> None:
    _insert(database, 1)
    shared_postgres().refuse(conninfo)
    shared_postgres().refuse(conninfo, refused=False)
    assert _count(database) == 1


async def test_an_outbox_keeps_its_order(conninfo: str) -> None:
    database, log = PostgresDatabase(conninfo, [OUTBOX_SCHEMA], "test"), FakeLog()
    for number in range(3):
        with database.transaction() as connection:
            enqueue(connection, Event(event_id=str(number)))
    outbox = Outbox(database, log.deliver)
    assert await outbox.deliver_batch() == 3
    assert await outbox.deliver_batch() == 0
    assert list(log.events) == ["0", "1", "2"]
    database.close()
