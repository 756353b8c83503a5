from __future__ import annotations

import datetime
import io

import pytest
from PIL import Image

from borderpost.documents import mrz
from borderpost.documents.domain import Problem, Warn
from borderpost.documents.messages import advice
from borderpost.documents.pages import Pages
from borderpost.documents.verdict import CheckName, Overall, Result
from borderpost.runtime.errors import PictureDamagedError, PictureEmptyError, PictureFormatError
from fakes.documents import FakeCropper, FakeMrzReader, line

TODAY = datetime.date(2026, 11, 24)
FIELDS = mrz.MrzFields(
    "P", "UTO", "ERIKSSON", "ANNA MARIA", "L898902C3", "UTO", mrz.PartialDate(1974, 8, 12),
    mrz.Sex.FEMALE, mrz.PartialDate(2031, 4, 15), ("ZE184226B",),
)  # fmt: skip
NAMES, SECOND = mrz.emit(FIELDS, mrz.TD3)


def page() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (120, 100), "white").save(out, "PNG")
    return out.getvalue()


def changed(**values: object) -> tuple[str, ...]:
    return mrz.emit(
        mrz.MrzFields(**{n: values.get(n, getattr(FIELDS, n)) for n in FIELDS.__slots__}), mrz.TD3
    )


def read(first, second=(), cropper=None):
    reader = FakeMrzReader(first, second)
    return Pages(reader, cropper or FakeCropper(), accept_specimens=True).read(page(), TODAY), reader


def results(reading):
    return {check.name: check.result for check in reading.optical.checks}


def test_a_clean_page_passes_at_the_first_reading():
    reading, reader = read([line(NAMES), line(SECOND)])
    assert reading.problem is None
    assert reading.mrz.fields == FIELDS
    assert reading.optical.overall is Overall.PASS
    assert set(results(reading).values()) == {Result.PASSED}
    assert reading.portrait.jpeg == b"portrait"
    assert (reading.warnings, reading.repairs, reader.second_readings) == ((), (), 0)
    assert {stage.name for stage in reading.stages} == {"decode", "read_mrz", "portrait"}
    assert reading.reader == "fake-reader/1"


@pytest.mark.parametrize("code", ["", "X", "I", "A"])
def test_a_document_code_that_its_format_has_not_fails_even_a_blank_one(code):
    names, second = changed(document_code=code)
    reading, _ = read([line(names), line(second)], [line(names), line(second)])
    assert results(reading)[CheckName.DOCUMENT_KIND_KNOWN] is Result.FAILED
    assert reading.optical.overall is Overall.FAIL


def test_a_specimen_fails_where_specimens_are_not_accepted():
    documents = Pages(FakeMrzReader([line(NAMES), line(SECOND)], ()), FakeCropper(), accept_specimens=False)
    (failed,) = [c for c in documents.read(page(), TODAY).optical.checks if c.result is Result.FAILED]
    assert (failed.name, failed.reason) == (CheckName.ISSUER_KNOWN, "SPECIMEN_DOCUMENT")


def test_without_chip_files_the_electronic_verdict_is_undetermined():
    reading, _ = read([line(NAMES), line(SECOND)])
    assert reading.electronic.overall is Overall.UNDETERMINED
    (check,) = reading.electronic.checks
    assert (check.name, check.result, check.reason) == (
        CheckName.CHIP_READ,
        Result.NOT_PERFORMED,
        "NO_CHIP_FILES",
    )


def test_a_wrong_digit_that_both_readings_see_fails_the_document():
    wrong = SECOND[:9] + "5" + SECOND[10:-1] + SECOND[-1]
    reading, reader = read([line(NAMES), line(wrong)], [line(NAMES), line(wrong)])
    assert reader.second_readings == 1
    assert reading.problem is None
    assert reading.optical.overall is Overall.FAIL
    assert results(reading)[CheckName.CHECK_DIGITS] is Result.FAILED
    assert "CHECK_DIGIT_REFUTED" in [check.reason for check in reading.optical.checks]
    assert Warn.SECOND_READING in reading.warnings


