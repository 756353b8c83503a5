"""Two zones compared, document codes, and what check digits can't see."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.documents import mrz
from fakes.mrz import TODAY, documents

ERIKSSON = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")


def changed(lines: tuple[str, ...], place: tuple[int, int], char: str) -> tuple[str, ...]:
    row, position = place
    line = lines[row][:position] + char + lines[row][position + 1 :]
    return (*lines[:row], line, *lines[row + 1 :])


def all_places(layout: mrz.Format) -> list[tuple[int, int]]:
    return list(itertools.product(range(layout.rows), range(layout.width)))


def complete(layout: mrz.Format) -> st.SearchStrategy[tuple[str, ...]]:
    """Lines whose digits are all there, of fields that aren't empty, and whose number doesn't run on."""
    return (
        documents(layout, long_numbers=False)
        .filter(lambda fields: fields.birth_date != mrz.PartialDate(None, None, None))
        .filter(lambda fields: layout is not mrz.TD3 or any(fields.optional_data))
        .map(lambda fields: mrz.emit(fields, layout))
    )


def refuted(lines: tuple[str, ...], layout: mrz.Format) -> bool:
    return mrz.refuted(mrz.digit_evidence(lines, layout)) != ()


@pytest.mark.parametrize("layout", mrz.FORMATS, ids=lambda layout: layout.name)
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_any_one_wrong_character_is_refuted_unless_it_is_a_blind_spot(layout, data):
    lines = data.draw(complete(layout))
    (number_digit,) = layout.checks[0].digit.places()
    for place, now in itertools.product(all_places(layout), mrz.ALPHABET):
        was = lines[place[0]][place[1]]
        # A filler for the number's digit 0 could make the optional data the rest of the number.
        if was != now and (place, was, now) != (number_digit, "0", "<"):
            assert refuted(changed(lines, place, now), layout) != mrz.is_blind(layout, place, was, now)


@pytest.mark.parametrize("layout", [mrz.TD1, mrz.TD2], ids=lambda layout: layout.name)
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_any_other_value_in_a_protected_place_is_refuted_in_numbers_that_run_on(layout, data):
    fields = data.draw(
        documents(layout, long_numbers=True).filter(lambda each: len(each.document_number) > 9)
    )
    lines = mrz.emit(fields, layout)
    protected = {place for rule in layout.checks for place in rule.places()}
    for place, now in itertools.product(protected, mrz.ALPHABET):
        if mrz.check_digit(lines[place[0]][place[1]]) != mrz.check_digit(now):
            assert refuted(changed(lines, place, now), layout)


def test_the_digit_of_an_unknown_birth_date_may_be_0_or_a_filler():
    unknown = replace(mrz.parse(ERIKSSON, TODAY).fields, birth_date=mrz.PartialDate(None, None, None))
    lines = mrz.emit(unknown, mrz.TD3)
    assert lines[1][13:20] == "<<<<<<0"
    for digit, state in (("0", mrz.DigitState.VERIFIED), ("<", mrz.DigitState.ABSENT)):
        evidence = mrz.digit_evidence(changed(lines, (1, 19), digit), mrz.TD3)
        assert evidence[1] == mrz.DigitEvidence("birth_date", state)
        assert mrz.refuted(evidence) == ()


def test_characters_of_one_value_are_those_equal_modulo_10():
    assert mrz.SAME_VALUE == (
        "0AKU<", "1BLV", "2CMW", "3DNX", "4EOY", "5FPZ", "6GQ", "7HR", "8IS", "9JT",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("layout", "fields"),
    [
        (mrz.TD1, ("document_code", "issuing_state", "sex", "nationality", "names")),
        (mrz.TD2, ("document_code", "issuing_state", "names", "nationality", "sex")),
        (mrz.TD3, ("document_code", "issuing_state", "names", "nationality", "sex")),
        (mrz.MRV_A, ("document_code", "issuing_state", "names", "nationality", "sex", "optional_data")),
        (mrz.MRV_B, ("document_code", "issuing_state", "names", "nationality", "sex", "optional_data")),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_some_fields_have_no_digit(layout, fields):
    assert mrz.unprotected_fields(layout) == fields


@pytest.mark.parametrize(
    ("code", "fitting"),
    [
        ("P", {"TD3"}),
        ("PD", {"TD3"}),
        ("V", {"MRV-A", "MRV-B"}),
        ("I", {"TD1", "TD2"}),
        ("IP", {"TD1", "TD2"}),
        ("A", {"TD1", "TD2"}),
        ("AC", {"TD1"}),
        ("AI", {"TD2"}),
        ("IV", set()),
        ("CV", set()),
        ("", set()),
        ("X", set()),
    ],
)
def test_a_document_code_fits_its_formats(code, fitting):
    assert {layout.name for layout in mrz.FORMATS if mrz.code_fits(code, layout)} == fitting


def test_equal_lines_do_not_differ():
    assert mrz.differences(mrz.parse(ERIKSSON, TODAY), mrz.parse(ERIKSSON, TODAY)) == ()


@pytest.mark.parametrize("layout", mrz.FORMATS, ids=lambda layout: layout.name)
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_every_changed_character_is_named_by_its_field(layout, data):
    lines = mrz.emit(data.draw(documents(layout)), layout)
    whole = mrz.parse(lines, TODAY)
    named = set()
    for row, position in all_places(layout)[1:]:  # the first character tells the format
        other = "B" if lines[row][position] == "A" else "A"
        found = mrz.differences(whole, mrz.parse(changed(lines, (row, position), other), TODAY))
        assert len(found) == 1
        named |= set(found)
    digits = {f"{rule.field}_check_digit" for rule in layout.checks}
    assert named == {field.name for field in layout.fields} | digits


def test_a_swapped_holder_is_named_field_by_field():
    page = mrz.parse(ERIKSSON, TODAY)
    other = replace(page.fields, surname="OTHER", birth_date=mrz.PartialDate(1980, 1, 2), sex=mrz.Sex.MALE)
    chip = mrz.parse(mrz.emit(other, mrz.TD3), TODAY)
    assert mrz.differences(page, chip) == (
        "names", "birth_date", "sex", "birth_date_check_digit", "composite_check_digit",
    )  # fmt: skip


def test_in_another_format_values_are_compared_and_a_cut_name_is_the_same():
    page = mrz.parse(ERIKSSON, TODAY)
    fields = replace(
        page.fields, document_code="I", given_names="ANNA MARIA ELISABETH MAGDALENA", optional_data=()
    )
    card = mrz.parse(mrz.emit(fields, mrz.TD1), TODAY)
    wide = mrz.parse(mrz.emit(fields, mrz.TD2), TODAY)
    assert card.names_may_be_cut
    assert card.fields.given_names != wide.fields.given_names
    assert mrz.differences(card, wide) == ("format",)
    assert mrz.differences(wide, card) == ("format",)
    assert mrz.differences(page, card) == ("format", "document_code", "names")
