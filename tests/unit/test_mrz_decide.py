"""What check digits and odds settle, and what they never may."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from borderpost.documents import mrz
from borderpost.documents.decide import interpret, merge, repaired, rows_to_confirm
from borderpost.documents.domain import Line

SURE, POSSIBLE = 0.97, 0.2
FIELDS = mrz.MrzFields(
    "P", "UTO", "ERIKSSON", "ANNA MARIA", "L898902C3", "UTO", mrz.PartialDate(1974, 8, 12),
    mrz.Sex.FEMALE, mrz.PartialDate(2031, 4, 15), ("ZE184226B",),
)  # fmt: skip
NAMES, SECOND = mrz.emit(FIELDS, mrz.TD3)


def changed(**values):
    return mrz.emit(
        mrz.MrzFields(**{n: values.get(n, getattr(FIELDS, n)) for n in FIELDS.__slots__}), mrz.TD3
    )


def read(text: str, also: dict[int, dict[str, float]] | None = None) -> Line:
    """A line read clearly as `text`, but at the places of `also` with these other odds."""
    return Line.of(
        [
            {char: SURE - sum((also or {}).get(i, {}).values()), **(also or {}).get(i, {})}
            for i, char in enumerate(text)
        ]
    )


def is_valid(found) -> bool:
    return not found.refuted and not found.unsettled


characters = st.sampled_from(mrz.ALPHABET)
words = st.text(alphabet=string.ascii_uppercase, min_size=2, max_size=12)


@st.composite
def documents(draw):
    return changed(
        surname=draw(words),
        given_names=draw(words),
        document_number=draw(
            st.text(alphabet=string.ascii_uppercase + string.digits, min_size=9, max_size=9)
        ),
        birth_date=mrz.PartialDate(draw(st.integers(1930, 2020)), draw(st.integers(1, 12)), 7),
    )


def test_clear_print_whose_digits_fit_is_settled():
    found = interpret([read(NAMES), read(SECOND)])
    assert is_valid(found)
    assert found.lines == (NAMES, SECOND)


@settings(max_examples=60)
@given(documents(), st.integers(0, 43), characters)
def test_clear_print_is_never_changed_whatever_the_digits_say(lines, position, char):
    printed = mrz.formats.replaced(lines, 1, position, char)
    mapped, _ = mrz.map_kinds(printed)
    clear = [read(text) for text in printed]
    found = interpret(clear)
    assert found.lines == mapped
    assert repaired(clear, found).lines == mapped


@settings(max_examples=60)
@given(documents(), documents(), st.integers(0, 43))
def test_a_valid_reading_is_what_was_likeliest_or_one_repair_away(lines, other, position):
    """Half-seen print of one document can't become another document."""
    assume(lines[1] != other[1])
    odds = [{a: 0.6, b: 0.3} if a != b else {a: SURE} for a, b in zip(lines[1], other[1], strict=True)]
    half_seen = [read(lines[0]), Line.of(odds)]
    found = repaired(half_seen, interpret(half_seen))
    assert not is_valid(found) or sum(a != b for a, b in zip(found.lines[1], lines[1], strict=True)) <= 1
    assert (
        not is_valid(found)
        or found.lines[1] != other[1]
        or sum(a != b for a, b in zip(lines[1], other[1], strict=True)) <= 1
    )


@settings(max_examples=60)
@given(st.lists(characters, min_size=44, max_size=44), st.lists(characters, min_size=44, max_size=44))
def test_text_that_is_no_mrz_is_not_made_valid(first, second):
    lines = ("P" + "".join(first)[1:], "".join(second))
    mapped, _ = mrz.map_kinds(lines)
    assume(mrz.refuted(mrz.digit_evidence(mapped, mrz.TD3)))
    found = interpret([read(text) for text in lines])
    assert not is_valid(repaired([read(text) for text in lines], found))


def test_an_unseen_line_is_not_made_valid_by_its_digits():
    unseen = Line.of([dict.fromkeys(mrz.ALPHABET, 1 / 37) for _ in SECOND])
    lines = [read(NAMES), unseen]
    assert not is_valid(repaired(lines, interpret(lines)))


@pytest.mark.parametrize(("printed", "twin"), [("8", "S"), ("6", "G"), ("0", "K"), ("<", "A")])
def test_twins_that_a_check_digit_is_blind_to_are_left_open(printed, twin):
    (names, second) = changed(document_number=f"L89{printed}902C3".replace("<", "0"))
    second = mrz.formats.replaced((names, second), 1, 3, printed)[1]
    lines = [read(names), read(second, {3: {twin: POSSIBLE}})]
    assert interpret(lines).unsettled == ("document_number",)


def test_a_doubtful_character_whose_twin_the_digits_exclude_is_settled():
    lines = [read(NAMES), read(SECOND, {3: {"4": POSSIBLE}})]
    assert is_valid(interpret(lines))


def test_one_possible_reading_that_fits_is_a_repair_and_recorded():
    misread = SECOND.replace("L898902", "LB98902")
    lines = [read(NAMES), read(misread, {1: {"8": POSSIBLE}})]
    found = interpret(lines)
    assert found.refuted
    mended = repaired(lines, found)
    assert mended.lines == (NAMES, SECOND)
    assert [(r.field, r.position, r.was, r.now, r.basis) for r in mended.repairs] == [
        ("document_number", 1, "B", "8", mrz.RepairBasis.CHECK_DIGIT)
    ]


