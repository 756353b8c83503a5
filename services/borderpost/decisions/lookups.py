"""Keyed hashes that screenings are found by, so that a number can be looked for without being stored."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Final

from borderpost.decisions.domain import Lookup, LookupKind
from borderpost.decisions.ports import KeyStore
from borderpost.decisions.sealing import new_key
from borderpost.v1.decisions_pb2 import AppendScreeningRequest, ScreeningPayload
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

    def portrait(self, sha256: bytes) -> Lookup:
        """Of the portrait on a chip, by its SHA-256."""
        return self._make(LookupKind.PORTRAIT, sha256.hex())

    def visit(self, visit_id: str) -> Lookup:
        """Of a visit, for its attempts to be counted."""
        return self._make(LookupKind.VISIT, visit_id)

    def adult_of(self, group_id: str) -> Lookup:
        """Of an adult of a group of travelers."""
        return self._make(LookupKind.ADULT_OF_GROUP, group_id)

    def of_screening(self, request: AppendScreeningRequest) -> frozenset[Lookup]:
        """Everything that a screening is found by."""
        return self.of_payload(request.payload) | frozenset(self._of_recent(request))

    def of_payload(self, payload: ScreeningPayload) -> frozenset[Lookup]:
        """Everything that a screening is found by because of what was found."""
        return frozenset(self._of_payload(payload))

    def _of_payload(self, payload: ScreeningPayload) -> Iterator[Lookup]:
        # What a page says and what its chip says may differ; whoever looks for either finds the screening.
        for document in (payload.mrz.document, payload.chip.mrz.document):
            if document.number:
                yield self.document(document)
        for result in payload.watchlists:
            if result.candidates:
                yield self.list(result.watchlist.list_id)
            for candidate in result.candidates:
                yield self.entry(candidate.entry_id)

    def _of_recent(self, request: AppendScreeningRequest) -> Iterator[Lookup]:
        yield self.visit(request.screening.visit_id)
        if request.recent.chip_portrait_sha256:
            yield self.portrait(request.recent.chip_portrait_sha256)
        if request.recent.adult and request.screening.group_id:
            yield self.adult_of(request.screening.group_id)

    def _make(self, kind: LookupKind, value: str) -> Lookup:
        message = b"%d/%b" % (kind, value.encode())
        return Lookup(kind, hmac.new(self._key, message, hashlib.sha256).digest())