def test_a_misread_character_that_the_second_reading_corrects_passes():
    misread = SECOND.replace("L898902", "L888902")
    reading, _ = read([line(NAMES), line(misread, {2: 0.4})], [line(NAMES), line(SECOND)])
    assert reading.optical.overall is Overall.PASS
    assert reading.repairs == ()


def test_a_refuted_field_with_an_unsure_character_asks_for_another_picture():
    misread = SECOND.replace("L898902", "L8W8902")
    lines = [line(NAMES), line(misread, {2: 0.4})]
    reading, _ = read(lines, lines)
    assert reading.problem is Problem.MRZ_UNCERTAIN
    assert reading.mrz is None
    assert reading.optical.overall is Overall.UNDETERMINED
    assert results(reading)[CheckName.MRZ_FOUND] is Result.UNDETERMINED
    assert results(reading)[CheckName.CHECK_DIGITS] is Result.NOT_PERFORMED


def test_an_unsure_character_is_repaired_where_the_digits_prove_it_and_said_so():
    misread = SECOND.replace("L898902", "LB98902")
    lines = [line(NAMES), line(misread, {1: 0.4})]
    reading, _ = read(lines, lines)
    assert reading.mrz.lines == (NAMES, SECOND)
    assert [(r.field, r.position, r.was, r.now) for r in reading.repairs] == [
        ("document_number", 1, "B", "8")
    ]
    assert Warn.CHARACTER_REPAIRED in reading.warnings


def test_a_surely_read_character_is_not_repaired_but_fails():
    printed = SECOND.replace("L898902", "LB98902")
    lines = [line(NAMES), line(printed)]
    reading, _ = read(lines, lines)
    assert reading.repairs == ()
    assert reading.optical.overall is Overall.FAIL


def test_an_unsure_letter_of_a_name_asks_for_another_picture():
    lines = [line(NAMES, {6: 0.3}), line(SECOND)]
    reading, _ = read(lines, lines)
    assert reading.problem is Problem.MRZ_UNCERTAIN


def test_readings_that_contradict_each_other_in_a_name_ask_for_another_picture():
    other = NAMES.replace("ERIKSSON", "ERIXSSON")
    reading, _ = read([line(NAMES, {8: 0.7}), line(SECOND)], [line(other), line(SECOND)])
    assert reading.problem is Problem.MRZ_UNCERTAIN


def test_an_unsure_character_that_a_digit_verifies_needs_no_second_reading():
    reading, reader = read([line(NAMES), line(SECOND, {3: 0.3})])
    assert reading.optical.overall is Overall.PASS
    assert reader.second_readings == 0


def test_two_doubtful_characters_that_can_make_up_for_each_other_ask_for_another_picture():
    names, second = changed(document_number="1EJOOC102")
    misread = second.replace("1EJOO", "1EJ00")
    assert mrz.refuted(mrz.digit_evidence((names, misread), mrz.TD3)) == ()
    lines = [line(names), line(misread, {3: 0.5, 4: 0.5})]
    reading, _ = read(lines, lines)
    assert reading.problem is Problem.MRZ_UNCERTAIN


def test_two_doubtful_characters_that_only_one_reading_of_fits_are_settled():
    names, second = changed(document_number="1EOJ0C102")
    lines = [line(names), line(second, {2: 0.5, 4: 0.5})]
    reading, reader = read(lines)
    assert reading.optical.overall is Overall.PASS
    assert reader.second_readings == 0


def test_lines_of_no_format_ask_for_another_picture():
    lines = [line(NAMES[:-1]), line(SECOND)]
    reading, _ = read(lines, lines)
    assert reading.problem is Problem.MRZ_UNCERTAIN


