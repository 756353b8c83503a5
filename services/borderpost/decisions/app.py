"""The use cases of the decision log: screenings and queries. Plain and synchronous; each may run in many threads at
once.

Referrals are in `cases`, erasure and retention in `subjects`, checkpoints and proofs in `transparency`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from borderpost.decisions.cases.opening import opening
from borderpost.decisions.domain import (
    Appended,
    EventFilter,
    NewEvent,
    Page,
    Part,
    Record,
    case_once,
    key_id,
    new_event,
    screening_once,
)
from borderpost.decisions.errors import (
    OnceTakenError,
    PayloadDamagedError,
    RequestIdReusedError,
    ScreeningNotFoundError,
)
from borderpost.decisions.events import consulted, screened
from borderpost.decisions.lookups import Lookups
from borderpost.decisions.ports import EventIndex, EventLog, KeyStore
from borderpost.decisions.sealing import new_key, seal, unseal
from borderpost.runtime.calls import Call, stated_purpose
from borderpost.runtime.clock import Clock, new_id
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.scopes import want_crossing
from borderpost.v1.decisions_pb2 import (
    AppendScreeningRequest,
    RecordConsulted,
    ScreeningEvidence,
    ScreeningPayload,
    TravelerScreened,
)
from borderpost.v1.types_pb2 import Outcome

Found = tuple[Record, ScreeningPayload | None, ScreeningEvidence | None]
"""A screening with what is still held of it."""

KeepsEvidence = Callable[[TravelerScreened], bool]
"""Whether pictures of a screening are kept at all: the retention rules say it."""


class Decisions:
    """Writes down what was found, and says what was written. Takes requests that `validate` has passed."""

    def __init__(
        self,
        log: EventLog,
        index: EventIndex,
        keys: KeyStore,
        lookups: Lookups,
        clock: Clock,
        keeps_evidence: KeepsEvidence,
    ) -> None:
        self._log = log
        self._index = index
        self._keys = keys
        self._lookups = lookups
        self._clock = clock
        self._keeps_evidence = keeps_evidence

    def append_screening(self, request: AppendScreeningRequest, call: Call) -> Appended:
        """Append a screening once, and open its case if it is one for an officer; the same again gets the stored
        record.

        RequestIdReusedError: the kiosk has used this request id for other content. InvalidRequestError: it is
        another kiosk's.
        """
        screening = request.screening
        if screening.kiosk_id != call.actor.subject:
            raise InvalidRequestError(
                "screening.kiosk_id: want the kiosk that the call is made for", field="kiosk_id"
            )
        once = screening_once(screening.kiosk_id, screening.request_id)
        stored = self._log.find_once(once)
        if stored is not None:
            return _same(stored, screening)
        event_id = new_id()
        keys, sealed = self._sealed(event_id, request)
        events = self._events(event_id, request, sealed, once, call)
        # The keys before the events: a crash between the two leaves keys that open nothing, which is harmless.
        # The other way round it would leave a record that nobody can read.
        self._keys.put_many(keys)
        try:
            return self._log.append(events)[0]
        except OnceTakenError as taken:  # the same request was faster in another thread
            self._keys.destroy_many(list(keys))
            return _same(taken.record, screening)

    def find_screening(self, kiosk_id: str, request_id: str) -> Record:
        """Find a screening's public record, or raise ScreeningNotFoundError."""
        return self._screening(kiosk_id, request_id)

    def get_screening(self, kiosk_id: str | None, request_id: str, with_evidence: bool, call: Call) -> Found:
        """Return a screening, what it found (None if its key was destroyed), and its pictures if they are wanted and
        held; first record who looks, and why.

        PurposeMissingError, ScreeningNotFoundError. PayloadDamagedError: the key is there, the payload is not.
        InvalidRequestError: more than one kiosk has this request id.
        """
        purpose = stated_purpose(call)
        record = self._screening(kiosk_id, request_id)
        want_crossing(call, record.event().traveler_screened.crossing)
        event_id = record.event().event_id
        found = self.open_screening(record, with_evidence)
        what = RecordConsulted(
            method=call.method, request_id=request_id, events_shown=1, evidence_shown=found[2] is not None
        )
        self._consulted(purpose, call, what, event_id)
        return found

    def open_screening(self, record: Record, with_evidence: bool) -> Found:
        """Decrypt what is held of a screening. Who calls it records who looks."""
        event_id = record.event().event_id
        payload = self._unsealed(event_id, Part.PAYLOAD)
        evidence = self._unsealed(event_id, Part.EVIDENCE) if with_evidence else None
        return (
            record,
            None if payload is None else ScreeningPayload.FromString(payload),
            None if evidence is None else ScreeningEvidence.FromString(evidence),
        )

    def query_events(
        self, wanted: EventFilter, filters: Sequence[str], before: int | None, limit: int, call: Call
    ) -> Page:
        """Return a page of events, newest first; first record who looks, and why. PurposeMissingError.

        `filters`: the names of those that are set, for the record.
        """
        purpose = stated_purpose(call)
        page = self._index.query(wanted, before, limit)
        what = RecordConsulted(method=call.method, events_shown=len(page.records), filters=filters)
        self._consulted(purpose, call, what, wanted.subject or "")
        return page

    def check_writable(self) -> None:
        """Raise what an append would: UnavailableError, LogDamagedError."""
        self._log.append([])

    def _sealed(
        self, event_id: str, request: AppendScreeningRequest
    ) -> tuple[dict[str, bytes], dict[Part, bytes]]:
        """Encrypt what is personal, each part under a new key: the keys by their ids, the ciphertexts by their
        parts."""
        parts = {Part.PAYLOAD: request.payload.SerializeToString(deterministic=True)}
        if request.HasField("evidence") and self._keeps_evidence(request.screening):
            parts[Part.EVIDENCE] = request.evidence.SerializeToString()
        keys = {part: new_key() for part in parts}
        sealed = {part: seal(keys[part], plain, key_id(event_id, part)) for part, plain in parts.items()}
        return {key_id(event_id, part): key for part, key in keys.items()}, sealed

    def _events(
        self, event_id: str, request: AppendScreeningRequest, sealed: dict[Part, bytes], once: str, call: Call
    ) -> list[NewEvent]:
        time = self._clock.now()
        event = screened(event_id, time, call.actor, request.screening, sealed)
        events = [new_event(event, once, sealed, self._lookups.of_screening(request))]
        if request.screening.outcome == Outcome.OUTCOME_REFER:
            terms = request.referral if request.HasField("referral") else None
            lists = [found.watchlist.list_id for found in request.payload.watchlists if found.candidates]
            opened = opening(request.screening, event_id, lists, terms, time, call.actor)
            events.append(new_event(opened, case_once(event_id, 1)))
        return events

    def _screening(self, kiosk_id: str | None, request_id: str) -> Record:
        if kiosk_id:
            stored = self._log.find_once(screening_once(kiosk_id, request_id))
            found = [] if stored is None else [stored]
        else:
            found = self._index.screenings(request_id)
        if not found:
            raise ScreeningNotFoundError("request_id: the log has no screening with it (of this kiosk)")
        if len(found) > 1:
            raise InvalidRequestError(
                f"kiosk_id: got none, want one: {len(found)} kiosks used this request id"
            )
        return found[0]

    def _unsealed(self, event_id: str, part: Part) -> bytes | None:
        """Decrypt a part. None if there is none (any more)."""
        key = self._keys.get(key_id(event_id, part))
        if key is None:
            return None
        ciphertext = self._log.ciphertext(event_id, part)
        if ciphertext is None and self._keys.get(key_id(event_id, part)) is None:
            return None  # erased between the two looks
        if ciphertext is None:
            raise PayloadDamagedError(
                "payload: it is missing from the log: verify the log", event_id=event_id
            )
        return unseal(key, ciphertext, key_id(event_id, part))

    def _consulted(self, purpose: str, call: Call, what: RecordConsulted, subject: str) -> None:
        event = consulted(new_id(), self._clock.now(), call.actor, purpose, what, subject)
        self._log.append([new_event(event)])


def _same(stored: Record, screening: TravelerScreened) -> Appended:
    """Return the stored record of a repeated request, if it is of the same content."""
    if stored.event().traveler_screened.content_sha256 != screening.content_sha256:
        raise RequestIdReusedError(
            "request_id: the kiosk used it before for other content: make a new one for each attempt"
        )
    return Appended(stored, duplicate=True)
