"""Suppressing a pair: officers found that the holder of a document is not the person of an entry.

A suppression is about what a search has found, and about nothing else: the pair travels sealed from the search to here
(`PairSeal`), with the entry's templates as they were and the holder's face. It ends by itself when any of them changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError

from borderpost.v1.watchlist_pb2 import SealedPair
from borderpost.watchlist import events, wire
from borderpost.watchlist.app import check_second_person, the_entry, the_list
from borderpost.watchlist.domain import (
    Caller,
    SearchQuery,
    Suppression,
    SuppressionState,
)
from borderpost.watchlist.errors import (
    EntryChangedError,
    PairInvalidError,
    SuppressionExistsError,
    SuppressionNotFoundError,
    TooManySuppressionsError,
)
from borderpost.watchlist.keeper import Keeper
from borderpost.watchlist.persons import DocumentKey
from borderpost.watchlist.ports import Change, Reading
from borderpost.watchlist.search import Found, as_the_list_asks
from borderpost.watchlist.templates import Template, digest

PAIR_SCHEMA: Final = 1
"""`SealedPair.schema_version` made and taken here."""

AT_ONCE: Final = 500
"""Suppressions that are read at a time."""

MOST_SUPPRESSIONS: Final = 10_000
"""Of a list, proposed or in force: each of its searches has them at hand, each change of one reads them anew."""

NONCE_BYTES: Final = 12
"""96 bits (NIST SP 800-38D, 8.2.2). Random ones may seal 2^32 pairs under one key."""

_BOUND_TO: Final = b"borderpost watchlist pair 1"


@dataclass(frozen=True, slots=True)
class Pair:
    """What a search found, as its own service sealed it."""

    list_id: str
    entry_id: str
    entry_sha256: bytes
    document: DocumentKey
    holder: tuple[Template, ...]


class PairSeal:
    """Seals pairs, with AES-256-GCM under a key that only the watchlist services of one installation have."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, found: Found, query: SearchQuery) -> bytes:
        """Make `Candidate.pair` of what a query with a document found."""
        pair = SealedPair(
            schema_version=PAIR_SCHEMA,
            list_id=found.list_id,
            entry_id=found.entry_id,
            entry_sha256=found.entry_sha256,
            document=None if query.document is None else wire.to_document(query.document),
            holder=map(wire.to_template, query.templates),
        )
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, pair.SerializeToString(), _BOUND_TO)

    def open(self, sealed: bytes) -> Pair:
        """Read what `seal` made. Raises PairInvalidError."""
        try:
            plain = self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _BOUND_TO)
            pair = SealedPair.FromString(plain)
        except (InvalidTag, ValueError, DecodeError):
            raise PairInvalidError(
                "pair: got bytes that no search here made, want `pair` of a candidate as it was answered",
                field="pair",
            ) from None
        return Pair(
            pair.list_id,
            pair.entry_id,
            pair.entry_sha256,
            wire.from_document(pair.document),
            tuple(map(wire.from_template, pair.holder)),
        )


