"""Specimen chips, made by code that knows nothing of the verifier: what is genuine passes, what is forged does not."""

from __future__ import annotations

import functools
from datetime import timedelta

import pytest

from borderpost.documents import mrz
from borderpost.documents.chip.consistency import consistency
from borderpost.documents.chip.domain import ChipReading, CloneProtection
from borderpost.documents.chip.read import read_chip
from borderpost.documents.verdict import CheckName, Overall, Result, Verdict, verdict
from borderpost.specimens.chip import Protection, SpecimenChip, make_chip
from borderpost.specimens.face import FaceFormat, PictureKind
from borderpost.specimens.forgeries import EXPIRED_AFTER, FINDINGS, VALID_FROM, Forgery, forge
from borderpost.specimens.pki import utopia
from borderpost.specimens.signing import ALGORITHMS
from fakes.chips import SIGNED, by_name, files_of, master_list, order, snapshot, trust_of

LATER = {
    Forgery.EXPIRED_SIGNER: 2 * EXPIRED_AFTER,
    Forgery.EXPIRED_CSCA: 2 * EXPIRED_AFTER,
    Forgery.SIGNER_NOT_YET_VALID: VALID_FROM + timedelta(days=1),
}

REASONS = {
    Forgery.CHANGED_MRZ: {"DATA_GROUP_HASHES": "DG1_ALTERED"},
    Forgery.SWAPPED_PORTRAIT: {"DATA_GROUP_HASHES": "DG2_ALTERED"},
    Forgery.UNSIGNED_GROUP: {
        "DATA_GROUP_HASHES": "DATA_GROUP_NOT_SIGNED", "DATA_GROUPS_COMPLETE": "COMMON_DATA_DIFFERS",
    },
    Forgery.MISSING_GROUP: {"DATA_GROUPS_COMPLETE": "DATA_GROUP_NOT_READ", "CHIP_PORTRAIT": "DATA_GROUP_NOT_READ"},
    Forgery.HIDDEN_KEY: {
        "DATA_GROUPS_COMPLETE": "COMMON_DATA_DIFFERS", "CLONE_PROTECTION": "ACTIVE_AUTHENTICATION_NOT_DONE",
    },
    Forgery.SWAPPED_KEY: {
        "DATA_GROUP_HASHES": "DATA_GROUP_ALTERED", "CLONE_PROTECTION": "ACTIVE_AUTHENTICATION_KEY_NOT_AUTHENTIC",
    },
    Forgery.SILENT_CLONE: {"CLONE_PROTECTION": "ACTIVE_AUTHENTICATION_NOT_DONE"},
    Forgery.ANSWERING_CLONE: {"CLONE_PROTECTION": "ACTIVE_AUTHENTICATION_WRONG"},
    Forgery.WRONG_ISSUER: {"SIGNER_ISSUER": "SIGNER_NOT_ISSUED_BY_CSCA"},
    Forgery.UNKNOWN_ISSUER_KEY: {"SIGNER_ISSUER": "TRUST_ANCHOR_UNKNOWN"},
    Forgery.UNKNOWN_ISSUER: {"SIGNER_ISSUER": "TRUST_ANCHOR_UNKNOWN"},
    Forgery.EXPIRED_SIGNER: {"SIGNER_VALIDITY": "SIGNER_EXPIRED"},
    Forgery.SIGNER_NOT_YET_VALID: {"SIGNER_VALIDITY": "SIGNER_NOT_VALID_WHEN_SIGNING"},
    Forgery.EXPIRED_CSCA: {"SIGNER_VALIDITY": "CSCA_EXPIRED"},
    Forgery.REVOKED_SIGNER: {"SIGNER_REVOCATION": "SIGNER_REVOKED"},
    Forgery.FOREIGN_SIGNER: {"SIGNER_COUNTRY": "SIGNER_OF_ANOTHER_COUNTRY"},
    Forgery.LIST_SIGNER: {"SIGNER_ISSUER": "SIGNER_MAY_NOT_SIGN_DOCUMENTS"},
    Forgery.BROKEN_SIGNATURE: {"SIGNATURE": "SIGNATURE_WRONG"},
    Forgery.WRONG_DIGEST: {"SIGNED_ATTRIBUTES": "SIGNED_ATTRIBUTES_WRONG"},
    Forgery.NO_SIGNED_ATTRIBUTES: {"SIGNED_ATTRIBUTES": "SIGNED_ATTRIBUTES_MISSING", "SIGNATURE": "SIGNATURE_WRONG"},
    Forgery.MISMATCHED_HASH: {"DATA_GROUP_HASHES": "DG1_ALTERED"},
    Forgery.WEAK_HASH: {"DATA_GROUP_HASHES": "HASH_TOO_WEAK"},
    Forgery.TRUNCATED_SECURITY_OBJECT: {"SECURITY_OBJECT": "SECURITY_OBJECT_UNREADABLE"},
    Forgery.OTHER_COMMON_DATA: {"DATA_GROUPS_COMPLETE": "COMMON_DATA_DIFFERS"},
    Forgery.OTHER_PAGE: {},
}  # fmt: skip
"""What of the chip's checks doesn't pass, and why. Checks that follow from it are not named."""

