"""Looking back at what was screened, on every database: seen at once, by hashes alone, and gone once it is erased."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from borderpost.decisions.__main__ import House
from borderpost.decisions.patterns import app as patterns_app
from borderpost.runtime.calls import Role
from borderpost.runtime.clock import SystemClock, new_id, to_timestamp
from borderpost.v1 import decisions_pb2 as pb
from borderpost.v1.types_pb2 import ELEMENT_TYPE_FLOAT32, NORMALISATION_L2, Outcome, Template
from fakes.decisions import a_call, a_document, a_payload, a_screening
from fakes.decisions_house import house_settings
from fakes.postgres import shared_postgres

NOW = SystemClock().now()
TERMS = pb.PatternTerms(window_seconds=86_400, two_places_seconds=1800, most_visits=3, portrait_changed=True)
NUMBER = "L898902C3"


class Border:
    """A log, and kiosks that ask it."""

    def __init__(self, house: House) -> None:
        self.house = house

    def screened(self, number: str = NUMBER, portrait: bytes = b"", adult: bool = False, **changes) -> str:
        screening = a_screening(Outcome.OUTCOME_CLEAR, ())
        screening.received_at.FromDatetime(NOW - timedelta(minutes=5))
        for name, value in changes.items():
            setattr(screening, name, value)
        recent = pb.RecentMarks(chip_portrait_sha256=portrait, adult=adult)
        request = pb.AppendScreeningRequest(
            screening=screening, payload=a_payload(number=number), recent=recent
        )
        appended = self.house.decisions.append_screening(request, a_call())
        return appended.record.event().event_id

    def look_back(self, number: str = NUMBER, crossing: str = "north", **changes):
        request = pb.LookBackRequest(
            kiosk_id="kiosk/north/7",
            crossing=crossing,
            visit_id=new_id(),
            request_id=new_id(),
            document=a_document(number),
            at=to_timestamp(NOW),
            terms=TERMS,
        )
        for name, value in changes.items():
            setattr(request, name, value)
        return self.house.look_back.look_back(request)


@pytest.fixture(params=["sqlite", "postgres"])
def border(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Border]:
    database = shared_postgres().new_database() if request.param == "postgres" else None
    with ExitStack() as opened:
        yield Border(House(house_settings(tmp_path, database=database), opened))


def test_a_document_that_was_at_another_crossing_just_before_is_seen_at_once(border: Border) -> None:
    event_id = border.screened()
    [pattern] = border.look_back(crossing="south").patterns
    assert (pattern.code, pattern.newest.event_id) == ("DOCUMENT_IN_TWO_PLACES", event_id)
    assert border.look_back(number="OTHER1", crossing="south").patterns == ()


def test_attempts_of_a_visit_are_counted_and_the_request_itself_is_not(border: Border) -> None:
    visit, request = new_id(), new_id()
    border.screened(visit_id=visit)
    border.screened(visit_id=visit, request_id=request)
    border.screened()
    assert border.look_back(visit_id=visit).attempts == 2
    assert border.look_back(visit_id=visit, request_id=request).attempts == 1
    assert border.look_back().attempts == 0


def test_a_child_is_accompanied_by_an_adult_of_its_group_who_was_screened_in_another_visit(
    border: Border,
) -> None:
    group, visit = new_id(), new_id()
    border.screened(group_id=group)
    assert not border.look_back(group_id=group).adult_in_group
    border.screened(group_id=group, adult=True, visit_id=visit)
    assert border.look_back(group_id=group).adult_in_group
    assert not border.look_back(group_id=group, visit_id=visit).adult_in_group
    assert not border.look_back(group_id=new_id()).adult_in_group
    assert not border.look_back().adult_in_group


def test_another_portrait_on_the_chip_of_the_same_document(border: Border) -> None:
    border.screened(portrait=b"1" * 32)
    codes = [p.code for p in border.look_back(chip_portrait_sha256=b"2" * 32).patterns]
    assert codes == ["CHIP_PORTRAIT_CHANGED"]
    assert border.look_back(chip_portrait_sha256=b"1" * 32).patterns == ()
    assert border.look_back().patterns == ()


def test_many_visits_with_one_document(border: Border) -> None:
    for _ in range(3):
        border.screened()
    [pattern] = border.look_back().patterns
    assert (pattern.code, pattern.screenings) == ("MANY_VISITS", 4)


def test_however_often_one_visit_tries_what_others_showed_before_it_is_found(
    border: Border, monkeypatch
) -> None:
    monkeypatch.setattr(patterns_app, "MOST_SCREENINGS", 3)
    border.screened(crossing="south")
    visit = new_id()
    for attempt in range(1, 6):
        border.screened(visit_id=visit, attempt=attempt)
    found = border.look_back(visit_id=visit)
    assert [pattern.code for pattern in found.patterns] == ["DOCUMENT_IN_TWO_PLACES"]
    assert found.attempts == 3


def a_face(**values: float) -> Template:
    vector = np.zeros(128, "<f4")
    for place, value in values.items():
        vector[int(place.removeprefix("at"))] = value
    return Template(
        model_id="mobilefacenet-v1",
        dimension=128,
        element_type=ELEMENT_TYPE_FLOAT32,
        normalisation=NORMALISATION_L2,
        values=vector.tobytes(),
    )


WITH_GALLERY = pb.PatternTerms(window_seconds=3600, gallery_seconds=3600, gallery_fmr=1e-5)


def test_a_face_with_two_identities_is_found_until_its_time_or_its_holders_erasure(border: Border) -> None:
    look_back = border.house.look_back

    def screened(number: str, holder: bytes, until: timedelta) -> str:
        screening = a_screening(Outcome.OUTCOME_CLEAR, ())
        recent = pb.RecentMarks(live_template=a_face(at0=1.0), holder_sha256=holder)
        recent.gallery_until.FromDatetime(SystemClock().now() + until)
        request = pb.AppendScreeningRequest(
            screening=screening, payload=a_payload(number=number), recent=recent
        )
        look_back.remember(request, border.house.decisions.append_screening(request, a_call()).record)
        return screening.visit_id

    def found(holder: bytes = b"2" * 32, terms: pb.PatternTerms = WITH_GALLERY) -> list[str]:
        request = pb.LookBackRequest(
            kiosk_id="kiosk/north/7",
            crossing="north",
            visit_id=new_id(),
            request_id=new_id(),
            at=to_timestamp(SystemClock().now()),
            terms=terms,
            live_template=a_face(at0=0.8, at1=0.6),
            holder_sha256=holder,
        )
        return [pattern.code for pattern in look_back.look_back(request).patterns]

    screened(NUMBER, b"1" * 32, timedelta(hours=1))
    assert found() == ["FACE_WITH_TWO_IDENTITIES"]
    assert found(holder=b"1" * 32) == []
    assert found(terms=TERMS) == []  # the switch is off
    border.house.subjects.erase(
        a_document(NUMBER), (), "SUBJECT_REQUEST", a_call("request 7", Role.SUPERVISOR)
    )
    assert found() == []
    screened(NUMBER, b"1" * 32, timedelta(days=3))
    assert max(face.until for face in border.house.gallery._held.values()) < SystemClock().now() + timedelta(
        hours=12
    )


def test_without_terms_or_a_document_nothing_is_looked_for(border: Border) -> None:
    border.screened()
    request = pb.LookBackRequest(
        kiosk_id="kiosk/south/7",
        crossing="south",
        visit_id=new_id(),
        request_id=new_id(),
        document=a_document(NUMBER),
        at=to_timestamp(NOW),
    )
    assert border.house.look_back.look_back(request).patterns == ()
    request.terms.CopyFrom(TERMS)
    request.ClearField("document")
    assert border.house.look_back.look_back(request).patterns == ()


def test_what_was_erased_is_not_found_any_more(border: Border) -> None:
    border.screened(portrait=b"1" * 32)
    supervisor = a_call("request 7", Role.SUPERVISOR)
    border.house.subjects.erase(a_document(NUMBER), (), "SUBJECT_REQUEST", supervisor)
    assert border.look_back(crossing="south", chip_portrait_sha256=b"2" * 32).patterns == ()


def test_a_document_is_found_by_what_its_chip_says_too(border: Border) -> None:
    screening, payload = a_screening(Outcome.OUTCOME_CLEAR, ()), a_payload()
    screening.received_at.FromDatetime(NOW)
    payload.chip.mrz.document.CopyFrom(a_document(NUMBER))
    request = pb.AppendScreeningRequest(screening=screening, payload=payload)
    border.house.decisions.append_screening(request, a_call())
    assert [p.code for p in border.look_back(crossing="south").patterns] == ["DOCUMENT_IN_TWO_PLACES"]