class Suppressing:
    """The use cases of suppressions. Safe to call from several threads at a time."""

    def __init__(self, keeper: Keeper, pairs: PairSeal) -> None:
        self._keeper = keeper
        self._pairs = pairs

    def propose(
        self, suppression_id: str, sealed: bytes, reason: str, expires_at: datetime, by: Caller
    ) -> Suppression:
        """Suppress a pair, or propose it where the list asks for two people; the same again changes nothing.

        Raises PairInvalidError, EntryNotFoundError, EntryChangedError, SuppressionExistsError (another one is about the
        pair, too), TooManySuppressionsError, ListNotPermittedError.
        """
        pair = self._pairs.open(sealed)
        with self._keeper.change() as change:
            entry = the_entry(change, pair.entry_id, by, whole=True)
            asked = Suppression(
                suppression_id,
                pair.list_id,
                pair.entry_id,
                pair.document,
                pair.holder,
                pair.entry_sha256,
                reason,
                the_list(change, pair.list_id, by).watchlist.suppression_people,
                by.actor,
                self._keeper.clock.now(),
                expires_at,
            )
            kept = change.suppression(suppression_id)
            if kept is not None:
                return _same(kept, asked)
            if digest(entry.content.templates) != pair.entry_sha256:
                raise EntryChangedError(
                    "pair: the entry's templates are no longer those that were found, want a pair of a newer search"
                )
            _check_room(change, asked)
            self._keep(change, asked, events.PROPOSED, by)
        return asked

    def confirm(self, suppression_id: str, by: Caller) -> Suppression:
        """Put a proposed suppression in force, as another person. Raises SuppressionNotFoundError,
        SecondPersonNeededError.
        """
        with self._keeper.change() as change:
            kept = _the_suppression(change, suppression_id, by)
            watchlist = the_list(change, kept.list_id, by).watchlist
            needed = max(kept.needed, watchlist.suppression_people)
            if kept.confirmed_by is not None or needed == 1 or kept.revoked_by is not None:
                return kept
            check_second_person(kept.proposed_by, by)
            confirmed = replace(kept, confirmed_by=by.actor)
            self._keep(change, confirmed, events.CONFIRMED, by)
        return confirmed

    def revoke(self, suppression_id: str, by: Caller) -> Suppression:
        """End a suppression at once. Raises SuppressionNotFoundError."""
        with self._keeper.change() as change:
            kept = _the_suppression(change, suppression_id, by)
            if kept.revoked_by is not None:
                return kept
            revoked = replace(kept, revoked_by=by.actor, holder=())
            self._keep(change, revoked, events.REVOKED, by)
        return revoked

    def end_expired(self, by: Caller) -> int:
        """Forget the holders' faces of suppressions whose time is over; return how many there were."""
        now = self._keeper.clock.now()
        over = [
            each.suppression_id
            for view in self._keeper.view.lists.values()
            for group in view.suppressions.values()
            for each in group
            if each.holder and now >= each.expires_at
        ]
        for suppression_id in over:
            with self._keeper.change() as change:
                kept = change.suppression(suppression_id)
                if kept is not None and kept.holder:
                    self._keep(change, replace(kept, holder=()), events.ENDED, by)
        return len(over)

    def listed(
        self, list_id: str, entry_id: str | None, before: int | None, page_size: int, by: Caller
    ) -> tuple[Sequence[Suppression], int | None]:
        """Suppressions of a list, newest first, and the place before which the next page begins; None at the end.

        Raises WatchlistNotFoundError.
        """
        with self._keeper.read() as reading:
            the_list(reading, list_id, by)
            rows = reading.suppressions(list_id, entry_id, before, page_size + 1)
        shown = rows[:page_size]
        return [each for _, each in shown], shown[-1][0] if len(rows) > page_size else None

    def state(self, suppression: Suppression) -> SuppressionState:
        """Where a suppression stands now."""
        each = self._keeper.view.lists.get(suppression.list_id)
        if each is None:  # made by another process a moment ago
            return suppression.state(self._keeper.clock.now(), digest(()))
        asked = as_the_list_asks(suppression, each.state.watchlist)
        return asked.state(self._keeper.clock.now(), digest(each.templates_of(suppression.entry_id)))

    def _keep(self, change: Change, suppression: Suppression, what: str, by: Caller) -> None:
        change.put_suppression(suppression)
        state = change.bump(suppression.list_id, self._keeper.clock.now())
        change.record(events.suppression_changed(by, state, suppression, what))


def every_suppression(reading: Reading, list_id: str) -> Iterator[Suppression]:
    """All suppressions of a list, newest first."""
    before = None
    while rows := reading.suppressions(list_id, None, before, AT_ONCE):
        yield from (each for _, each in rows)
        before = rows[-1][0]


def _check_room(reading: Reading, asked: Suppression) -> None:
    """Raise SuppressionExistsError if the pair has a suppression that is proposed or in force, TooManySuppressionsError
    if the list has as many as it may.
    """
    for each in reading.standing(asked.entry_id, asked.proposed_at):
        if (each.document, each.entry_sha256) == (asked.document, asked.entry_sha256):
            raise SuppressionExistsError(
                f"pair: suppression {each.suppression_id} is about the same document and entry, want it confirmed, or "
                "revoked before a new one"
            )
    if reading.standing_count(asked.list_id, asked.proposed_at) >= MOST_SUPPRESSIONS:
        raise TooManySuppressionsError(
            f"list: got a suppression more than the {MOST_SUPPRESSIONS} that one may have at a time, want others "
            "revoked first"
        )


def _the_suppression(reading: Reading, suppression_id: str, by: Caller) -> Suppression:
    kept = reading.suppression(suppression_id)
    if kept is None:
        raise SuppressionNotFoundError(
            "suppression_id: got one that no suppression has, want one of `borderpost watchlist suppressions`"
        )
    the_list(reading, kept.list_id, by)
    return kept


def _same(kept: Suppression, asked: Suppression) -> Suppression:
    same = replace(
        kept, proposed_at=asked.proposed_at, confirmed_by=None, revoked_by=None, needed=asked.needed
    )
    if same != asked:
        raise SuppressionExistsError(
            "suppression_id: got the id of a suppression with other content, want a new id"
        )
    return kept
