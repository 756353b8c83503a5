"""Whether page and chip tell of the same document: the printed zone held against data group 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from borderpost.documents import mrz
from borderpost.documents.chip.domain import ChipReading
from borderpost.documents.chip.reasons import Why
from borderpost.documents.mrz import Mrz
from borderpost.documents.verdict import Check, CheckName, Result, Verdict, verdict

_NEEDED: Final = (CheckName.SIGNED_ATTRIBUTES, CheckName.SIGNATURE, CheckName.DATA_GROUP_HASHES)
"""What has to have PASSED for data group 1 to be what its signer signed."""


def consistency(printed: Mrz | None, chip: ChipReading | None) -> Verdict:
    """Hold the printed MRZ, its expiry and its issuer against the chip's.

    Without a printed zone or a chip the checks are NOT_PERFORMED; with a chip whose data nobody vouches for they are
    UNDETERMINED, whatever it says.
    """
    rules: tuple[tuple[CheckName, Callable[[Mrz, Mrz], Check]], ...] = (
        (CheckName.MRZ_IS_THE_CHIPS, _mrz),
        (CheckName.EXPIRY_IS_THE_CHIPS, _expiry),
        (CheckName.ISSUER_IS_THE_CHIPS, _issuer),
    )
    return verdict(_compare(name, rule, printed, chip) for name, rule in rules)


def _compare(
    name: CheckName, rule: Callable[[Mrz, Mrz], Check], printed: Mrz | None, chip: ChipReading | None
) -> Check:
    if chip is None or not chip.files:
        return Check(name, Result.NOT_PERFORMED, Why.NO_CHIP_FILES)
    if printed is None:
        return Check(name, Result.NOT_PERFORMED, Why.MRZ_NOT_READ)
    if chip.mrz is None:
        return Check(name, Result.NOT_PERFORMED, Why.CHIP_MRZ_UNREADABLE)
    passed = {check.name for check in chip.checks if check.result is Result.PASSED}
    if not passed.issuperset(_NEEDED):
        return Check(name, Result.UNDETERMINED, Why.CHIP_DATA_NOT_AUTHENTIC)
    return rule(printed, chip.mrz)


def _mrz(printed: Mrz, chip: Mrz) -> Check:
    name = CheckName.MRZ_IS_THE_CHIPS
    if not mrz.differences(printed, chip):
        return Check(name, Result.PASSED)
    return Check(name, Result.FAILED, Why.MRZ_DIFFERS_FROM_CHIP)


def _expiry(printed: Mrz, chip: Mrz) -> Check:
    name = CheckName.EXPIRY_IS_THE_CHIPS
    if printed.fields.expiry_date is None or chip.fields.expiry_date is None:
        return Check(name, Result.UNDETERMINED, Why.EXPIRY_DATE_UNKNOWN)
    if printed.fields.expiry_date != chip.fields.expiry_date:
        return Check(name, Result.FAILED, Why.EXPIRY_DIFFERS_FROM_CHIP)
    return Check(name, Result.PASSED)


def _issuer(printed: Mrz, chip: Mrz) -> Check:
    name = CheckName.ISSUER_IS_THE_CHIPS
    if printed.fields.issuing_state != chip.fields.issuing_state:
        return Check(name, Result.FAILED, Why.ISSUER_DIFFERS_FROM_CHIP)
    return Check(name, Result.PASSED)
