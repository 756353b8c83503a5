from __future__ import annotations

import datetime
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.documents import mrz
from borderpost.documents.mrz import DigitState, PartialDate
from borderpost.documents.states import STATE_CODES, is_state
from borderpost.runtime.names import to_mrz_letters

TODAY = datetime.date(2026, 11, 24)
ERIKSSON = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
ICAO_EXAMPLES = {
    "TD3": ERIKSSON,
    "TD1": (
        "I<UTOD231458907<<<<<<<<<<<<<<<",
        "7408122F1204159UTO<<<<<<<<<<<6",
        "ERIKSSON<<ANNA<MARIA<<<<<<<<<<",
    ),
    "TD2": ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6"),
    "MRV-A": ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L8988901C4XXX4009078F96121096ZE184226B<<<<<<"),
    "MRV-B": ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "L8988901C4XXX4009078F9612109<<<<<<<<"),
}
LONG_NUMBER = (
    "I<UTOD23145890<7349<<<<<<<<<<<",
    "3407127M9507122UTO<<<<<<<<<<<2",
    "STEVENSON<<PETER<JOHN<<<<<<<<<",
)

words = st.lists(st.text(mrz.LETTERS, min_size=1, max_size=6), min_size=1, max_size=2).map(" ".join)
alphanumeric = string.ascii_uppercase + string.digits
birth_dates = st.dates(datetime.date(1927, 1, 1), TODAY)
expiry_dates = st.dates(datetime.date(1990, 1, 1), datetime.date(2070, 12, 31))


def parts(date: datetime.date) -> PartialDate:
    return PartialDate(date.year, date.month, date.day)


def documents(layout: mrz.Format) -> st.SearchStrategy[mrz.MrzFields]:
    longest = 12 if layout.name in mrz.LONG_NUMBER_FORMATS else 9
    optional = st.text(alphanumeric, max_size=2 if longest > 9 else 8)
    return st.builds(
        mrz.MrzFields,
        document_code=st.just("V") if layout.name.startswith("MRV") else st.sampled_from(["P", "ID", "AC"]),
        issuing_state=st.sampled_from(sorted(STATE_CODES)),
        surname=words,
        given_names=words,
        document_number=st.text(alphanumeric, min_size=1, max_size=longest),
        nationality=st.sampled_from(sorted(STATE_CODES)),
        birth_date=birth_dates.map(parts),
        sex=st.sampled_from(list(mrz.Sex)),
        expiry_date=expiry_dates.map(parts),
        optional_data=st.tuples(optional, optional) if layout is mrz.TD1 else st.tuples(optional),
    )


@pytest.mark.parametrize("name", ICAO_EXAMPLES)
def test_icaos_own_example_is_verified_and_emitted_again(name):
    lines = ICAO_EXAMPLES[name]
    document = mrz.parse(lines, TODAY)
    assert document.format.name == name
    assert mrz.refuted(document.digits) == ()
    assert (document.fields.surname, document.fields.given_names) == ("ERIKSSON", "ANNA MARIA")
    assert mrz.emit(document.fields, document.format) == lines


def test_icaos_passport_says_what_it_says():
    fields = mrz.parse(ERIKSSON, TODAY).fields
    assert fields == mrz.MrzFields(
        "P", "UTO", "ERIKSSON", "ANNA MARIA", "L898902C3", "UTO", PartialDate(1974, 8, 12),
        mrz.Sex.FEMALE, PartialDate(2012, 4, 15), ("ZE184226B",),
    )  # fmt: skip


def test_icaos_long_number_is_joined_from_both_its_fields():
    document = mrz.parse(LONG_NUMBER, TODAY)
    assert document.fields.document_number == "D23145890734"
    assert document.fields.optional_data == ("", "")
    assert mrz.refuted(document.digits) == ()
    assert mrz.emit(document.fields, mrz.TD1) == LONG_NUMBER


@pytest.mark.parametrize("layout", mrz.FORMATS, ids=lambda layout: layout.name)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_is_emitted_parses_to_the_same_document(layout, data):
    fields = data.draw(documents(layout))
    document = mrz.parse(mrz.emit(fields, layout), TODAY)
    assert document.format is layout
    assert document.fields == fields
    assert mrz.refuted(document.digits) == ()


