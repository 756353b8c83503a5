"""Page and chip: the printed zone against data group 1, where data group 1 can be believed."""

from __future__ import annotations

import dataclasses
import functools

import pytest

from borderpost.documents import mrz
from borderpost.documents.chip.consistency import consistency
from borderpost.documents.chip.domain import ChipReading
from borderpost.documents.chip.read import read_chip
from borderpost.documents.trust.domain import NOTHING_TRUSTED
from borderpost.documents.verdict import CheckName, Overall, Result
from borderpost.specimens.chip import make_chip
from fakes.chips import LINES, SIGNED, files_of, order, trust_of

TODAY = SIGNED.date()
PRINTED = mrz.parse(LINES, TODAY)
NAMES = [CheckName.MRZ_IS_THE_CHIPS, CheckName.EXPIRY_IS_THE_CHIPS, CheckName.ISSUER_IS_THE_CHIPS]


@functools.cache
def chip() -> ChipReading:
    genuine = make_chip(order())
    return read_chip(files_of(genuine), trust_of(genuine), SIGNED)


def printed(**fields: object) -> mrz.Mrz:
    lines = mrz.emit(dataclasses.replace(PRINTED.fields, **fields), PRINTED.format)
    return mrz.parse(lines, TODAY)


def outcomes(page: mrz.Mrz | None, of: ChipReading | None) -> list[tuple[Result, str]]:
    found = consistency(page, of)
    assert [check.name for check in found.checks] == NAMES
    return [(check.result, check.reason) for check in found.checks]


def test_page_and_chip_that_agree_pass():
    assert consistency(PRINTED, chip()).overall is Overall.PASS


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({"surname": "FRIKSSON"}, ["MRZ_DIFFERS_FROM_CHIP", "", ""]),
        ({"document_number": "L898902C4"}, ["MRZ_DIFFERS_FROM_CHIP", "", ""]),
        (
            {"expiry_date": mrz.PartialDate(2033, 4, 15)},
            ["MRZ_DIFFERS_FROM_CHIP", "EXPIRY_DIFFERS_FROM_CHIP", ""],
        ),
        ({"issuing_state": "SWE"}, ["MRZ_DIFFERS_FROM_CHIP", "", "ISSUER_DIFFERS_FROM_CHIP"]),
    ],
)
def test_what_differs_fails_with_its_own_reason(fields, reasons):
    found = outcomes(printed(**fields), chip())
    assert [reason for _, reason in found] == reasons
    assert all(result is (Result.FAILED if reason else Result.PASSED) for result, reason in found)


def test_a_chip_whose_data_nobody_signed_says_nothing_about_the_page():
    genuine = files_of(make_chip(order()))
    for files in (
        dataclasses.replace(genuine, sod=b""),
        dataclasses.replace(genuine, data_groups={**genuine.data_groups, 2: b"\x75\x00"}),
    ):
        read = read_chip(files, NOTHING_TRUSTED, SIGNED)
        assert outcomes(PRINTED, read) == [(Result.UNDETERMINED, "CHIP_DATA_NOT_AUTHENTIC")] * 3


def test_without_page_zone_or_chip_nothing_is_performed():
    unreadable = dataclasses.replace(chip(), mrz=None)
    nothing = dataclasses.replace(chip(), files=())
    for page, of, reason in (
        (PRINTED, None, "NO_CHIP_FILES"),
        (PRINTED, nothing, "NO_CHIP_FILES"),
        (None, chip(), "MRZ_NOT_READ"),
        (PRINTED, unreadable, "CHIP_MRZ_UNREADABLE"),
    ):
        assert outcomes(page, of) == [(Result.NOT_PERFORMED, reason)] * 3


def test_an_expiry_that_is_no_date_is_undetermined():
    unknown = dataclasses.replace(PRINTED, fields=dataclasses.replace(PRINTED.fields, expiry_date=None))
    assert outcomes(unknown, chip())[1] == (Result.UNDETERMINED, "EXPIRY_DATE_UNKNOWN")