@pytest.mark.parametrize("problem", list(Problem))
def test_every_problem_has_advice_and_says_nothing_against_the_document(problem):
    reading, _ = read(problem)
    assert reading.problem is problem
    assert reading.optical.overall is Overall.UNDETERMINED
    assert reading.portrait is None
    assert advice(problem).endswith(".")


@pytest.mark.parametrize(
    ("lines", "name", "reason"),
    [
        (changed(expiry_date=mrz.PartialDate(2026, 11, 23)), CheckName.NOT_EXPIRED, "DOCUMENT_EXPIRED"),
        (changed(issuing_state="ZZZ"), CheckName.ISSUER_KNOWN, "ISSUER_NOT_IN_CODE_LIST"),
        (changed(nationality="ZZZ"), CheckName.NATIONALITY_KNOWN, "NATIONALITY_NOT_IN_CODE_LIST"),
        (changed(birth_date=mrz.PartialDate(1974, 13, 1)), CheckName.DATES_VALID, "BIRTH_DATE_NOT_A_DATE"),
        (changed(expiry_date=mrz.PartialDate(2031, 2, 30)), CheckName.DATES_VALID, "EXPIRY_DATE_NOT_A_DATE"),
    ],
)
def test_what_is_wrong_on_a_clean_page_fails_by_its_own_check(lines, name, reason):
    reading, _ = read([line(text) for text in lines])
    assert reading.optical.overall is Overall.FAIL
    assert [(c.name, c.reason) for c in reading.optical.checks if c.result is Result.FAILED] == [
        (name, reason)
    ]


def test_a_document_is_valid_on_its_last_day():
    lines = changed(expiry_date=mrz.PartialDate(2026, 11, 24))
    reading, _ = read([line(text) for text in lines])
    assert results(reading)[CheckName.NOT_EXPIRED] is Result.PASSED


def test_an_expiry_date_with_unknown_parts_is_undetermined():
    reading, _ = read([line(text) for text in changed(expiry_date=mrz.PartialDate(2031, None, None))])
    assert reading.optical.overall is Overall.UNDETERMINED


def test_a_portrait_outside_the_picture_is_a_warning():
    reading, _ = read([line(NAMES), line(SECOND)], cropper=FakeCropper(None))
    assert reading.portrait is None
    assert reading.warnings == (Warn.PORTRAIT_NOT_FOUND,)
    assert reading.optical.overall is Overall.PASS


@pytest.mark.parametrize(
    ("data", "error"),
    [(b"", PictureEmptyError), (b"not a picture", PictureFormatError), (page()[:60], PictureDamagedError)],
)
def test_bytes_that_are_no_picture_are_refused_by_type(data, error):
    with pytest.raises(error):
        Pages(FakeMrzReader(Problem.NO_MRZ), FakeCropper(), accept_specimens=True).read(data, TODAY)


def read_with_flaw(flaw):
    reader = FakeMrzReader([line(NAMES), line(SECOND)], flaw=flaw)
    return Pages(reader, FakeCropper(), accept_specimens=True).read(page(), TODAY)


def test_a_reading_with_a_reflection_on_it_is_never_believed_however_clear():
    reading = read_with_flaw(Problem.GLARE_ON_MRZ)
    assert (reading.problem, reading.mrz) == (Problem.GLARE_ON_MRZ, None)


def test_a_small_zone_that_is_clear_is_believed():
    assert read_with_flaw(Problem.MRZ_TOO_SMALL).problem is None


@pytest.mark.parametrize("twin", ["U", "K", "A"])
def test_a_letter_in_a_date_that_the_check_digit_takes_for_a_digit_asks_for_another_picture(twin):
    place = SECOND.index("310415")
    spoilt = SECOND[: place + 2] + twin + SECOND[place + 3 :]
    reading, _ = read([line(NAMES), line(spoilt)], [line(NAMES), line(spoilt)])
    assert reading.problem is Problem.MRZ_UNCERTAIN
