"""What is held about a person, and its erasure. Plain and synchronous; each may run in many threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from borderpost.decisions.domain import NewEvent, Part, Record, key_id, new_event
from borderpost.decisions.errors import ScreeningNotFoundError
from borderpost.decisions.events import consulted, event_of
from borderpost.decisions.lookups import Lookups
from borderpost.decisions.ports import EventLog, KeyStore
from borderpost.decisions.subjects.errors import CaseOpenError, ErasureUnfinishedError
from borderpost.decisions.subjects.ports import HeldScreening, Prover, SubjectStore
from borderpost.proofs.receipts import Receipt, receipt_text
from borderpost.runtime.calls import Call, stated_purpose
from borderpost.runtime.clock import Clock, from_timestamp, new_id
from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.scopes import OutOfScopeError, crossings_of, want_crossing
from borderpost.runtime.sql import chunks
from borderpost.v1.decisions_pb2 import RecordConsulted
from borderpost.v1.types_pb2 import DocumentKey

MAX_SHOWN: Final = 1000
"""Screenings of one answer (subjects.proto)."""

MAX_ERASED: Final = 1000
"""Screenings that one DATA_ERASED names (decisions.proto)."""

ALL: Final = 1_000_000
"""More screenings than one document can have."""

KEYS_AT_ONCE: Final = 500
"""Screenings whose keys are destroyed together."""

SUBJECT_REQUEST: Final = "SUBJECT_REQUEST"
UNLAWFUL: Final = "UNLAWFUL"
COURT_ORDER: Final = "COURT_ORDER"
BASES: Final = (SUBJECT_REQUEST, UNLAWFUL, COURT_ORDER)
"""Why data has to be erased (Directive (EU) 2016/680, art. 16(2)): asked for, unlawful to hold, or ordered."""

Sign = Callable[[str], str]
"""Makes a signed note of a text."""


@dataclass(frozen=True, slots=True)
class Erased:
    """An erasure that is finished: the signed receipt, and of how many screenings."""

    receipt: str
    screenings: int


class Subjects:
    """Finds what is held of a document, and erases it."""

    def __init__(
        self,
        log: EventLog,
        keys: KeyStore,
        store: SubjectStore,
        lookups: Lookups,
        prover: Prover,
        sign: Sign,
        origin: str,
        clock: Clock,
        forget: Callable[[Sequence[str]], None],
    ) -> None:
        """`origin`: the log's name in checkpoints. `forget`: what is held of these screenings in memory."""
        self._log = log
        self._keys = keys
        self._store = store
        self._lookups = lookups
        self._prover = prover
        self._sign = sign
        self._origin = origin
        self._clock = clock
        self._forget = forget
        self._one_at_a_time = threading.Lock()

    def find(self, document: DocumentKey, call: Call) -> tuple[list[HeldScreening], bool]:
        """Return the newest screenings of a document whose data is held, and whether there are more; at the caller's
        crossings, if they are limited to some.

        First record who looks, and why. PurposeMissingError.
        """
        purpose = stated_purpose(call)
        found = self._store.find(self._lookups.document(document), MAX_SHOWN + 1)
        own = crossings_of(call)
        shown = [each for each in found[:MAX_SHOWN] if not own or each.crossing in own]
        self._consulted(purpose, call, len(shown))
        return shown, len(found) > MAX_SHOWN

    def erase(self, document: DocumentKey | None, event_ids: Sequence[str], basis: str, call: Call) -> Erased:
        """Erase the data of a document's screenings, or of these, for good; return the receipt when all is done.

        1. It is recorded. What comes after can then be done again by anyone (`resume`).
        2. The keys are destroyed. From here on nothing can be read, in no backup of the log either.
        3. The ciphertexts are deleted, and what the screenings are found by.
        4. The files are scrubbed of what was deleted.
        5. A checkpoint is made that covers the event, and the receipt names both.

        Screenings whose data is gone already are accepted. PurposeMissingError; ScreeningNotFoundError: nothing is held
        of the document, or an id is no screening's; OutOfScopeError: one is at a crossing that isn't the caller's;
        CaseOpenError; ErasureUnfinishedError: recorded, not finished yet.
        """
        purpose = stated_purpose(call)
        found = self._wanted(document, event_ids)
        try:
            _check_found(found, document, event_ids)
            for screening in found:
                want_crossing(call, screening.crossing)
            _check_cases(found, basis)
        except (ScreeningNotFoundError, OutOfScopeError, CaseOpenError):
            self._consulted(purpose, call, len(found))  # a refusal tells something, too
            raise
        ids = [screening.event_id for screening in found]
        events = [self._erasure(some, basis, purpose, call) for some in chunks(ids, MAX_ERASED)]
        records = [appended.record for appended in self._log.append(events)]
        try:
            self.resume()
            receipt = self._receipt(records, ids, basis)
        except UnavailableError as error:
            raise ErasureUnfinishedError(
                "erasure: it is recorded and goes on by itself; for the receipt erase the screenings that the event "
                "names, by their ids, in some minutes",
                index=str(records[0].index),
                cause=error.reason,
            ) from error
        return Erased(receipt, len(ids))

    def resume(self) -> int:
        """Finish every erasure that was recorded and not finished; return how many. UnavailableError: call again.

        The log is the list of what is to do: what is remembered beside it is only up to where all of it is done. So
        there is nothing that could be lost between the event and a note of it, and whoever finishes one erasure
        finishes those before it as well. Doing one again changes nothing.
        """
        with self._one_at_a_time:
            recorded = self._store.recorded_erasures()
            if not recorded:
                return 0
            ids = list(dict.fromkeys(event_id for erasure in recorded for event_id in erasure.event_ids))
            for some in chunks(ids, KEYS_AT_ONCE):
                self._keys.destroy_many([key_id(event_id, part) for event_id in some for part in Part])
                self._store.delete_screenings(some)
                self._forget(some)
            if not self._store.scrub():
                raise UnavailableError(
                    "erasure: the data is gone, and readers keep the write-ahead log from being emptied: try again"
                )
            self._store.finish_erasures(recorded[-1].index + 1)
            return len(recorded)

    def _wanted(self, document: DocumentKey | None, event_ids: Sequence[str]) -> list[HeldScreening]:
        if document is not None:
            return self._store.find(self._lookups.document(document), ALL)
        return self._store.screenings(sorted(set(event_ids)))

    def _erasure(self, event_ids: Sequence[str], basis: str, purpose: str, call: Call) -> NewEvent:
        subject = event_ids[0] if len(event_ids) == 1 else ""
        event = event_of(new_id(), self._clock.now(), call.actor, purpose, subject)
        event.data_erased.screening_event_ids.extend(event_ids)
        event.data_erased.basis = basis
        return new_event(event)

    def _receipt(self, records: Sequence[Record], event_ids: Sequence[str], basis: str) -> str:
        covered = self._prover.cover([record.index for record in records])
        erased_at = from_timestamp(records[0].event().time)
        receipt = Receipt(
            self._origin, erased_at, basis, tuple(event_ids), covered.size, covered.root, covered.events
        )
        return self._sign(receipt_text(receipt))

    def _consulted(self, purpose: str, call: Call, shown: int) -> None:
        what = RecordConsulted(method=call.method, events_shown=shown, filters=["document"])
        self._log.append([new_event(consulted(new_id(), self._clock.now(), call.actor, purpose, what))])


def _check_found(
    found: Sequence[HeldScreening], document: DocumentKey | None, event_ids: Sequence[str]
) -> None:
    if document is not None and not found:
        raise ScreeningNotFoundError("document: nothing is held that could be found by it")
    missing = 0 if document is not None else len(set(event_ids)) - len(found)
    if missing:
        raise ScreeningNotFoundError(
            f"event_ids: got {missing} that are no screenings, or whose events were pruned: nothing was erased"
        )


def _check_cases(found: Sequence[HeldScreening], basis: str) -> None:
    """Let no request end a case on which an officer has not decided (Directive (EU) 2016/680, art. 15(1)(a), 16(3)(b)).

    Data that was unlawful to hold, or that a court orders to be erased, goes all the same.
    """
    opened = sum(screening.case_open for screening in found)
    if opened and basis == SUBJECT_REQUEST:
        raise CaseOpenError(
            f"screenings: {opened} of them have a case that isn't closed: close it first; nothing was erased",
            open_cases=str(opened),
        )