FOLLOWING = {"TRUST_ANCHOR_UNKNOWN", "ACTIVE_AUTHENTICATION_KEY_NOT_AUTHENTIC", "SECURITY_OBJECT_UNREADABLE"}
"""Reasons of checks that can't pass because another one didn't."""

TESTED = ["ecdsa-secp256r1-sha256", "rsa-pss-sha256", "ecdsa-brainpoolP384r1-sha384-explicit"]


@functools.cache
def genuine(algorithm: str) -> SpecimenChip:
    return make_chip(order(algorithm=algorithm))


def judged(chip: SpecimenChip, algorithm: str, forgery: Forgery | None = None) -> tuple[ChipReading, Verdict]:
    """All that Utopia and its neighbour publish is trusted."""
    state = utopia(algorithm, SIGNED)
    lists = [state.revocation_list, state.foreign_revocation_list]
    trust = snapshot(master_list(state.master_list), lists)
    at = SIGNED + LATER.get(forgery, timedelta(0))
    reading = read_chip(files_of(chip), trust, at)
    return reading, consistency(mrz.parse(chip.printed, at.date()), reading)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("lds_version", [0, 1])
def test_a_genuine_chip_passes_in_every_algorithm(algorithm, lds_version):
    chip = make_chip(order(algorithm=algorithm, lds_version=lds_version, by_key_id=bool(lds_version)))
    reading = read_chip(files_of(chip), trust_of(chip), SIGNED)
    assert {
        check.name.value: check.reason for check in reading.checks if check.result is not Result.PASSED
    } == {}
    assert reading.clone_protection is CloneProtection.PROVEN
    assert reading.lds_version == ("1.7", "1.8")[lds_version]


@pytest.mark.parametrize("face", FaceFormat)
@pytest.mark.parametrize("picture", PictureKind)
def test_a_genuine_chip_passes_with_every_kind_of_portrait(face, picture):
    chip = make_chip(order(face_format=face, picture=picture))
    reading = read_chip(files_of(chip), trust_of(chip), SIGNED)
    assert verdict(reading.checks).overall is Overall.PASS
    assert reading.portrait.picture in chip.files["DG2"]


@pytest.mark.parametrize("protection", [Protection.CHIP, Protection.NONE])
def test_a_chip_that_proves_nothing_is_undetermined_by_that_alone(protection):
    chip = make_chip(order(protection=protection))
    reading = read_chip(files_of(chip), trust_of(chip), SIGNED)
    assert verdict(reading.checks).overall is Overall.UNDETERMINED
    assert [check.name for check in reading.checks if check.reason] == [CheckName.CLONE_PROTECTION]


@pytest.mark.parametrize("forgery", Forgery)
@pytest.mark.parametrize("algorithm", TESTED)
def test_every_forgery_is_found_for_its_own_reason(forgery, algorithm):
    assert algorithm in ALGORITHMS
    chip = forge(forgery, order(algorithm=algorithm), genuine=genuine(algorithm))
    reading, against_page = judged(chip, algorithm, forgery)
    want = FINDINGS[forgery]
    found = against_page if want.checks == {"MRZ_IS_THE_CHIPS"} else verdict(reading.checks)
    assert found.overall.value == want.verdict
    assert {check.name.value for check in found.checks if check.result is not Result.PASSED} & want.checks
    reasons = {check.name.value: check.reason for check in reading.checks if check.reason}
    assert REASONS[forgery].items() <= reasons.items()
    assert {why for name, why in reasons.items() if name not in REASONS[forgery]} <= FOLLOWING


@pytest.mark.parametrize("algorithm", TESTED)
def test_the_genuine_chip_of_the_same_order_passes_at_all_those_times(algorithm):
    for later in (None, *LATER):
        reading, against_page = judged(genuine(algorithm), algorithm, later)
        assert verdict(reading.checks).overall is Overall.PASS
        assert against_page.overall is Overall.PASS


def test_only_what_was_proven_is_called_so():
    for forgery in (
        Forgery.SWAPPED_KEY,
        Forgery.HIDDEN_KEY,
        Forgery.SILENT_CLONE,
        Forgery.UNKNOWN_ISSUER,
        Forgery.BROKEN_SIGNATURE,
    ):
        chip = forge(forgery, order(algorithm=TESTED[0]), genuine=genuine(TESTED[0]))
        assert judged(chip, TESTED[0], forgery)[0].clone_protection is CloneProtection.UNVERIFIED
    clone = forge(Forgery.ANSWERING_CLONE, order(algorithm=TESTED[0]), genuine=genuine(TESTED[0]))
    reading = judged(clone, TESTED[0])[0]
    assert by_name(reading)[CheckName.CLONE_PROTECTION].result is Result.FAILED
    assert reading.clone_protection is CloneProtection.REFUTED
