"""The keys of the watchlist's store: one for each entry, and the store's own.

An entry's key has its place as id. The store's own is made once; from it come the key of keyed hashes and the key of
what belongs to no entry. The database keeps a hash of it, so that keys and database of different stores are never
taken for a pair: they would be taken for left over, and destroyed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.keys import KeyStore
from borderpost.runtime.sealing import new_key, seal, unseal
from borderpost.runtime.sql import Connection

CheckGone = Callable[[Sequence[int]], None]
"""Raises EntryKeyMissingError if an entry at one of these places, whose key is gone, is still there."""


class KeysDontFitError(BorderpostError):
    """The key store is not this database's: another one's, a new one, or an older copy."""

    reason = "KEYS_DONT_FIT"


class EntryKeyMissingError(BorderpostError):
    """An entry is there and its key is not: what is said of the person can't be read, nor searched."""

    reason = "ENTRY_KEY_MISSING"


def key_id(place: int) -> str:
    """The id of the key of the entry at a place. Ids sort as places do."""
    return f"{place:019d}"


OWN_KEY: Final = key_id(0)
"""No entry has place 0."""


class StoreKey:
    """The store's own key: hashes by which records are found, and seals what belongs to no entry."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._secret = secret
        self._hashing = _derive(secret, b"keyed hashes")
        self._sealing = _derive(secret, b"what belongs to no entry")

    def for_purpose(self, purpose: str) -> bytes:
        """A key for something that isn't the store's own."""
        return _derive(self._secret, f"purpose\0{purpose}".encode())

    def source_hash(self, source: str) -> bytes:
        """Of a source's name."""
        return _derive(self._hashing, f"source\0{source}".encode())

    def record_hash(self, source: str, record_id: str) -> bytes:
        """Of a record of a source."""
        return _derive(self._hashing, f"record\0{len(source)}\0{source}{record_id}".encode())

    def seal(self, plaintext: bytes, bound_to: str) -> bytes:
        """Encrypt what belongs to no entry."""
        return seal(self._sealing, plaintext, bound_to.encode())

    def unseal(self, sealed: bytes, bound_to: str) -> bytes:
        """Decrypt it."""
        return unseal(self._sealing, sealed, bound_to.encode())


class EntryKeys:
    """The keys of entries; in a change with those that it adds, which are put before it is committed."""

    def __init__(self, store: KeyStore, check_gone: CheckGone) -> None:
        self._store = store
        self._check_gone = check_gone
        self._new: dict[int, bytes] = {}

    def of(self, places: Sequence[int]) -> dict[int, bytes]:
        """The keys of entries; none for an entry that is removed meanwhile. EntryKeyMissingError."""
        asked = [key_id(place) for place in places if place not in self._new]
        stored = self._store.get_many(asked) if asked else {}
        keys = {place: self._new.get(place) or stored.get(key_id(place)) for place in places}
        missing = [place for place, key in keys.items() if key is None]
        if missing:
            self._check_gone(missing)
        return {place: key for place, key in keys.items() if key is not None}

    def make(self, place: int) -> bytes:
        """A key for a new entry."""
        key = self._new[place] = new_key()
        return key

    def put(self) -> None:
        """Keep the new keys; durable when it returns."""
        if self._new:
            self._store.put_many({key_id(place): key for place, key in self._new.items()})


def open_store_key(connection: Connection, keys: KeyStore) -> StoreKey:
    """The store's own key, made if both database and key store are new. KeysDontFitError if they are no pair."""
    row = connection.execute("SELECT keys_check FROM version").fetchone()
    secret = keys.get(OWN_KEY)
    if row["keys_check"] is None:
        secret = secret or _first_secret(keys)
        with keys.all() as every:
            if len(list(islice(every, 2))) > 1:
                raise KeysDontFitError(
                    "key store: got keys of another database, want an empty one for a new database: name another place"
                )
        connection.execute("UPDATE version SET keys_check = ?", (_check(secret),))
    elif secret is None or not hmac.compare_digest(_check(secret), bytes(row["keys_check"])):
        raise KeysDontFitError(
            "key store: got none or another database's keys, want those that this database was used with: "
            "set watchlist.key_dir or key_database, or restore them"
        )
    return StoreKey(secret)


def unpaired(places: Iterator[int], keys: Iterator[tuple[str, bytes]]) -> tuple[list[str], list[int]]:
    """The ids of keys of no place, and the places without a key; both come in rising order."""
    stray: list[str] = []
    keyless: list[int] = []
    place = next(places, None)
    for each, _ in keys:
        while place is not None and place < int(each):
            keyless.append(place)
            place = next(places, None)
        if place == int(each):
            place = next(places, None)
        elif each != OWN_KEY:
            stray.append(each)
    if place is not None:
        keyless.append(place)
    keyless.extend(places)
    return stray, keyless


def _first_secret(keys: KeyStore) -> bytes:
    secret = new_key()
    keys.put_many({OWN_KEY: secret})
    return secret


def _derive(secret: bytes, what: bytes) -> bytes:
    return hmac.digest(secret, what, hashlib.sha256)


def _check(secret: bytes) -> bytes:
    return _derive(secret, b"the database of this key store")
