"""FollowTheMoney: people with the documents that refer to them; what isn't sure accuses nobody. Nobody here is real."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.exchange import ftm
from borderpost.exchange.choices import Choices
from borderpost.exchange.fields import Defaults
from borderpost.exchange.problems import ROW_REASONS, FileUnusableError
from borderpost.v1 import types_pb2
from fakes.exchange import read, reason_of

END = datetime(2030, 1, 1, tzinfo=UTC)


def choices(*topics: str) -> Choices:
    return Choices(Path("/nowhere"), Defaults(END), topics=frozenset(topics))


def person(id_: str = "P1", *, target: Any = True, **properties: list[str]) -> dict[str, Any]:
    properties = {"name": ["Bela Tarvonko"], "topics": ["wanted"], **properties}
    return {
        "id": id_,
        "schema": "Person",
        "target": target,
        "datasets": ["xx_list"],
        "properties": properties,
    }


def document(schema: str = "Passport", **properties: list[str]) -> dict[str, Any]:
    properties = {"holder": ["P1"], "number": ["AB 123-45"], "country": ["ua"], **properties}
    return {"id": "D1", "schema": schema, "properties": properties}


def people(*entities: dict[str, Any], topics: tuple[str, ...] = ()):
    return read("\n".join(map(json.dumps, entities)).encode(), "ftm", choices(*topics))


def entry_of(**properties: list[str]):
    (got,) = people(person(**properties))
    return got.entry


def keys(entry):
    return [(one.document_code, one.issuing_state, one.number) for one in entry.documents]


def names(entry):
    return [(name.primary_identifier, name.secondary_identifier) for name in entry.names]


def test_a_person_is_read():
    (got,) = people(
        person(
            lastName=["Tarvonko"],
            firstName=["Bela"],
            fatherName=["Oril"],
            birthDate=["1970-03-12"],
            gender=["male"],
            nationality=["ua"],
            citizenship=["de", "ua"],
            country=["fr"],
            sourceUrl=["https://example.org/1"],
        )
    )
    assert got.record_id == "P1"
    entry = got.entry
    assert names(entry) == [("Tarvonko", "Bela Oril"), ("Tarvonko", "Bela")]
    assert entry.birth_date == types_pb2.PartialDate(year=1970, month=3, day=12)
    assert (entry.sex, list(entry.nationalities)) == ("M", ["UKR", "D"])
    assert (entry.reason_code, entry.source_reference) == ("wanted", "https://example.org/1")


@pytest.mark.parametrize("before", [True, False])
def test_documents_are_found_wherever_they_stand_in_the_file(before):
    rest = [document(), document("Identification", number=["77"], country=["de"])]
    entities = [*rest, person()] if before else [person(), *rest]
    (got,) = people(*entities)
    assert keys(got.entry) == [("P", "UKR", "AB12345"), ("ID", "D", "77")]


def test_a_document_without_one_state_is_nobodys():
    (got,) = people(
        person(), document(country=[]), document(country=["ua", "de"]), document(country=["suhh"])
    )
    assert keys(got.entry) == []


def test_the_older_name_of_a_passports_number_is_known():
    (got,) = people(person(), document(number=[], passportNumber=["X1"]))
    assert keys(got.entry) == [("P", "UKR", "X1")]


def test_a_passport_told_with_the_person_counts_only_if_one_state_can_have_issued_it():
    assert keys(entry_of(passportNumber=["X 1"], nationality=["ua"])) == [("P", "UKR", "X1")]
    assert keys(entry_of(passportNumber=["X 1"], nationality=["ua", "de"])) == []
    assert keys(entry_of(passportNumber=["X 1"], country=["ua"])) == []
    assert keys(entry_of(idNumber=["X 1"], nationality=["ua"])) == []


@pytest.mark.parametrize(
    ("told", "agreed"),
    [
        ([], None),
        (["1970"], (1970, 0, 0)),
        (["1970", "1970-03-12"], (1970, 3, 12)),
        (["1970-03-12", "1970-03-13"], (1970, 3, 0)),
        (["1970-03-12", "1970-04-12"], (1970, 0, 0)),
        (["1970", "1971"], None),
        (["1970-02-31", "circa 1970", "70"], None),
    ],
)
def test_a_birth_date_is_what_all_sources_agree_on(told, agreed):
    entry = entry_of(birthDate=told)
    got = entry.birth_date if entry.HasField("birth_date") else None
    assert (got and (got.year, got.month, got.day)) == agreed


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"name": ["TARVONKO, Bela Oril"]}, [("TARVONKO", "Bela Oril")]),
        ({"name": ["Bela Oril Tarvonko"]}, [("Tarvonko", "Bela Oril")]),
        ({"name": ["Bela"]}, [("Bela", "")]),
        (
            {"name": ["Bela de la Vrona"], "lastName": ["de la Vrona", "Vrona"]},
            [("de la Vrona", "Bela")],
        ),
        ({"name": ["Vrona Bela Oril"], "lastName": ["VRONA", "X"]}, [("Vrona", "Bela Oril")]),
        ({"name": ["Bela Tarvonko", "Tarvonko, Bela", "BELA TARVONKO"]}, [("Tarvonko", "Bela")]),
        ({"name": ["Бела Тарвонко"]}, [("Тарвонко", "Бела")]),
        ({"name": ["Bela T"], "weakAlias": ["Bear"], "alias": ["Belo T"]}, [("T", "Bela"), ("T", "Belo")]),
    ],
)
def test_names_are_parted(properties, expected):
    assert names(entry_of(**properties)) == expected


def test_a_script_without_a_table_stands_beside_the_first_name():
    (name,) = entry_of(name=["李 明", "Li Ming"]).names
    assert (name.primary_identifier, name.native) == ("Ming", "李 明")


def test_somebody_without_a_name_in_known_letters_is_an_error():
    (got,) = people(person(name=["李明"]))
    assert reason_of(got) == "ROW_FIELD_INVALID"


def test_at_most_sixteen_names_are_taken():
    names = [f"Bela {first}{last}" for first in "bdfgk" for last in "aeio"]
    assert len(entry_of(name=names).names) == 16


def test_those_who_are_no_targets_or_not_chosen_are_no_rows():
    entities = [
        person("P1", target=False),
        person("P2", topics=["role.pep"]),
        person("P3"),
        {"id": "C1", "schema": "Company", "properties": {"name": ["Tarvonko Ltd"]}},
    ]
    assert [got.record_id for got in people(*entities)] == ["P2", "P3"]
    assert [got.record_id for got in people(*entities, topics=("wanted",))] == ["P3"]


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"programId": ["EU-UKR"], "topics": ["sanction"]}, "EU-UKR"),
        ({"topics": ["sanction", "crime.terror"]}, "crime.terror"),
        ({"topics": []}, "xx_list"),
        ({"programId": ["x" * 65], "topics": []}, "xx_list"),
    ],
)
def test_the_reason_is_the_programme_else_the_topic_else_the_dataset(properties, reason):
    assert entry_of(**properties).reason_code == reason


def test_a_line_that_is_no_entity_is_an_error_with_its_line_and_the_others_are_read():
    data = "\n".join([json.dumps(document()), "{", json.dumps(person()), "[]"]).encode()
    first, good, last = read(data, "ftm", choices())
    assert [reason_of(first), reason_of(last)] == ["ROW_NOT_JSON", "ROW_NOT_JSON"]
    assert [first.error.message[:7], last.error.message[:7]] == ["line 2:", "line 4:"]
    assert keys(good.entry) == [("P", "UKR", "AB12345")]


@pytest.mark.parametrize(
    "odd",
    [
        {"schema": "Person"},
        {"schema": "Person", "id": 7},
        {"schema": "Person", "id": "\ud800"},
        {"schema": "Person", "id": "x", "properties": []},
        {"schema": "Person", "id": "x", "properties": {"name": "Bela"}},
        {"schema": "Person", "id": "x", "properties": {"name": [{"a": 1}, 7, None]}},
    ],
)
def test_an_odd_person_is_an_error(odd):
    (got,) = people(odd)
    assert reason_of(got) in ROW_REASONS


def test_a_person_in_error_has_a_record_id():
    (got,) = people({"schema": "Person", "id": "x", "properties": {}})
    assert reason_of(got) == "ROW_FIELD_INVALID"
    assert got.record_id == "x"


@pytest.mark.parametrize("odd", [{}, {"schema": ["Person"]}, {"schema": "Passport", "properties": 1}])
def test_other_odd_entities_are_passed_over(odd):
    assert len(people(odd, person())) == 1


def test_more_documents_than_can_be_held_are_refused(monkeypatch):
    monkeypatch.setattr(ftm, "MAX_HELD_DOCUMENTS", 2)
    with pytest.raises(FileUnusableError, match="documents"):
        people(person(), document(number=["1", "2", "3"]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "id": st.text(max_size=9) | JSON,
            "schema": st.sampled_from(["Person", "Passport"]),
            "datasets": JSON,
            "properties": st.dictionaries(
                st.sampled_from(["name", "lastName", "birthDate", "topics", "holder", "number", "country"]),
                st.lists(st.text(max_size=20), max_size=3) | JSON,
            )
            | JSON,
        }
    )
)
def test_no_entity_breaks_the_reader(entity):
    for got in people(entity):
        assert got.HasField("entry") or reason_of(got) in ROW_REASONS
