from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.documents import mrz
from borderpost.documents.mrz import DigitState, PartialDate
from borderpost.runtime.names import NameAnswer, compare_names
from fakes.mrz import LONGEST_NUMBER, TODAY, documents, long_words

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


def test_a_long_number_of_td2_is_joined_likewise():
    lines = ("I<UTOSTEVENSON<<PETER<JOHN<<<<<<<<<<", "D23145890<UTO3407127M95071227349<<<8")
    document = mrz.parse(lines, TODAY)
    assert document.fields.document_number == "D23145890734"
    assert mrz.refuted(document.digits) == ()
    assert mrz.emit(document.fields, mrz.TD2) == lines


@pytest.mark.parametrize("layout", [mrz.TD1, mrz.TD2], ids=lambda layout: layout.name)
def test_the_longest_number_fits_and_one_more_character_does_not(layout):
    fields = mrz.parse(ICAO_EXAMPLES[layout.name], TODAY).fields
    longest = ("A1B2C3D4E" * 3)[: LONGEST_NUMBER[layout.name]]
    lines = mrz.emit(replace(fields, document_number=longest), layout)
    assert mrz.parse(lines, TODAY).fields.document_number == longest
    with pytest.raises(mrz.MrzShapeError, match="characters for a field of"):
        mrz.emit(replace(fields, document_number=longest + "5"), layout)


@pytest.mark.parametrize(
    "upper",
    [
        "I<UTOD2314589<<7349<<<<<<<<<<<",  # the ninth character is a filler
        "I<UTOD23145890<734567890123459",  # no filler after the digit
        "I<UTOD23145890<9<<<<<<<<<<<<<<",  # no more characters of the number
        "I<UTOD23145890<<7349<<<<<<<<<<",
    ],
)
def test_a_filler_for_a_digit_makes_no_long_number_unless_more_of_it_a_digit_and_a_filler_follow(upper):
    document = mrz.parse((upper, *LONG_NUMBER[1:]), TODAY)
    assert document.fields.document_number == upper[5:14].rstrip("<")
    assert "document_number" in mrz.refuted(document.digits)


@pytest.mark.parametrize("layout", mrz.FORMATS, ids=lambda layout: layout.name)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_what_is_emitted_parses_to_the_same_document(layout, data):
    fields = data.draw(documents(layout))
    document = mrz.parse(mrz.emit(fields, layout), TODAY)
    assert document.format is layout
    assert document.fields == fields
    assert mrz.refuted(document.digits) == ()


@pytest.mark.parametrize("layout", mrz.FORMATS, ids=lambda layout: layout.name)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_names_that_do_not_fit_are_cut_as_the_standard_allows_and_all_else_is_kept(layout, data):
    fields = data.draw(documents(layout, names=long_words))
    document = mrz.parse(mrz.emit(fields, layout), TODAY)
    kept = document.fields
    assert replace(kept, surname=fields.surname, given_names=fields.given_names) == fields
    names = (fields.surname, fields.given_names)
    read = (kept.surname, kept.given_names)
    assert names == read or document.names_may_be_cut
    assert compare_names(names, read, may_be_cut=document.names_may_be_cut).answer is NameAnswer.POSSIBLE
    assert mrz.emit(kept, layout) == document.lines


@given(text=st.lists(st.text(max_size=45) | st.text(mrz.ALPHABET, max_size=45), max_size=4).map(tuple))
@settings(max_examples=150)
def test_lines_of_any_shape_are_parsed_or_refused_by_type(text):
    try:
        mrz.parse(text, TODAY)
    except mrz.MrzShapeError:
        assert not any(
            len(text) == layout.rows and {len(line) for line in text} == {layout.width}
            for layout in mrz.FORMATS
        ) or set("".join(text)) - set(mrz.ALPHABET)


@pytest.mark.parametrize("layout", mrz.FORMATS, ids=lambda layout: layout.name)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_characters_of_the_right_shape_parse_with_a_word_on_every_digit(layout, data):
    first = "V" if layout.name.startswith("MRV") else "I"
    text = data.draw(st.text(mrz.ALPHABET, min_size=layout.rows * layout.width - 1, max_size=90))
    whole = (first + text)[: layout.rows * layout.width]
    lines = tuple(whole[row * layout.width : (row + 1) * layout.width] for row in range(layout.rows))
    document = mrz.parse(lines, TODAY)
    assert document.format is layout
    fields = [digit.field for digit in document.digits]
    assert fields[:3] == ["document_number", "birth_date", "expiry_date"]
    assert fields[-1] == "composite"


def test_visas_have_no_composite_digit():
    document = mrz.parse(ICAO_EXAMPLES["MRV-B"], TODAY)
    assert document.digits[-1] == mrz.DigitEvidence("composite", DigitState.ABSENT)


@given(second=st.text(mrz.ALPHABET, min_size=44, max_size=44))
@settings(max_examples=200)
def test_any_characters_in_a_passports_lines_parse(second):
    document = mrz.parse((ERIKSSON[0], second), TODAY)
    assert len(document.digits) == 5