@settings(max_examples=150, deadline=None)
@given(fields=documents(mrz.TD3), data=st.data())
def test_a_wrong_character_in_a_protected_field_is_refuted_unless_its_value_is_the_same_mod_10(fields, data):
    lines = mrz.emit(fields, mrz.TD3)
    rule = data.draw(st.sampled_from(mrz.TD3.checks[:3]))
    (span,) = rule.covers
    position = data.draw(st.integers(span.start, span.end - 1))
    char = data.draw(st.sampled_from(mrz.ALPHABET))
    old, new = mrz.check_digit(lines[1][position]), mrz.check_digit(char)
    changed = (lines[0], lines[1][:position] + char + lines[1][position + 1 :])
    refuted = mrz.refuted(mrz.digit_evidence(changed, mrz.TD3))
    assert (rule.field in refuted) == (old != new)


@given(text=st.lists(st.text(mrz.ALPHABET + "é ", max_size=45), max_size=4).map(tuple))
@settings(max_examples=100)
def test_lines_of_any_shape_are_parsed_or_refused_by_type(text):
    try:
        mrz.parse(text, TODAY)
    except mrz.MrzShapeError:
        assert not any(
            len(text) == layout.rows and {len(line) for line in text} == {layout.width}
            for layout in mrz.FORMATS
        ) or set("".join(text)) - set(mrz.ALPHABET)


@given(second=st.text(mrz.ALPHABET, min_size=44, max_size=44))
@settings(max_examples=200)
def test_any_characters_in_a_passports_lines_parse(second):
    document = mrz.parse((ERIKSSON[0], second), TODAY)
    assert len(document.digits) == 5


def test_optional_datas_digit_is_absent_when_both_are_fillers():
    fields = mrz.parse(ERIKSSON, TODAY).fields
    lines = mrz.emit(mrz.MrzFields(**{**_asdict(fields), "optional_data": ("",)}), mrz.TD3)
    evidence = {digit.field: digit.state for digit in mrz.digit_evidence(lines, mrz.TD3)}
    assert evidence["optional_data"] is DigitState.ABSENT
    assert evidence["composite"] is DigitState.VERIFIED


def test_a_filler_instead_of_a_digit_that_must_be_there_is_refuted():
    lines = (ERIKSSON[0], ERIKSSON[1][:9] + "<" + ERIKSSON[1][10:])
    assert "document_number" in mrz.refuted(mrz.digit_evidence(lines, mrz.TD3))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("261124", PartialDate(2026, 11, 24)),
        ("261125", PartialDate(1926, 11, 25)),
        ("000229", PartialDate(2000, 2, 29)),
        ("25<<<<", PartialDate(2025, None, None)),
        ("<<<<<<", PartialDate(None, None, None)),
        ("<<0229", PartialDate(None, 2, 29)),
        ("74<<12", PartialDate(1974, None, 12)),
        ("741301", None),
        ("740231", None),
        ("7408AB", None),
        ("7<0812", None),
    ],
)
def test_a_birth_date_is_the_latest_that_is_not_after_today(text, want):
    assert mrz.read_birth_date(text, TODAY) == want


@pytest.mark.parametrize(("text", "year"), [("751231", 2075), ("761231", 1976), ("120415", 2012)])
def test_an_expiry_date_lies_less_than_fifty_years_ahead(text, year):
    date = mrz.read_expiry_date(text, TODAY)
    assert date is not None
    assert date.year == year


def test_a_name_too_long_is_cut_at_a_letter_and_said_to_be_cut():
    fields = mrz.parse(ERIKSSON, TODAY).fields
    long = mrz.MrzFields(**{**_asdict(fields), "surname": "A" * 60, "given_names": "BEA"})
    lines = mrz.emit(long, mrz.TD3)
    assert lines[0].endswith("<<B")
    assert mrz.parse(lines, TODAY).names_may_be_cut
    assert not mrz.parse(ERIKSSON, TODAY).names_may_be_cut


