"""What reading a document finds: the reading, its checks and its verdicts (BSI TR-03135)."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from borderpost.documents.chip.domain import ChipReading
from borderpost.documents.mrz import DigitState, Mrz, MrzFields, Repair, code_fits, refuted
from borderpost.documents.verdict import Check, CheckName, Result, Verdict, verdict
from borderpost.runtime.states import SPECIMEN_STATE, is_state

Point = tuple[float, float]
"""x to the right and y down, in pixels of the page picture."""

Quad = tuple[Point, Point, Point, Point]
"""Top left, top right, bottom right, bottom left as the text runs, so a page upside down begins below."""


class Problem(Enum):
    """Why a page could not be read, and can be taken again. `messages` has the advice."""

    NO_MRZ = "NO_MRZ"
    TWO_DOCUMENTS = "TWO_DOCUMENTS"
    MRZ_CUT_OFF = "MRZ_CUT_OFF"
    MRZ_TOO_SMALL = "MRZ_TOO_SMALL"
    GLARE_ON_MRZ = "GLARE_ON_MRZ"
    MRZ_UNCERTAIN = "MRZ_UNCERTAIN"


class Warn(Enum):
    """What an officer should know of a reading that succeeded."""

    CHARACTER_REPAIRED = "CHARACTER_REPAIRED"
    NAMES_MAY_BE_CUT = "NAMES_MAY_BE_CUT"
    PORTRAIT_NOT_FOUND = "PORTRAIT_NOT_FOUND"
    SECOND_READING = "SECOND_READING"


Odds = Mapping[str, float]
"""What one printed character may be, with probabilities; what is left to 1 is for none of them."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line as read: text in the MRZ's characters, and for each how sure the reader is, 0 to 1.

    `odds` holds, for each character, all that the reader thought possible.
    """

    text: str
    confidences: tuple[float, ...]
    odds: tuple[Odds, ...]

    @classmethod
    def of(cls, odds: Sequence[Odds]) -> Line:
        """Make the line of the likeliest characters."""
        text = "".join(max(cell, key=lambda char: cell[char]) for cell in odds)
        return cls(text, tuple(cell[char] for char, cell in zip(text, odds, strict=True)), tuple(odds))


@dataclass(frozen=True, slots=True)
class Zone:
    """An MRZ found in a picture. `line_quads` surround the lines, `quad` surrounds all of them.

    `flaw` is what the picture suffers from where that could be told: the advice for the traveler if the reading stays
    unsure. With a reflection it is never believed.
    """

    lines: tuple[Line, ...]
    quad: Quad
    line_quads: tuple[Quad, ...]
    flaw: Problem | None = None


@dataclass(frozen=True, slots=True)
class Portrait:
    """The portrait zone of the page, upright. `quad` is its place in the page picture."""

    jpeg: bytes
    width: int
    height: int
    quad: Quad


@dataclass(frozen=True, slots=True)
class Stage:
    """How long one stage took."""

    name: str
    milliseconds: float


NOTHING_TO_COMPARE: Final = verdict(
    (Check(CheckName.MRZ_IS_THE_CHIPS, Result.NOT_PERFORMED, "NO_CHIP_FILES"),)
)
"""The consistency of a document whose chip was not read."""


@dataclass(frozen=True, slots=True)
class DocumentReading:
    """All that was found on one page, and in the chip where its files were sent.

    With a `problem`, the page should be taken again: `mrz` is None, nothing was judged, and the optical
    verdict is UNDETERMINED. `lines` are what was read, if anything was.
    """

    problem: Problem | None
    lines: tuple[Line, ...]
    mrz: Mrz | None
    repairs: tuple[Repair, ...]
    warnings: tuple[Warn, ...]
    zone: Quad | None
    portrait: Portrait | None
    optical: Verdict
    electronic: Verdict
    reader: str
    stages: tuple[Stage, ...]
    consistency: Verdict = NOTHING_TO_COMPARE
    chip: ChipReading | None = None


def optical_verdict(document: Mrz, today: datetime.date, *, accept_specimens: bool) -> Verdict:
    """Judge a cleanly read MRZ. Specimens of Utopia pass in development and never at a border."""
    checks = (
        Check(CheckName.MRZ_FOUND, Result.PASSED),
        _kind_known(document),
        _check_digits(document),
        *_composite(document),
        _dates_valid(document.fields),
        _not_expired(document.fields, today),
        _issuer_known(document.fields.issuing_state, accept_specimens=accept_specimens),
        _known(CheckName.NATIONALITY_KNOWN, document.fields.nationality, "NATIONALITY_NOT_IN_CODE_LIST"),
    )
    return verdict(checks)


def optical_verdict_of_problem(problem: Problem) -> Verdict:
    """Say that nothing could be judged: an unread page asks for another picture, and proves nothing."""
    return _nothing_judged(Check(CheckName.MRZ_FOUND, Result.UNDETERMINED, problem.value))


def optical_verdict_without_page() -> Verdict:
    """Say that there was no page to judge: the kiosk sent the chip alone."""
    return _nothing_judged(Check(CheckName.MRZ_FOUND, Result.NOT_PERFORMED, "PAGE_NOT_SENT"))


def _nothing_judged(first: Check) -> Verdict:
    others = (
        CheckName.DOCUMENT_KIND_KNOWN,
        CheckName.CHECK_DIGITS,
        CheckName.COMPOSITE,
        CheckName.DATES_VALID,
        CheckName.NOT_EXPIRED,
        CheckName.ISSUER_KNOWN,
        CheckName.NATIONALITY_KNOWN,
    )
    return verdict(
        (
            first,
            *(Check(name, Result.NOT_PERFORMED, "MRZ_NOT_READ") for name in others),
        )
    )


def electronic_verdict_without_chip() -> Verdict:
    """Say that no chip file was read."""
    checks = (Check(CheckName.CHIP_READ, Result.NOT_PERFORMED, "NO_CHIP_FILES"),)
    return verdict(checks)


def _kind_known(document: Mrz) -> Check:
    if code_fits(document.fields.document_code, document.format):
        return Check(CheckName.DOCUMENT_KIND_KNOWN, Result.PASSED)
    return Check(CheckName.DOCUMENT_KIND_KNOWN, Result.FAILED, "DOCUMENT_CODE_NOT_OF_ITS_FORMAT")


def _issuer_known(code: str, *, accept_specimens: bool) -> Check:
    if code == SPECIMEN_STATE and not accept_specimens:
        return Check(CheckName.ISSUER_KNOWN, Result.FAILED, "SPECIMEN_DOCUMENT")
    return _known(CheckName.ISSUER_KNOWN, code, "ISSUER_NOT_IN_CODE_LIST")


def _check_digits(document: Mrz) -> Check:
    wrong = [field for field in refuted(document.digits) if field != "composite"]
    if wrong:
        return Check(CheckName.CHECK_DIGITS, Result.FAILED, "CHECK_DIGIT_REFUTED")
    return Check(CheckName.CHECK_DIGITS, Result.PASSED)


def _composite(document: Mrz) -> tuple[Check, ...]:
    state = next(digit.state for digit in document.digits if digit.field == "composite")
    if state is DigitState.ABSENT:
        return ()  # visas have none (ICAO Doc 9303-7), so there is nothing to check
    if state is DigitState.REFUTED:
        return (Check(CheckName.COMPOSITE, Result.FAILED, "CHECK_DIGIT_REFUTED"),)
    return (Check(CheckName.COMPOSITE, Result.PASSED),)


def _dates_valid(fields: MrzFields) -> Check:
    if fields.birth_date is None:
        return Check(CheckName.DATES_VALID, Result.FAILED, "BIRTH_DATE_NOT_A_DATE")
    if fields.expiry_date is None:
        return Check(CheckName.DATES_VALID, Result.FAILED, "EXPIRY_DATE_NOT_A_DATE")
    return Check(CheckName.DATES_VALID, Result.PASSED)


def _not_expired(fields: MrzFields, today: datetime.date) -> Check:
    last_day = fields.expiry_date.complete() if fields.expiry_date else None
    if last_day is None:
        return Check(CheckName.NOT_EXPIRED, Result.UNDETERMINED, "EXPIRY_DATE_UNKNOWN")
    if last_day < today:
        return Check(CheckName.NOT_EXPIRED, Result.FAILED, "DOCUMENT_EXPIRED")
    return Check(CheckName.NOT_EXPIRED, Result.PASSED)


def _known(name: CheckName, code: str, reason: str) -> Check:
    if is_state(code):
        return Check(name, Result.PASSED)
    return Check(name, Result.FAILED, reason)
