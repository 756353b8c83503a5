"""Keys lie encrypted; the keys that encrypt them come from a file, can be changed, and are missed with a clear word."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.key_encryption import (
    FileKeyWrapper,
    KeyEncryptionError,
    KeyEncryptionKeyMissingError,
    Wrapped,
    add_key,
    load_wrapper,
    remove_key,
)
from borderpost.runtime.keys import KEY_MIGRATIONS, SqlKeyStore, open_postgres_keys, open_sqlite_keys
from borderpost.runtime.sealing import SealedDamagedError, new_key
from borderpost.runtime.settings import Settings
from borderpost.runtime.sqlite import Database
from fakes.postgres import shared_postgres

KEY = b"K" * 32


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keks" / "key-encryption.keys"
    path.parent.mkdir()
    add_key(path)
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path, file: Path):
    wrapper = FileKeyWrapper(file)
    if request.param == "sqlite":
        opened = open_sqlite_keys(tmp_path / "keys" / "keys.sqlite", wrapper)
    else:
        opened = open_postgres_keys(shared_postgres().new_database(), "test keys", wrapper)
    with closing(opened):
        yield opened


def test_what_is_wrapped_is_opened_for_the_same_id_alone(file: Path) -> None:
    wrapper = FileKeyWrapper(file)
    wrapped = wrapper.wrap("one", KEY)
    assert KEY not in wrapped.key
    assert wrapper.unwrap("one", wrapped) == KEY
    with pytest.raises(SealedDamagedError):
        wrapper.unwrap("other", wrapped)
    with pytest.raises(SealedDamagedError):
        wrapper.unwrap("one", Wrapped(wrapped.kek_id, wrapped.key[:-1] + bytes([wrapped.key[-1] ^ 1])))


def test_a_key_that_was_added_encrypts_at_once_and_the_former_still_opens(file: Path) -> None:
    wrapper = FileKeyWrapper(file)
    before = wrapper.wrap("one", KEY)
    added = add_key(file)
    assert wrapper.wrap("one", KEY).kek_id == added == wrapper.current
    assert wrapper.unwrap("one", before) == KEY


def test_a_key_that_is_gone_is_named(file: Path) -> None:
    wrapped = FileKeyWrapper(file).wrap("one", KEY)
    add_key(file)
    remove_key(file, wrapped.kek_id)
    with pytest.raises(KeyEncryptionKeyMissingError, match=wrapped.kek_id):
        FileKeyWrapper(file).unwrap("one", wrapped)


def test_the_key_that_encrypts_is_not_removed(file: Path) -> None:
    with pytest.raises(KeyEncryptionError, match="want an older key"):
        remove_key(file, FileKeyWrapper(file).current)


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", "kek-1\n", "kek-1 AAAA\n", "kek-1 not base64\n", f"KEK {'A' * 43}=\n", "a b c\n"],
)
def test_a_file_of_something_else_is_refused(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(KeyEncryptionError):
        FileKeyWrapper(file)


def test_a_file_that_is_not_text_is_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KeyEncryptionError, match="can't be read"):
        FileKeyWrapper(file)


def test_a_file_that_others_can_read_is_refused(file: Path) -> None:
    file.chmod(0o640)
    with pytest.raises(KeyEncryptionError, match="0600"):
        FileKeyWrapper(file)


def test_the_file_is_made_in_development_and_never_in_production(tmp_path: Path) -> None:
    path = tmp_path / "made.keys"
    with pytest.raises(KeyEncryptionError, match="borderpost keys new"):
        load_wrapper(Settings(mode="production", key_encryption_keys=path))
    wrapper = load_wrapper(Settings(mode="development", key_encryption_keys=path))
    assert path.stat().st_mode & 0o077 == 0
    assert load_wrapper(Settings(mode="production", key_encryption_keys=path)).current == wrapper.current


def test_keys_are_kept_encrypted_and_given_back_open(store: SqlKeyStore, file: Path) -> None:
    store.put_many({"one": KEY, "two": new_key()})
    assert store.get("one") == KEY
    with store.all() as keys:
        assert dict(keys)["one"] == KEY
    assert store.by_kek() == {FileKeyWrapper(file).current: 2}


def test_no_open_key_is_left_in_the_files_of_a_store_from_before(tmp_path: Path, file: Path) -> None:
    path = tmp_path / "keys" / "keys.sqlite"
    with closing(Database(path, KEY_MIGRATIONS[:2])) as former, former.transaction() as connection:
        connection.executemany(
            "INSERT INTO keys (id, key) VALUES (?, ?)", [(f"{number}", KEY) for number in range(2500)]
        )
    with closing(open_sqlite_keys(path, FileKeyWrapper(file))) as keys:
        assert keys.get("7") == KEY
        written = b"".join(found.read_bytes() for found in path.parent.iterdir())
        assert b"kek-" in written
        assert KEY not in written


def test_all_keys_are_encrypted_by_the_new_key_while_others_put_get_and_destroy(
    store: SqlKeyStore, file: Path
) -> None:
    store.put_many({f"old-{number}": KEY for number in range(2500)})
    current = add_key(file)
    stop = threading.Event()
    problems: list[Exception] = []

    def use() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                store.put_many({f"new-{number}": KEY})
                store.destroy_many([f"old-{number}"])
                if store.get(f"new-{number}") != KEY or store.get(f"old-{number}") is not None:
                    raise AssertionError(number)
            except UnavailableError:
                pass
            except Exception as error:
                problems.append(error)
                return

    user = threading.Thread(target=use)
    user.start()
    done = store.rewrap()
    stop.set()
    user.join()
    assert not problems
    assert done > 0
    assert set(store.by_kek()) == {current}
    assert store.get("old-1") is None
    assert store.get("old-2499") == KEY


def test_a_key_that_comes_while_all_are_encrypted_anew_is_the_one_in_the_end(
    store: SqlKeyStore, file: Path
) -> None:
    store.put_many({f"{number:04d}": KEY for number in range(1500)})
    added = [add_key(file)]

    def another(_: int) -> None:
        if len(added) < 3:
            added.append(add_key(file))

    store.rewrap(another)
    assert store.by_kek() == {added[-1]: 1500}


def test_of_many_who_add_a_key_at_once_none_loses_anothers(file: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        added = list(threads.map(lambda _: add_key(file), range(24)))
    assert set(FileKeyWrapper(file).ids) >= set(added)


def test_two_keys_with_one_id_are_refused(file: Path) -> None:
    line = file.read_text(encoding="utf-8").splitlines()[-1]
    file.write_text(f"{line}\n{line}\n", encoding="utf-8")
    with pytest.raises(KeyEncryptionError, match="each id once"):
        FileKeyWrapper(file)


def test_an_open_key_that_somebody_puts_beside_the_others_is_refused(tmp_path: Path, file: Path) -> None:
    path = tmp_path / "keys" / "keys.sqlite"
    with closing(open_sqlite_keys(path, FileKeyWrapper(file))) as keys:
        with closing(Database(path, KEY_MIGRATIONS)) as other, other.transaction() as connection:
            connection.execute("INSERT INTO keys (id, key) VALUES ('planted', ?)", (KEY,))
        with pytest.raises(KeyEncryptionError, match="somebody put it there"):
            keys.get("planted")


def test_what_was_interrupted_goes_on_the_next_time(store: SqlKeyStore, file: Path) -> None:
    store.put_many({f"{number:04d}": KEY for number in range(2500)})
    current = add_key(file)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.rewrap(interrupt)
    assert len(store.by_kek()) == 2
    store.rewrap()
    assert store.by_kek() == {current: 2500}


def test_an_encrypted_store_is_not_opened_without_the_key_encryption_keys(tmp_path: Path, file: Path) -> None:
    path = tmp_path / "keys" / "keys.sqlite"
    with closing(open_sqlite_keys(path, FileKeyWrapper(file))) as keys:
        keys.put("one", KEY)
    with closing(open_sqlite_keys(path)) as keys, pytest.raises(KeyEncryptionError):
        keys.get("one")


def test_an_id_is_what_it_says_and_a_key_has_32_bytes(file: Path) -> None:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    ((kek_id, encoded),) = [line.split() for line in lines]
    assert kek_id == FileKeyWrapper(file).current
    assert len(base64.b64decode(encoded)) == 32
