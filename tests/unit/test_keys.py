"""The key store: keys are there once it says so, come in order, and are gone for good once they are destroyed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.keys import KEY_MIGRATIONS, SqlKeyStore, open_sqlite_keys
from borderpost.runtime.sqlite import Database

KEYS = {f"{number:03}": bytes([number]) * 32 for number in (7, 3, 200, 1)}


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[SqlKeyStore]:
    keys = open_sqlite_keys(tmp_path / "keys" / "keys.sqlite")
    yield keys
    keys.close()


def test_keys_are_got_as_they_were_put(keys: SqlKeyStore) -> None:
    keys.put_many(KEYS)
    assert keys.get("007") == KEYS["007"]
    assert keys.get("none") is None
    assert keys.get_many(["003", "none", "200"]) == {"003": KEYS["003"], "200": KEYS["200"]}
    assert keys.get_many([]) == {}


def test_a_key_is_replaced_by_one_that_is_put_again(keys: SqlKeyStore) -> None:
    keys.put_many(KEYS)
    keys.put("007", b"x" * 32)
    assert keys.get("007") == b"x" * 32


def test_all_keys_come_in_order_of_their_ids_as_they_were_at_the_beginning(keys: SqlKeyStore) -> None:
    keys.put_many(KEYS)
    with keys.all() as every:
        keys.put("500", b"x" * 32)
        assert list(every) == sorted(KEYS.items())


def test_thousands_of_keys_are_got_and_destroyed_at_once(keys: SqlKeyStore) -> None:
    many = {f"{number:06}": number.to_bytes(32, "big") for number in range(2_500)}
    keys.put_many(many)
    assert keys.get_many(list(many)) == many
    keys.destroy_many(list(many)[1:])
    with keys.all() as every:
        assert list(every) == [("000000", bytes(32))]


def test_a_destroyed_key_is_in_no_file(keys: SqlKeyStore, tmp_path: Path) -> None:
    key = b"CANARY KEY OF 32 BYTES, NO OTHER"
    keys.put("a", key)
    files = list((tmp_path / "keys").iterdir())
    assert any(key in file.read_bytes() for file in files)
    keys.destroy_many(["a", "none"])
    assert not any(key in file.read_bytes() for file in files)


def test_a_destroyed_key_is_told_from_a_lost_one_and_can_be_put_anew(keys: SqlKeyStore) -> None:
    keys.put_many(KEYS)
    keys.destroy_many(["003", "none"])
    assert keys.destroyed(["001", "003", "none"]) == {"003"}
    keys.put("003", b"n" * 32)
    assert keys.destroyed(["003"]) == set()
    assert keys.get("003") == b"n" * 32


def test_destruction_that_a_reader_keeps_from_its_end_says_so_and_ends_the_next_time(
    keys: SqlKeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.put_many(KEYS)
    with monkeypatch.context() as patched:
        patched.setattr(Database, "truncate_wal", lambda database: False)
        with pytest.raises(UnavailableError, match="try again"):
            keys.destroy("007")
    keys.destroy("007")
    assert keys.get("007") is None


def test_many_threads_put_and_get(keys: SqlKeyStore) -> None:
    def put(start: int) -> None:
        for number in range(start, start + 20):
            keys.put(f"{number:04}", number.to_bytes(32, "big"))
            assert keys.get(f"{number:04}") is not None

    threads = [threading.Thread(target=put, args=(start,)) for start in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with keys.all() as every:
        assert len(list(every)) == 60


def test_a_key_store_that_was_made_for_events_alone_is_used_on(tmp_path: Path) -> None:
    path = tmp_path / "keys.sqlite"
    former = Database(path, KEY_MIGRATIONS[:1])
    with former.transaction() as connection:
        connection.execute("INSERT INTO keys (event_id, key) VALUES (?, ?)", ("event", b"k" * 32))
    former.close()
    keys = open_sqlite_keys(path)
    assert keys.get("event") == b"k" * 32
    keys.close()
