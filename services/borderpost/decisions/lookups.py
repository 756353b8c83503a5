"""Keyed hashes that screenings are found by, so that a number can be looked for without being stored."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from borderpost.decisions.domain import Lookup, LookupKind
from borderpost.decisions.ports import KeyStore
from borderpost.decisions.sealing import new_key
from borderpost.v1.decisions_pb2 import ScreeningPayload
from borderpost.v1.types_pb2 import DocumentKey

LOOKUP_KEY_ID: Final = "lookups"
"""The id of the key of all look-ups in the key store. It is never destroyed."""


def open_lookups(keys: KeyStore) -> Lookups:
    """Make look-ups with the key that is in the store, or with a new one. Of several services one at a time."""
    key = keys.get(LOOKUP_KEY_ID)
    if key is None:
        key = new_key()
        keys.put_many({LOOKUP_KEY_ID: key})
    return Lookups(key)


class Lookups:
    """Makes look-ups: HMAC-SHA-256 (FIPS 198-1) over the kind and what is looked for, in one form of writing."""

    def __init__(self, key: bytes) -> None:
        """`key`: 32 random bytes, the same for as long as the log lives."""
        self._key = key

    def document(self, document: DocumentKey) -> Lookup:
        """Of a document: code, state and number, as in the MRZ, without fillers and in capitals."""
        parts = (document.document_code, document.issuing_state, document.number)
        return self._make(
            LookupKind.DOCUMENT, "/".join(part.replace("<", "").strip().upper() for part in parts)
        )

    def list(self, list_id: str) -> Lookup:
        """Of a list that has a candidate."""
        return self._make(LookupKind.LIST, list_id)

    def entry(self, entry_id: str) -> Lookup:
        """Of a candidate."""
        return self._make(LookupKind.ENTRY, entry_id)

    def of_payload(self, payload: ScreeningPayload) -> frozenset[Lookup]:
        """Everything that a screening is found by."""
        found = set()
        document = payload.mrz.document
        if document.number:
            found.add(self.document(document))
        for result in payload.watchlists:
            if result.candidates:
                found.add(self.list(result.watchlist.list_id))
            found.update(self.entry(candidate.entry_id) for candidate in result.candidates)
        return frozenset(found)

    def _make(self, kind: LookupKind, value: str) -> Lookup:
        message = b"%d/%b" % (kind, value.encode())
        return Lookup(kind, hmac.new(self._key, message, hashlib.sha256).digest())
