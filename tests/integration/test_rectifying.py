"""Statements beside screenings: read with them, sealed like them, and gone with them."""

from __future__ import annotations

import pytest

from borderpost.decisions.errors import ScreeningNotFoundError
from borderpost.decisions.subjects.app import UNLAWFUL
from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import PurposeMissingError
from borderpost.runtime.scopes import OutOfScopeError
from borderpost.v1.decisions_pb2 import EventKind
from fakes.decisions import a_call, a_screening
from fakes.decisions_house import append, open_house
from fakes.subject_site import a_supervisor_call

STATEMENT = "The name is spelled CANARIA, with one N."


@pytest.fixture
def house(tmp_path):
    with open_house(tmp_path) as opened:
        yield opened


def screened(house) -> str:
    return append(house, a_screening()).record.event().event_id


def test_a_statement_stands_beside_each_screening_and_nothing_else_changes(house):
    one, two = screened(house), screened(house)
    before = house.log.find(one).stored
    assert house.rectifying.rectify([one, two, one], STATEMENT, a_supervisor_call()) == 2
    house.rectifying.rectify([one], "And born in May.", a_supervisor_call())
    assert [each.statement for each in house.rectifying.of(one)] == [STATEMENT, "And born in May."]
    [other] = house.rectifying.of(two)
    assert other.by == a_supervisor_call().actor.subject
    assert house.log.find(one).stored == before
    assert house.verify().intact


def test_a_statement_is_sealed_and_gone_with_the_data_that_it_is_about(house, tmp_path):
    screening = screened(house)
    house.rectifying.rectify([screening], STATEMENT, a_supervisor_call())
    house.subjects.erase(None, [screening], UNLAWFUL, a_supervisor_call())
    assert house.rectifying.of(screening) == []
    assert house.verify().intact
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or STATEMENT.encode() not in file.read_bytes(), file
    with pytest.raises(ScreeningNotFoundError, match="nothing is held"):
        house.rectifying.rectify([screening], STATEMENT, a_supervisor_call())


def test_one_that_is_none_leaves_all_without_a_statement(house):
    screening = screened(house)
    with pytest.raises(ScreeningNotFoundError):
        house.rectifying.rectify([screening, new_id()], STATEMENT, a_supervisor_call())
    assert house.rectifying.of(screening) == []


def test_a_purpose_and_the_crossing_are_wanted(house):
    screening = screened(house)
    call = a_supervisor_call()
    object.__setattr__(call, "scopes", frozenset({"crossing:elsewhere"}))
    with pytest.raises(OutOfScopeError):
        house.rectifying.rectify([screening], STATEMENT, call)
    with pytest.raises(PurposeMissingError):
        house.rectifying.rectify([screening], STATEMENT, a_call(""))


def test_who_rectified_what_is_in_the_log_without_what_was_said(house):
    screening = screened(house)
    house.rectifying.rectify([screening], STATEMENT, a_supervisor_call())
    told = [record.event() for record in house.log.records(0, 99)]
    [event] = [each for each in told if each.WhichOneof("body") == "data_rectified"]
    assert EventKind.EVENT_KIND_DATA_RECTIFIED == 34
    assert (event.subject, event.data_rectified.screening_event_id) == (screening, screening)
    assert event.purpose
    assert STATEMENT.encode() not in event.SerializeToString()
