"""Named checks and the verdicts that follow from them (BSI TR-03135)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Result(Enum):
    """Outcome of one check."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    UNDETERMINED = "UNDETERMINED"
    NOT_PERFORMED = "NOT_PERFORMED"


class Overall(Enum):
    """Overall verdict of one kind of check (BSI TR-03135)."""

    PASS = "PASS"  # noqa: S105 a verdict, no password
    FAIL = "FAIL"
    UNDETERMINED = "UNDETERMINED"


class CheckName(Enum):
    """The named checks: of the page, of the chip (in the order in which they are made), and of both together."""

    MRZ_FOUND = "MRZ_FOUND"
    DOCUMENT_KIND_KNOWN = "DOCUMENT_KIND_KNOWN"
    CHECK_DIGITS = "CHECK_DIGITS"
    COMPOSITE = "COMPOSITE"
    DATES_VALID = "DATES_VALID"
    NOT_EXPIRED = "NOT_EXPIRED"
    ISSUER_KNOWN = "ISSUER_KNOWN"
    NATIONALITY_KNOWN = "NATIONALITY_KNOWN"

    CHIP_READ = "CHIP_READ"
    SECURITY_OBJECT = "SECURITY_OBJECT"
    SIGNED_ATTRIBUTES = "SIGNED_ATTRIBUTES"
    SIGNATURE = "SIGNATURE"
    SIGNER_ISSUER = "SIGNER_ISSUER"
    SIGNER_VALIDITY = "SIGNER_VALIDITY"
    SIGNER_REVOCATION = "SIGNER_REVOCATION"
    DATA_GROUP_HASHES = "DATA_GROUP_HASHES"
    DATA_GROUPS_COMPLETE = "DATA_GROUPS_COMPLETE"
    SIGNER_COUNTRY = "SIGNER_COUNTRY"
    CHIP_MRZ = "CHIP_MRZ"
    CHIP_PORTRAIT = "CHIP_PORTRAIT"
    CLONE_PROTECTION = "CLONE_PROTECTION"

    MRZ_IS_THE_CHIPS = "MRZ_IS_THE_CHIPS"
    EXPIRY_IS_THE_CHIPS = "EXPIRY_IS_THE_CHIPS"
    ISSUER_IS_THE_CHIPS = "ISSUER_IS_THE_CHIPS"


@dataclass(frozen=True, slots=True)
class Check:
    """One check and its outcome. `reason` is UPPER_SNAKE, and empty where it passed."""

    name: CheckName
    result: Result
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An overall verdict and the checks that it follows from."""

    overall: Overall
    checks: tuple[Check, ...]


def verdict(checks: Iterable[Check]) -> Verdict:
    """Sum up checks: FAIL if anything failed, PASS if everything passed, otherwise UNDETERMINED."""
    made = tuple(checks)
    results = {check.result for check in made}
    if Result.FAILED in results:
        return Verdict(Overall.FAIL, made)
    return Verdict(Overall.PASS if results == {Result.PASSED} else Overall.UNDETERMINED, made)
