"""The use cases of the decision log, over a log and keys in memory."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from borderpost.decisions.app import Decisions
from borderpost.decisions.domain import Appended, EventFilter, Part, key_id, kind_of
from borderpost.decisions.errors import (
    PayloadDamagedError,
    PolicyNotFoundError,
    RequestIdReusedError,
    ScreeningNotFoundError,
)
from borderpost.decisions.lookups import Lookups
from borderpost.decisions.recording import Recording
from borderpost.decisions.sealing import NONCE_BYTES, new_key, seal, unseal
from borderpost.runtime.calls import Call, Role
from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import InvalidRequestError, PurposeMissingError, UnavailableError
from borderpost.v1.decisions_pb2 import (
    AppendScreeningRequest,
    Event,
    EventKind,
    ReferralTerms,
    ScreeningEvidence,
    TravelerScreened,
)
from borderpost.v1.types_pb2 import DocumentKey, Outcome
from fakes.decisions import (
    NAME,
    MemoryKeys,
    MemoryLog,
    TickingClock,
    a_call,
    a_list_event,
    a_payload,
    a_screening,
)

AUDITOR = a_call("case 4711", Role.AUDITOR, "/borderpost.v1.DecisionsService/GetScreening")


def _is_referred(screening):
    return screening.outcome == Outcome.OUTCOME_REFER


class House:
    """The use cases with what they stand on."""

    def __init__(self) -> None:
        clock = TickingClock()
        self.log = MemoryLog(clock)
        self.keys = MemoryKeys()
        lookups = Lookups(b"l" * 32)
        self.app = Decisions(self.log, self.log, self.keys, lookups, clock, _is_referred)
        self.recording = Recording(self.log, self.log)
        self.lookups = lookups

    def append(self, screening: TravelerScreened, call: Call | None = None, **parts: object) -> Appended:
        request = AppendScreeningRequest(screening=screening, payload=a_payload(), **parts)
        return self.app.append_screening(request, call or a_call())

    def events(self) -> list[Event]:
        return [record.event() for record in self.log.query(EventFilter(), None, 100).records][::-1]

    def screenings(self) -> list[Event]:
        return [event for event in self.events() if event.HasField("traveler_screened")]


@pytest.fixture
def house() -> House:
    return House()


def test_a_screening_names_its_actor_and_the_hash_of_its_ciphertext(house: House) -> None:
    screening, call = a_screening(), a_call()
    appended = house.append(screening, call)
    event = appended.record.event()
    assert not appended.duplicate
    assert event.traveler_screened == screening
    assert (event.actor.issuer, event.actor.subject) == (call.actor.issuer, call.actor.subject)
    assert event.purpose == ""
    ciphertext = house.log.ciphertext(event.event_id, Part.PAYLOAD)
    assert ciphertext is not None
    assert event.payload_sha256 == sha256(ciphertext).digest()
    assert NAME.encode() not in ciphertext + appended.record.stored


def test_the_same_screening_again_gets_the_first_record_and_makes_no_key(house: House) -> None:
    screening = a_screening()
    first = house.append(screening)
    again = house.append(screening)
    assert again.duplicate
    assert again.record == first.record
    assert len(house.keys.keys) == 1


def test_a_request_id_with_other_content_is_refused(house: House) -> None:
    screening = a_screening()
    house.append(screening)
    screening.content_sha256 = b"d" * 32
    with pytest.raises(RequestIdReusedError):
        house.append(screening)
    assert len(house.screenings()) == 1


def test_the_slower_of_two_at_the_same_moment_gets_the_record_and_leaves_no_key(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    screening = a_screening()
    first = house.append(screening)
    # As if the first had been appended between the look and the append.
    monkeypatch.setattr(house.log, "find_once", lambda _: None)
    slower = house.append(screening)
    assert slower.duplicate
    assert slower.record == first.record
    assert len(house.keys.keys) == 1


def test_no_event_without_its_key(house: House) -> None:
    house.keys.down = True
    with pytest.raises(UnavailableError):
        house.append(a_screening())
    assert house.events() == []


def test_a_log_that_is_down_can_be_asked_again(house: House) -> None:
    screening = a_screening()
    house.log.down = True
    with pytest.raises(UnavailableError):
        house.append(screening)
    house.log.down = False
    assert not house.append(screening).duplicate


def test_a_log_that_is_down_is_known_before_the_first_append(house: House) -> None:
    house.app.check_writable()
    house.log.down = True
    with pytest.raises(UnavailableError):
        house.app.check_writable()
    house.log.down = False
    assert house.events() == []


def test_a_screening_is_found_by_kiosk_and_request(house: House) -> None:
    screening = a_screening()
    record = house.append(screening).record
    assert house.app.find_screening(screening.kiosk_id, screening.request_id) == record
    with pytest.raises(ScreeningNotFoundError):
        house.app.find_screening("kiosk/south/1", screening.request_id)
    assert len(house.events()) == 2, "the screening and its case; finding is the gateway's own look"


def test_getting_a_screening_gives_what_was_put_and_records_who_looked(house: House) -> None:
    screening = a_screening()
    record = house.append(screening).record
    assert house.app.get_screening(None, screening.request_id, False, AUDITOR) == (record, a_payload(), None)
    look = house.events()[-1]
    assert kind_of(look) == EventKind.EVENT_KIND_RECORD_CONSULTED
    assert look.purpose == "case 4711"
    assert look.actor.subject == AUDITOR.actor.subject
    assert look.record_consulted.method == AUDITOR.method
    assert look.record_consulted.request_id == screening.request_id
    assert look.record_consulted.events_shown == 1


def test_nothing_is_shown_if_the_look_cannot_be_recorded(house: House) -> None:
    screening = a_screening()
    house.append(screening)
    house.log.down = True
    with pytest.raises(UnavailableError):
        house.app.get_screening(None, screening.request_id, False, AUDITOR)
    with pytest.raises(UnavailableError):
        house.app.query_events(EventFilter(), (), None, 10, AUDITOR)


@pytest.mark.parametrize("purpose", ["", "  "])
def test_nothing_is_shown_without_a_purpose(house: House, purpose: str) -> None:
    screening = a_screening()
    house.append(screening)
    with pytest.raises(PurposeMissingError):
        house.app.get_screening(None, screening.request_id, False, a_call(purpose, Role.AUDITOR))
    with pytest.raises(PurposeMissingError):
        house.app.query_events(EventFilter(), (), None, 10, a_call(purpose, Role.AUDITOR))
    assert len(house.screenings()) == 1


def test_a_request_id_of_two_kiosks_wants_the_kiosk(house: House) -> None:
    screening = a_screening()
    house.append(screening)
    screening.kiosk_id = "kiosk/south/1"
    of_the_south = replace(a_call(), actor=replace(a_call().actor, subject="kiosk/south/1"))
    house.append(screening, of_the_south)
    with pytest.raises(InvalidRequestError, match="kiosk_id"):
        house.app.get_screening(None, screening.request_id, False, AUDITOR)
    assert house.app.get_screening("kiosk/south/1", screening.request_id, False, AUDITOR)[1] == a_payload()


def test_a_kiosk_cannot_append_in_the_name_of_another(house: House) -> None:
    screening = a_screening()
    screening.kiosk_id = "kiosk/south/1"
    with pytest.raises(InvalidRequestError, match="kiosk_id"):
        house.append(screening)
    assert house.log.size() == 0


def test_a_destroyed_key_leaves_the_record_and_takes_the_payload(house: House) -> None:
    screening = a_screening()
    record = house.append(screening).record
    house.keys.destroy_many([record.event().event_id])
    assert house.app.get_screening(None, screening.request_id, True, AUDITOR) == (record, None, None)


def test_a_query_shows_a_page_and_records_how_many_were_shown(house: House) -> None:
    house.recording.record_events([a_list_event() for _ in range(3)])
    page = house.app.query_events(EventFilter(), (), None, 2, AUDITOR)
    assert [record.index for record in page.records] == [2, 1]
    assert house.events()[-1].record_consulted.events_shown == 2


def test_events_of_an_outbox_are_taken_once(house: House) -> None:
    events = [a_list_event(), a_list_event()]
    assert house.recording.record_events(events) == 2
    assert house.recording.record_events([*events, a_list_event()]) == 1
    assert len(house.events()) == 3


@pytest.mark.parametrize("place", [0, NONCE_BYTES, -1])
def test_a_sealed_payload_with_one_bit_changed_is_not_opened(place: int) -> None:
    key, event_id = new_key(), new_id()
    sealed = bytearray(seal(key, b"personal", event_id))
    assert unseal(key, bytes(sealed), event_id) == b"personal"
    sealed[place] ^= 1
    with pytest.raises(PayloadDamagedError):
        unseal(key, bytes(sealed), event_id)


def test_a_sealed_payload_is_not_opened_for_another_event_or_when_cut_short() -> None:
    key, event_id = new_key(), new_id()
    sealed = seal(key, b"personal", event_id)
    with pytest.raises(PayloadDamagedError):
        unseal(key, sealed, new_id())
    with pytest.raises(PayloadDamagedError):
        unseal(key, sealed[:5], event_id)


def test_every_kind_of_body_has_its_kind() -> None:
    bodies = Event.DESCRIPTOR.oneofs_by_name["body"].fields
    kinds = set()
    for body in bodies:
        event = Event()
        getattr(event, body.name).SetInParent()
        kinds.add(kind_of(event))
    assert kinds == set(EventKind.values()) - {EventKind.EVENT_KIND_UNSPECIFIED}
    assert kind_of(Event()) == EventKind.EVENT_KIND_UNSPECIFIED


def evidence() -> ScreeningEvidence:
    return ScreeningEvidence(schema_version=1, page=b"the page", live_frames=[b"a face"])


def test_a_referral_opens_a_case_in_the_same_append_and_others_open_none(house: House) -> None:
    house.append(a_screening(Outcome.OUTCOME_CLEAR, ()))
    house.append(a_screening(), referral=ReferralTerms(priority=2, second_finding=True))
    screened, opened = house.events()[-2:]
    assert [kind_of(event) for event in house.events()].count(EventKind.EVENT_KIND_REFERRAL_OPENED) == 1
    assert opened.referral_opened.case_id == opened.subject == screened.event_id
    assert (opened.referral_opened.priority, opened.referral_opened.second_finding) == (2, True)


def test_the_same_referral_at_the_same_moment_opens_one_case(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    screening = a_screening()
    house.append(screening)
    monkeypatch.setattr(house.log, "find_once", lambda _: None)
    assert house.append(screening).duplicate
    assert len(house.events()) == 2


def test_pictures_are_kept_of_a_referral_sealed_under_a_key_of_their_own(house: House) -> None:
    event = house.append(a_screening(), evidence=evidence()).record.event()
    ciphertext = house.log.ciphertext(event.event_id, Part.EVIDENCE)
    assert ciphertext is not None
    assert event.evidence_sha256 == sha256(ciphertext).digest()
    assert b"the page" not in ciphertext
    keys = {house.keys.get(key_id(event.event_id, part)) for part in Part}
    assert len(keys - {None}) == 2
    request_id = event.traveler_screened.request_id
    assert house.app.get_screening(None, request_id, False, AUDITOR)[2] is None
    assert house.app.get_screening(None, request_id, True, AUDITOR)[2] == evidence()
    assert [e.record_consulted.evidence_shown for e in house.events()[-2:]] == [False, True]


def test_pictures_of_a_cleared_traveler_are_not_kept_even_if_they_come(house: House) -> None:
    event = house.append(a_screening(Outcome.OUTCOME_CLEAR, ()), evidence=evidence()).record.event()
    assert not event.evidence_sha256
    assert house.log.ciphertext(event.event_id, Part.EVIDENCE) is None
    assert len(house.keys.keys) == 1


def test_a_screening_is_found_by_its_document_which_is_nowhere_in_clear(house: House) -> None:
    payload = a_payload()
    document = DocumentKey(document_code="P", issuing_state="UTO", number="L898902C3")
    payload.mrz.document.CopyFrom(document)
    request = AppendScreeningRequest(screening=a_screening(), payload=payload)
    record = house.app.append_screening(request, a_call()).record
    house.append(a_screening())
    other = DocumentKey(document_code="p", issuing_state="UTO", number="l898902c3<")
    wanted = EventFilter(document=house.lookups.document(other))
    assert house.log.query(wanted, None, 10).records == (record,)
    assert b"L898902C3" not in record.stored


def started(model: str) -> Event:
    event = a_list_event()
    event.service_started.service = "faces"
    event.versions.model_id = model
    return event


def test_another_model_at_a_start_is_noted_once(house: House) -> None:
    starts = [started("one"), started("one"), started("two")]
    for event in starts:
        house.recording.record_events([event])
    house.recording.record_events([starts[-1]])
    changes = [event.model_changed for event in house.events() if event.HasField("model_changed")]
    assert [(change.former_model_id, change.model_id) for change in changes] == [("", "one"), ("one", "two")]


def policy(version: str, toml: bytes) -> Event:
    event = a_list_event()
    event.policy_changed.policy = version
    event.policy_changed.toml = toml
    return event


def test_a_policy_is_kept_when_it_comes_into_force_and_found_by_its_version(house: House) -> None:
    for version, toml in (("a@1", b"a"), ("a@1", b"a"), ("b@2", b"b"), ("a@1", b"a")):
        house.recording.record_events([policy(version, toml)])
    assert [event.policy_changed.policy for event in house.events()] == ["a@1", "b@2", "a@1"]
    assert house.recording.policy("b@2") == b"b"
    with pytest.raises(PolicyNotFoundError):
        house.recording.policy("c@3")