def test_what_the_reader_holds_impossible_is_no_repair():
    misread = SECOND.replace("L898902", "LB98902")
    lines = [read(NAMES), read(misread, {1: {"8": 0.001}})]
    found = repaired(lines, interpret(lines))
    assert found.repairs == ()
    assert found.refuted


def test_two_misread_characters_are_not_repaired():
    misread = SECOND.replace("L898902", "LB9B902")
    lines = [read(NAMES), read(misread, {1: {"8": POSSIBLE}, 3: {"8": POSSIBLE}})]
    found = repaired(lines, interpret(lines))
    assert found.repairs == ()
    assert found.unsettled


def test_a_repair_that_another_pair_of_changes_rivals_is_not_made():
    misread = SECOND.replace("L898902", "LB98902")
    blind = {
        1: {"8": POSSIBLE},
        28: {"2": POSSIBLE},
        30: {"7": POSSIBLE},
        31: {"G": POSSIBLE},
        5: {"A": POSSIBLE},
    }
    lines = [read(NAMES), read(misread, blind)]
    assert not is_valid(repaired(lines, interpret(lines)))


@pytest.mark.parametrize("layout", [mrz.MRV_A, mrz.MRV_B])
def test_visas_are_not_repaired(layout):
    visa = mrz.MrzFields(
        **{n: getattr(FIELDS, n) for n in FIELDS.__slots__} | {"document_code": "V", "optional_data": ()}
    )
    names, second = mrz.emit(visa, layout)
    misread = second.replace("L898902", "LB98902")
    lines = [read(names), read(misread, {1: {"8": POSSIBLE}})]
    found = repaired(lines, interpret(lines))
    assert found.repairs == ()
    assert found.unsettled == ("document_number",)


def test_a_name_is_never_repaired():
    lines = [read(NAMES, {6: {"P": POSSIBLE}}), read(SECOND)]
    assert repaired(lines, interpret(lines)).unsettled == ("names",)


def test_a_clear_digit_in_a_name_is_no_letter():
    names = NAMES.replace("ERIKSSON", "ERI7SSON")
    assert interpret([read(names), read(SECOND)]).unsettled == ("names",)


def test_a_lookalike_of_the_other_kind_is_mapped_and_recorded():
    found = interpret([read(NAMES.replace("ERIKSSON", "ERIKSS0N")), read(SECOND)])
    assert is_valid(found)
    assert [(r.was, r.now, r.basis) for r in found.repairs] == [("0", "O", mrz.RepairBasis.FIELD_KIND)]


def test_the_code_list_settles_a_code_that_the_reader_holds_likeliest_and_changes_none():
    listed = SECOND.replace("3UTO", "3UTO")
    place = SECOND.index("UTO") + 1
    assert is_valid(interpret([read(NAMES), read(listed, {place: {"J": POSSIBLE}})]))
    unlisted = SECOND.replace("UTO", "UJO")
    found = interpret([read(NAMES), read(unlisted, {place: {"T": POSSIBLE}})])
    assert found.lines[1] == unlisted
    assert "nationality" in found.unsettled


def test_a_code_with_another_listed_one_possible_is_left_open():
    (names, second) = changed(nationality="AUT")
    place = second.index("AUT") + 2
    assert interpret([read(names), read(second, {place: {"S": POSSIBLE}})]).unsettled == ("nationality",)


def test_two_looks_that_contradict_each_other_leave_the_character_open():
    one, other = read(NAMES), read(NAMES.replace("ERIKSSON", "ERIXSSON"))
    lines = merge([one, read(SECOND)], [other, read(SECOND)])
    assert interpret(lines).unsettled == ("names",)


def test_two_looks_that_agree_are_no_surer_than_the_surer_one():
    unsure = read(NAMES, {6: {"P": POSSIBLE}})
    (line,) = merge([unsure], [unsure])
    assert line.confidences == pytest.approx(unsure.confidences)


def test_lines_without_check_digits_are_confirmed_by_a_second_reader_and_all_if_anything_is_open():
    assert rows_to_confirm([read(NAMES), read(SECOND)]) == {0}
    assert rows_to_confirm([read(NAMES), read(SECOND, {3: {"S": POSSIBLE}})]) == {0, 1}
    assert rows_to_confirm([read(NAMES), read(SECOND[:-1])]) == {0, 1}
    assert rows_to_confirm([read(NAMES), read(SECOND.replace("UTO", "UJO"))]) == {0, 1}


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from([30, 36, 44]), st.sampled_from([1, 2, 3])
)
@settings(max_examples=40)
def test_any_odds_are_interpreted_or_refused_by_their_shape(seed, most, width, rows):
    source = random.Random(seed)  # noqa: S311  repeatable, nothing secret
    lines = [
        Line.of(
            [
                {
                    source.choice(mrz.ALPHABET): source.choice((0.0, 1e-9, source.random(), 1.0))
                    for _ in range(most)
                }
                for _ in range(width)
            ]
        )
        for _ in range(rows)
    ]
    try:
        found = repaired(lines, interpret(lines))
    except mrz.MrzShapeError:
        return
    assert [len(text) for text in found.lines] == [width] * rows
