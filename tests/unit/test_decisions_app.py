"""The use cases of the decision log, over a log and keys in memory."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from borderpost.decisions.app import Decisions
from borderpost.decisions.domain import EventFilter, kind_of
from borderpost.decisions.errors import PayloadDamagedError, RequestIdReusedError, ScreeningNotFoundError
from borderpost.decisions.sealing import NONCE_BYTES, new_key, seal, unseal
from borderpost.runtime.calls import Role
from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import InvalidRequestError, PurposeMissingError, UnavailableError
from borderpost.v1.decisions_pb2 import Event, EventKind
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


class House:
    """The use cases with what they stand on."""

    def __init__(self) -> None:
        clock = TickingClock()
        self.log = MemoryLog(clock)
        self.keys = MemoryKeys()
        self.app = Decisions(self.log, self.keys, clock)

    def events(self) -> list[Event]:
        return [record.event() for record in self.log.query(EventFilter(), None, 100).records][::-1]


@pytest.fixture
def house() -> House:
    return House()


def test_a_screening_names_its_actor_and_the_hash_of_its_ciphertext(house: House) -> None:
    screening, call = a_screening(), a_call()
    appended = house.app.append_screening(screening, a_payload(), call)
    event = appended.record.event()
    assert not appended.duplicate
    assert event.traveler_screened == screening
    assert (event.actor.issuer, event.actor.subject) == (call.actor.issuer, call.actor.subject)
    assert event.purpose == ""
    ciphertext = house.log.ciphertext(event.event_id)
    assert ciphertext is not None
    assert event.payload_sha256 == sha256(ciphertext).digest()
    assert NAME.encode() not in ciphertext + appended.record.stored


def test_the_same_screening_again_gets_the_first_record_and_makes_no_key(house: House) -> None:
    screening = a_screening()
    first = house.app.append_screening(screening, a_payload(), a_call())
    again = house.app.append_screening(screening, a_payload(), a_call())
    assert again.duplicate
    assert again.record == first.record
    assert len(house.keys.keys) == 1


def test_a_request_id_with_other_content_is_refused(house: House) -> None:
    screening = a_screening()
    house.app.append_screening(screening, a_payload(), a_call())
    screening.content_sha256 = b"d" * 32
    with pytest.raises(RequestIdReusedError):
        house.app.append_screening(screening, a_payload(), a_call())
    assert len(house.events()) == 1


def test_the_slower_of_two_at_the_same_moment_gets_the_record_and_leaves_no_key(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    screening = a_screening()
    first = house.app.append_screening(screening, a_payload(), a_call())
    # As if the first had been appended between the look and the append.
    monkeypatch.setattr(house.log, "screenings", lambda *_: [])
    slower = house.app.append_screening(screening, a_payload(), a_call())
    assert slower.duplicate
    assert slower.record == first.record
    assert len(house.keys.keys) == 1


def test_no_event_without_its_key(house: House) -> None:
    house.keys.down = True
    with pytest.raises(UnavailableError):
        house.app.append_screening(a_screening(), a_payload(), a_call())
    assert house.events() == []


def test_a_log_that_is_down_can_be_asked_again(house: House) -> None:
    screening = a_screening()
    house.log.down = True
    with pytest.raises(UnavailableError):
        house.app.append_screening(screening, a_payload(), a_call())
    house.log.down = False
    assert not house.app.append_screening(screening, a_payload(), a_call()).duplicate


def test_a_log_that_is_down_is_known_before_the_first_append(house: House) -> None:
    house.app.check_writable()
    house.log.down = True
    with pytest.raises(UnavailableError):
        house.app.check_writable()
    assert house.events() == []


def test_a_screening_is_found_by_kiosk_and_request(house: House) -> None:
    screening = a_screening()
    record = house.app.append_screening(screening, a_payload(), a_call()).record
    assert house.app.find_screening(screening.kiosk_id, screening.request_id) == record
    with pytest.raises(ScreeningNotFoundError):
        house.app.find_screening("kiosk/south/1", screening.request_id)
    assert len(house.events()) == 1, "finding is the gateway's own look, not a consultation"


def test_getting_a_screening_gives_what_was_put_and_records_who_looked(house: House) -> None:
    screening = a_screening()
    record = house.app.append_screening(screening, a_payload(), a_call()).record
    assert house.app.get_screening(None, screening.request_id, AUDITOR) == (record, a_payload())
    look = house.events()[-1]
    assert kind_of(look) == EventKind.EVENT_KIND_RECORD_CONSULTED
    assert look.purpose == "case 4711"
    assert look.actor.subject == AUDITOR.actor.subject
    assert look.record_consulted.method == AUDITOR.method
    assert look.record_consulted.request_id == screening.request_id
    assert look.record_consulted.events_shown == 1


def test_nothing_is_shown_if_the_look_cannot_be_recorded(house: House) -> None:
    screening = a_screening()
    house.app.append_screening(screening, a_payload(), a_call())
    house.log.down = True
    with pytest.raises(UnavailableError):
        house.app.get_screening(None, screening.request_id, AUDITOR)
    with pytest.raises(UnavailableError):
        house.app.query_events(EventFilter(), None, 10, AUDITOR)


@pytest.mark.parametrize("purpose", ["", "  "])
def test_nothing_is_shown_without_a_purpose(house: House, purpose: str) -> None:
    screening = a_screening()
    house.app.append_screening(screening, a_payload(), a_call())
    with pytest.raises(PurposeMissingError):
        house.app.get_screening(None, screening.request_id, a_call(purpose, Role.AUDITOR))
    with pytest.raises(PurposeMissingError):
        house.app.query_events(EventFilter(), None, 10, a_call(purpose, Role.AUDITOR))
    assert len(house.events()) == 1


def test_a_request_id_of_two_kiosks_wants_the_kiosk(house: House) -> None:
    screening = a_screening()
    house.app.append_screening(screening, a_payload(), a_call())
    screening.kiosk_id = "kiosk/south/1"
    of_the_south = replace(a_call(), actor=replace(a_call().actor, subject="kiosk/south/1"))
    house.app.append_screening(screening, a_payload(), of_the_south)
    with pytest.raises(InvalidRequestError, match="kiosk_id"):
        house.app.get_screening(None, screening.request_id, AUDITOR)
    assert house.app.get_screening("kiosk/south/1", screening.request_id, AUDITOR)[1] == a_payload()


def test_a_kiosk_cannot_append_in_the_name_of_another(house: House) -> None:
    screening = a_screening()
    screening.kiosk_id = "kiosk/south/1"
    with pytest.raises(InvalidRequestError, match="kiosk_id"):
        house.app.append_screening(screening, a_payload(), a_call())
    assert house.app.verify_log().size == 0


def test_a_destroyed_key_leaves_the_record_and_takes_the_payload(house: House) -> None:
    screening = a_screening()
    record = house.app.append_screening(screening, a_payload(), a_call()).record
    house.keys.destroy(record.event().event_id)
    assert house.app.get_screening(None, screening.request_id, AUDITOR) == (record, None)
    assert house.app.verify_log().intact


def test_a_query_shows_a_page_and_records_how_many_were_shown(house: House) -> None:
    house.app.record_events([a_list_event() for _ in range(3)])
    page = house.app.query_events(EventFilter(), None, 2, AUDITOR)
    assert [record.index for record in page.records] == [2, 1]
    assert house.events()[-1].record_consulted.events_shown == 2


def test_events_of_an_outbox_are_taken_once(house: House) -> None:
    events = [a_list_event(), a_list_event()]
    assert house.app.record_events(events) == 2
    assert house.app.record_events([*events, a_list_event()]) == 1
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
