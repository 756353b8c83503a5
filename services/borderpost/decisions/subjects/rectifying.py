"""Statements beside screenings: what of a person's data is wrong, and what is right. The record itself stays."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from borderpost.decisions.domain import PAYLOAD_SCHEMA, EventFilter, NewEvent, Part, Record, new_event
from borderpost.decisions.errors import ScreeningNotFoundError
from borderpost.decisions.events import event_of
from borderpost.decisions.ports import EventIndex, EventLog, KeyStore
from borderpost.decisions.sealing import seal, unseal
from borderpost.decisions.subjects.ports import HeldScreening, SubjectStore
from borderpost.runtime.calls import Call, stated_purpose
from borderpost.runtime.clock import Clock, new_id
from borderpost.runtime.scopes import want_crossing
from borderpost.v1.decisions_pb2 import EventKind, Rectification, RectificationPayload

MOST: Final = 500
"""Statements beside one screening that are shown, the newest."""


class Rectifying:
    """Puts statements beside screenings, and reads them."""

    def __init__(
        self, log: EventLog, index: EventIndex, keys: KeyStore, store: SubjectStore, clock: Clock
    ) -> None:
        self._log = log
        self._index = index
        self._keys = keys
        self._store = store
        self._clock = clock

    def rectify(self, event_ids: Sequence[str], statement: str, call: Call) -> int:
        """Put a statement beside these screenings, all or none; return beside how many.

        PurposeMissingError; ScreeningNotFoundError: one is none, or nothing is held of it (any more); OutOfScopeError.
        """
        purpose = stated_purpose(call)
        wanted = sorted(set(event_ids))
        found = [each for each in self._store.screenings(wanted) if each.payload_held]
        if len(found) < len(wanted):
            raise ScreeningNotFoundError(
                f"event_ids: got {len(wanted) - len(found)} that are no screenings, or of which nothing is held (any "
                "more): nothing was written"
            )
        for screening in found:
            want_crossing(call, screening.crossing)
        self._log.append([self._event(screening, statement, purpose, call) for screening in found])
        return len(found)

    def of(self, screening: str) -> list[Rectification]:
        """Return the statements beside a screening, oldest first; none once its data is erased. Who calls it records
        who looks."""
        key = self._keys.get(screening)
        if key is None:
            return []
        kinds = frozenset({EventKind.EVENT_KIND_DATA_RECTIFIED})
        page = self._index.query(EventFilter(kinds=kinds, subject=screening), None, MOST)
        statements = [self._opened(record, key) for record in reversed(page.records)]
        return [statement for statement in statements if statement is not None]

    def _event(self, screening: HeldScreening, statement: str, purpose: str, call: Call) -> NewEvent:
        event_id, subject = new_id(), screening.event_id
        key = self._keys.get(subject)
        if key is None:  # erased just now
            raise ScreeningNotFoundError("event_ids: nothing is held (any more): nothing was written")
        plain = RectificationPayload(schema_version=PAYLOAD_SCHEMA, statement=statement)
        sealed = seal(key, plain.SerializeToString(deterministic=True), event_id)
        event = event_of(event_id, self._clock.now(), call.actor, purpose, subject)
        event.data_rectified.screening_event_id = subject
        event.payload_sha256 = sha256(sealed).digest()
        return new_event(event, sealed={Part.PAYLOAD: sealed})

    def _opened(self, record: Record, key: bytes) -> Rectification | None:
        event = record.event()
        sealed = self._log.ciphertext(event.event_id, Part.PAYLOAD)
        if sealed is None:
            return None
        plain = RectificationPayload.FromString(unseal(key, sealed, event.event_id))
        return Rectification(time=event.time, by=event.actor.subject, statement=plain.statement)
