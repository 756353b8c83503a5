"""The use cases of the decision log. Plain and synchronous; each may run in many threads at once."""

from __future__ import annotations

from collections.abc import Sequence

from borderpost.decisions.domain import Appended, EventFilter, Page, Record, consulted, new_event, screened
from borderpost.decisions.errors import PayloadDamagedError, RequestIdReusedError, ScreeningNotFoundError
from borderpost.decisions.ports import EventLog, KeyStore
from borderpost.decisions.sealing import new_key, seal, unseal
from borderpost.decisions.verify import Verification, verify
from borderpost.runtime.calls import Call, stated_purpose
from borderpost.runtime.clock import Clock, new_id
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1.decisions_pb2 import Event, RecordConsulted, ScreeningPayload, TravelerScreened


class Decisions:
    """Writes down what was found, and says what was written. Takes requests that `validate` has passed."""

    def __init__(self, log: EventLog, keys: KeyStore, clock: Clock) -> None:
        self._log = log
        self._keys = keys
        self._clock = clock

    def append_screening(
        self, screening: TravelerScreened, payload: ScreeningPayload, call: Call
    ) -> Appended:
        """Append a screening once; the same again gets the stored record.

        RequestIdReusedError: the kiosk has used this request id for other content. InvalidRequestError: it is
        another kiosk's.
        """
        if screening.kiosk_id != call.actor.subject:
            raise InvalidRequestError(
                "screening.kiosk_id: want the kiosk that the call is made for", field="kiosk_id"
            )
        stored = self._log.screenings(screening.request_id, screening.kiosk_id)
        if stored:
            return _same(stored[0], screening)
        event_id = new_id()
        key = new_key()
        ciphertext = seal(key, payload.SerializeToString(deterministic=True), event_id)
        event = new_event(
            screened(event_id, self._clock.now(), call.actor, screening, ciphertext), ciphertext
        )
        # The key before the event: a crash between the two leaves a key that opens nothing, which is harmless.
        # The other way round it would leave a record that nobody can read.
        self._keys.put(event_id, key)
        (appended,) = self._log.append([event])
        if appended.duplicate:  # the same request was faster in another thread
            self._keys.destroy(event_id)
            return _same(appended.record, screening)
        return appended

    def find_screening(self, kiosk_id: str, request_id: str) -> Record:
        """Find a screening's public record, or raise ScreeningNotFoundError."""
        return self._screening(kiosk_id, request_id)

    def record_events(self, events: Sequence[Event]) -> int:
        """Append other services' events, all or none; return how many were new."""
        results = self._log.append([new_event(event) for event in events])
        return sum(not appended.duplicate for appended in results)

    def get_screening(
        self, kiosk_id: str | None, request_id: str, call: Call
    ) -> tuple[Record, ScreeningPayload | None]:
        """Return a screening and what it found (None if its key was destroyed); first record who looks, and why.

        PurposeMissingError, ScreeningNotFoundError. PayloadDamagedError: the key is there, the payload is not.
        InvalidRequestError: more than one kiosk has this request id.
        """
        purpose = stated_purpose(call)
        record = self._screening(kiosk_id, request_id)
        payload = self._payload(record.event().event_id)
        self._consulted(purpose, call, request_id=request_id, shown=1)
        return record, payload

    def query_events(self, wanted: EventFilter, before: int | None, limit: int, call: Call) -> Page:
        """Return a page of events, newest first; first record who looks, and why. PurposeMissingError."""
        purpose = stated_purpose(call)
        page = self._log.query(wanted, before, limit)
        self._consulted(purpose, call, request_id="", shown=len(page.records))
        return page

    def verify_log(self) -> Verification:
        """Check the whole log; what is wrong is in the result. LogDamagedError if the file can't even be read."""
        with self._log.snapshot() as snapshot:
            return verify(snapshot)

    def check_writable(self) -> None:
        """Raise what an append would: UnavailableError, LogDamagedError."""
        self._log.append([])

    def _screening(self, kiosk_id: str | None, request_id: str) -> Record:
        found = self._log.screenings(request_id, kiosk_id)
        if not found:
            raise ScreeningNotFoundError("request_id: the log has no screening with it (of this kiosk)")
        if len(found) > 1:
            raise InvalidRequestError(
                f"kiosk_id: got none, want one: {len(found)} kiosks used this request id"
            )
        return found[0]

    def _payload(self, event_id: str) -> ScreeningPayload | None:
        key = self._keys.get(event_id)
        if key is None:
            return None
        ciphertext = self._log.ciphertext(event_id)
        if ciphertext is None:
            raise PayloadDamagedError(
                "payload: it is missing from the log: verify the log", event_id=event_id
            )
        return ScreeningPayload.FromString(unseal(key, ciphertext, event_id))

    def _consulted(self, purpose: str, call: Call, request_id: str, shown: int) -> None:
        what = RecordConsulted(method=call.method, request_id=request_id, events_shown=shown)
        self._log.append([new_event(consulted(new_id(), self._clock.now(), call.actor, purpose, what))])


def _same(stored: Record, screening: TravelerScreened) -> Appended:
    """Return the stored record of a repeated request, if it is of the same content."""
    if stored.event().traveler_screened.content_sha256 != screening.content_sha256:
        raise RequestIdReusedError(
            "request_id: the kiosk used it before for other content: make a new one for each attempt"
        )
    return Appended(stored, duplicate=True)