def test_a_value_too_long_for_its_field_is_refused():
    fields = mrz.parse(ERIKSSON, TODAY).fields
    with pytest.raises(mrz.MrzShapeError, match="10 characters for a field of 9"):
        mrz.emit(mrz.MrzFields(**{**_asdict(fields), "document_number": "A123456789"}), mrz.TD3)


@pytest.mark.parametrize("number", ["ab", "?", "Ä", " "])
def test_a_character_that_the_zone_has_no_room_for_is_refused(number):
    fields = mrz.parse(ERIKSSON, TODAY).fields
    with pytest.raises(mrz.MrzShapeError, match="none of A to Z"):
        mrz.emit(mrz.MrzFields(**{**_asdict(fields), "document_number": number}), mrz.TD3)


def test_lookalikes_are_mapped_where_the_field_allows_one_kind_only():
    lines = ("P<UT0ER1K550N<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO74O8I22F1204159ZE184226B<<<<<1O")
    mapped, repairs = mrz.map_kinds(lines)
    assert mapped == ERIKSSON
    assert {(r.field, r.position, r.was, r.now) for r in repairs} == {
        ("issuing_state", 2, "0", "O"),
        ("names", 2, "1", "I"),
        ("names", 4, "5", "S"),
        ("names", 5, "5", "S"),
        ("names", 6, "0", "O"),
        ("birth_date", 2, "O", "0"),
        ("birth_date", 4, "I", "1"),
        ("composite_check_digit", 0, "O", "0"),
    }
    assert {r.basis for r in repairs} == {mrz.RepairBasis.FIELD_KIND}


def test_a_doubtful_character_is_repaired_when_the_digits_prove_it():
    misread = (ERIKSSON[0], ERIKSSON[1].replace("L8989", "LB989"))
    found = mrz.repair(misread, frozenset({(1, 1)}))
    assert found == (ERIKSSON, mrz.Repair("document_number", 1, "B", "8", mrz.RepairBasis.CHECK_DIGIT))


def test_a_sure_character_is_never_repaired():
    misread = (ERIKSSON[0], ERIKSSON[1].replace("L8989", "LB989"))
    assert mrz.repair(misread, frozenset({(1, 2), (0, 7)})) is None


def test_with_two_doubtful_characters_under_the_digits_nothing_is_repaired():
    misread = (ERIKSSON[0], ERIKSSON[1].replace("L8989", "LB989"))
    assert mrz.repair(misread, frozenset({(1, 1), (1, 2)})) is None


def test_a_character_is_not_repaired_into_one_that_readers_do_not_mistake_it_for():
    misread = (ERIKSSON[0], ERIKSSON[1].replace("L8989", "LW989"))
    assert mrz.repair(misread, frozenset({(1, 1)})) is None


def test_a_visa_is_never_repaired():
    lines = ICAO_EXAMPLES["MRV-A"]
    misread = (lines[0], lines[1].replace("L8988", "LB988"))
    assert mrz.repair(misread, frozenset({(1, 1)})) is None


@pytest.mark.parametrize("code", ["UTO", "D", "XXA", "UNO", "FRA", "EUE", "GBD"])
def test_codes_of_the_list_are_known(code):
    assert is_state(code)


@pytest.mark.parametrize("code", ["DEU", "UT0", "XYZ", "", "D<<"])
def test_other_codes_are_not_known(code):
    assert not is_state(code)


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("Müller-Lüdenscheidt", "MUELLER LUEDENSCHEIDT"),
        ("O'Connor", "OCONNOR"),
        ("Søren Ångström", "SOEREN AANGSTROEM"),
        ("Weiß", "WEISS"),
        ("José Ñuñez", "JOSE NUNEZ"),
        ("Łukasz Þór Đặng", "LUKASZ THOR DANG"),
        ("Jr. 3", "JR"),
    ],
)
def test_names_are_transliterated_by_icaos_table(name, want):
    assert to_mrz_letters(name) == want


@given(st.text(max_size=30))
def test_transliteration_gives_words_of_mrz_letters(name):
    assert set(to_mrz_letters(name)) <= set(mrz.LETTERS + " ")


def _asdict(fields: mrz.MrzFields) -> dict[str, object]:
    return {name: getattr(fields, name) for name in mrz.MrzFields.__slots__}