def test_optional_datas_digit_is_absent_when_both_are_fillers():
    fields = mrz.parse(ERIKSSON, TODAY).fields
    lines = mrz.emit(replace(fields, optional_data=("",)), mrz.TD3)
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
        ("74<812", None),
        ("000000", None),
        ("000101", PartialDate(2000, 1, 1)),
        ("740012", None),
        ("010229", None),
        ("<<0230", None),
        ("<<<<31", PartialDate(None, None, 31)),
        ("<<<<32", None),
        ("2612<<", PartialDate(1926, 12, None)),
        ("27<<<<", PartialDate(1927, None, None)),
        ("26<<<<", PartialDate(2026, None, None)),
        ("+1+1+1", None),
        ("١٢٠١٠١", None),
        ("12010", None),
        ("1201011", None),
        ("", None),
    ],
)
def test_a_birth_date_is_the_latest_that_is_not_after_today(text, want):
    assert mrz.read_birth_date(text, TODAY) == want


@pytest.mark.parametrize(("text", "year"), [("751231", 2075), ("761231", 1976), ("120415", 2012)])
def test_an_expiry_date_lies_less_than_fifty_years_ahead(text, year):
    date = mrz.read_expiry_date(text, TODAY)
    assert date is not None
    assert date.year == year


def test_a_birth_date_without_a_part_says_no_day():
    assert PartialDate(1974, None, 12).complete() is None
    assert PartialDate(1974, 8, 12).complete() is not None


def test_a_document_code_of_another_format_is_refused():
    fields = mrz.parse(ERIKSSON, TODAY).fields
    with pytest.raises(mrz.MrzShapeError, match="none of MRV-A"):
        mrz.emit(fields, mrz.MRV_A)


@pytest.mark.parametrize("field", ["surname", "nationality", "document_code"])
def test_a_numeral_in_a_field_of_letters_is_refused(field):
    fields = mrz.parse(ERIKSSON, TODAY).fields
    with pytest.raises(mrz.MrzShapeError, match="none of A to Z and the filler"):
        mrz.emit(replace(fields, **{field: "P7"}), mrz.TD3)


def test_a_name_of_one_part_is_the_primary_identifier():
    fields = replace(mrz.parse(ERIKSSON, TODAY).fields, surname="SATRIYA SUDARPA", given_names="")
    lines = mrz.emit(fields, mrz.TD3)
    assert lines[0] == "P<UTOSATRIYA<SUDARPA<<<<<<<<<<<<<<<<<<<<<<<<"
    assert mrz.parse(lines, TODAY).fields == fields


@pytest.mark.parametrize(
    ("surname", "given", "field"),
    [
        ("NILAVADHANANANDA", "CHAYAPA DEJTHAMRONG KRASUANG", "NILAVADHANANANDA<<CHAYAPA<DEJT"),
        ("A" * 27 + " B", "CARL", "A" * 27 + "<<C"),
        ("A" * 26 + " BB", "CARL", "A" * 25 + "<B<<C"),
        ("A" * 29 + " B", "", "A" * 28 + "<B"),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "JO ANNE", "ABCDEFGHIJKLMNOPQRSTUVWXYZ<<JO"),
        ("ABCDEFGHIJKLMNOPQRSTUVWXY", "JO ANNE", "ABCDEFGHIJKLMNOPQRSTUVWXY<<J<A"),
    ],
)
def test_a_cut_name_ends_in_a_letter_of_the_last_part(surname, given, field):
    fields = replace(mrz.parse(ICAO_EXAMPLES["TD1"], TODAY).fields, surname=surname, given_names=given)
    assert mrz.emit(fields, mrz.TD1)[2] == field


def test_a_name_that_no_cut_ends_in_a_letter_is_refused():
    fields = replace(
        mrz.parse(ICAO_EXAMPLES["TD1"], TODAY).fields, surname=" ".join("A" * 20), given_names=""
    )
    with pytest.raises(mrz.MrzShapeError, match="can't be cut"):
        mrz.emit(fields, mrz.TD1)


def test_a_name_too_long_is_cut_at_a_letter_and_said_to_be_cut():
    fields = mrz.parse(ERIKSSON, TODAY).fields
    long = replace(fields, surname="A" * 60, given_names="BEA")
    lines = mrz.emit(long, mrz.TD3)
    assert lines[0].endswith("<<B")
    assert mrz.parse(lines, TODAY).names_may_be_cut
    assert not mrz.parse(ERIKSSON, TODAY).names_may_be_cut


def test_a_value_too_long_for_its_field_is_refused():
    fields = mrz.parse(ERIKSSON, TODAY).fields
    with pytest.raises(mrz.MrzShapeError, match="10 characters for a field of 9"):
        mrz.emit(replace(fields, document_number="A123456789"), mrz.TD3)


@pytest.mark.parametrize("number", ["ab", "?", "Ä", " "])
def test_a_character_that_the_zone_has_no_room_for_is_refused(number):
    fields = mrz.parse(ERIKSSON, TODAY).fields
    with pytest.raises(mrz.MrzShapeError, match="none of A to Z"):
        mrz.emit(replace(fields, document_number=number), mrz.TD3)


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
