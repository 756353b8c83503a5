"""Passive authentication: the way to the CSCA, dates, revocation, completeness; every gap has its own reason."""

from __future__ import annotations

import dataclasses
import functools
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import x509

from borderpost.documents.chip.chain import Issuer, find_issuer, is_link
from borderpost.documents.chip.read import DATA_CHECKS, read_chip
from borderpost.documents.chip.reasons import Why
from borderpost.documents.pki.certificates import Certificate, parse_certificate
from borderpost.documents.trust.domain import NOTHING_TRUSTED, TrustSnapshot
from borderpost.documents.verdict import CheckName, Overall, Result, verdict
from borderpost.runtime.reasons import REASONS
from borderpost.specimens import pki
from borderpost.specimens.chip import Holder, Issuance, SpecimenChip, common_data, make_chip, security_object
from borderpost.specimens.cms import Signer
from borderpost.specimens.der import tlv
from fakes.chips import LINES, SIGNED, by_name, files_of, not_passed, order, snapshot, trust_of

DAY = timedelta(days=1)
STATE = pki.utopia(order().algorithm, SIGNED)


@functools.cache
def chip() -> SpecimenChip:
    return make_chip(order(holder=Holder("ERIKSSON<<ANNA"), issuance=Issuance("Ministry")))


def parsed(*signers: object) -> list[Certificate]:
    return [parse_certificate(signer.certificate.dump()) for signer in signers]


LINK = parse_certificate(STATE.link.dump())
CSCA, FORMER = parsed(STATE.csca, STATE.former)


def wrong(trust: TrustSnapshot, at: datetime = SIGNED, of: SpecimenChip | None = None) -> dict[str, str]:
    return not_passed(read_chip(files_of(of or chip()), trust, at))


def test_a_genuine_chip_passes_every_check_in_the_standards_order():
    reading = read_chip(files_of(chip()), trust_of(chip()), SIGNED)
    assert verdict(reading.checks).overall is Overall.PASS
    in_order = [name for name in CheckName if name in DATA_CHECKS or name is CheckName.CLONE_PROTECTION]
    assert [check.name for check in reading.checks] == in_order
    assert all(check.reason == "" for check in reading.checks)
    assert reading.mrz.lines == LINES
    assert reading.holder.full_name == "ERIKSSON<<ANNA"
    assert reading.issuance.authority == "Ministry"
    assert reading.lds_version == "1.8"
    assert reading.files == ("COM", "SOD", "DG1", "DG2", "DG11", "DG12", "DG14", "DG15")
    assert reading.unread_groups == ()
    assert reading.trust_store_version == 1
    assert set(reading.stages) == {"chip_passive", "chip_portrait", "chip_active"}
    signer = reading.signer
    assert (signer.country, signer.signed_at) == ("UT", SIGNED)
    assert signer.csca_sha256 == CSCA.sha256
    assert signer.revocation_list_from is not None


def test_nothing_that_was_sent_is_not_performed():
    reading = read_chip(
        dataclasses.replace(files_of(chip()), com=b"", sod=b"", data_groups={1: b""}), NOTHING_TRUSTED, SIGNED
    )
    assert [(check.name, check.result, check.reason) for check in reading.checks] == [
        (CheckName.CHIP_READ, Result.NOT_PERFORMED, "NO_CHIP_FILES")
    ]


def test_without_a_trust_anchor_the_signature_holds_and_nobody_is_known_to_vouch():
    checks = by_name(read_chip(files_of(chip()), NOTHING_TRUSTED, SIGNED))
    for name in (CheckName.SIGNATURE, CheckName.SIGNED_ATTRIBUTES, CheckName.DATA_GROUP_HASHES):
        assert checks[name].result is Result.PASSED
    assert checks[CheckName.SIGNER_ISSUER].result is Result.UNDETERMINED
    for name in (CheckName.SIGNER_ISSUER, CheckName.SIGNER_VALIDITY, CheckName.SIGNER_REVOCATION):
        assert checks[name].reason == "TRUST_ANCHOR_UNKNOWN"


def test_a_link_certificate_leads_to_the_former_csca():
    lists = [STATE.revocation_list]
    assert is_link(LINK)
    assert not is_link(CSCA)
    assert wrong(snapshot([LINK, FORMER], lists)) == {}
    found = find_issuer(parsed(STATE.signer)[0], snapshot([LINK, FORMER, CSCA]), [SIGNED])
    assert found.csca == CSCA
    assert wrong(snapshot([LINK], lists))["SIGNER_ISSUER"] == "TRUST_ANCHOR_UNKNOWN"


def test_a_link_that_the_former_csca_did_not_sign_leads_nowhere():
    forged = dataclasses.replace(LINK, signature=CSCA.signature)
    assert wrong(snapshot([forged, FORMER]))["SIGNER_ISSUER"] == "TRUST_ANCHOR_UNKNOWN"


@pytest.mark.parametrize("purpose", ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.23.136.1.1.8"])
def test_what_a_csca_issues_for_another_purpose_signs_no_documents(purpose: str):
    period = pki.Period(SIGNED - DAY, SIGNED + DAY)
    subject = pki.Subject(pki.distinguished_name("Server", pki.COUNTRY), STATE.signer.key, 77, period, period)
    usage = {"extn_id": "key_usage", "critical": True, "extn_value": x509.KeyUsage({"digital_signature"})}
    purposes = {"extn_id": "extended_key_usage", "extn_value": x509.ExtKeyUsageSyntax([purpose])}
    extensions = [x509.Extension(usage), x509.Extension(purposes)]
    made = pki.certificate(subject, STATE.csca.certificate.subject, STATE.csca.key, extensions)
    sod = security_object(order(), groups_of(chip()), Signer(STATE.signer.key, made))
    reading = read_chip(dataclasses.replace(files_of(chip()), sod=sod), trust_of(chip()), SIGNED)
    assert by_name(reading)[CheckName.SIGNER_ISSUER].reason == "SIGNER_MAY_NOT_SIGN_DOCUMENTS"


def test_links_in_a_circle_end():
    one = dataclasses.replace(LINK, key_id=b"1", authority_key_id=b"2")
    circle = TrustSnapshot(1, {b"1": [one], b"2": [one], LINK.key_id: [one]}, {LINK.subject: [one]}, {})
    assert wrong(circle)["SIGNER_ISSUER"] == "TRUST_ANCHOR_UNKNOWN"


def test_links_that_vouch_for_each_other_cost_what_they_weigh():
    """Four links each way, tried along every way of eight steps, would be 65,536 ways of two signatures each."""
    algorithm = order().algorithm
    one, other = (pki.authority(algorithm, role, STATE.csca.certificate.subject, SIGNED, 1) for role in "ab")
    there, back = parsed_links(one, other, 0), parsed_links(other, one, 4)
    signer = parsed(pki.document_signer(algorithm, "document signer", one, SIGNED, 1))[0]
    begun = time.process_time()
    found = find_issuer(signer, snapshot([*there, *back]), [SIGNED])
    assert time.process_time() - begun < 5.0
    assert found == Issuer(None, contradicted=False)


def parsed_links(former: Signer, csca: Signer, start: int) -> list[Certificate]:
    link = parse_certificate(pki.link_certificate(former, csca).dump())
    return [dataclasses.replace(link, sha256=bytes([number])) for number in range(start, start + 4)]


@pytest.mark.parametrize("country", ["U\u009bT", "UT" * 9_000])
def test_what_a_stranger_writes_for_a_country_is_not_shown(country: str):
    name = pki.distinguished_name("Document Signer", country)
    subject = pki.Subject(name, STATE.signer.key, 1, *2 * (pki.Period(SIGNED - DAY, SIGNED + DAY),))
    stranger = Signer(STATE.signer.key, pki.certificate(subject, name, STATE.signer.key, ()))
    files = dataclasses.replace(files_of(chip()), sod=security_object(order(), groups_of(chip()), stranger))
    signer = read_chip(files, NOTHING_TRUSTED, SIGNED).signer
    assert signer is not None
    assert signer.country == ""


def groups_of(made: SpecimenChip) -> dict[int, bytes]:
    return {int(name[2:]): data for name, data in made.files.items() if name.startswith("DG")}


def test_the_same_name_with_another_key_is_unknown_and_the_named_key_that_did_not_sign_is_wrong():
    assert wrong(snapshot([FORMER]))["SIGNER_ISSUER"] == "TRUST_ANCHOR_UNKNOWN"
    impostor = dataclasses.replace(FORMER, key_id=CSCA.key_id)
    checks = by_name(read_chip(files_of(chip()), snapshot([impostor]), SIGNED))
    assert checks[CheckName.SIGNER_ISSUER].result is Result.FAILED
    assert checks[CheckName.SIGNER_ISSUER].reason == "SIGNER_NOT_ISSUED_BY_CSCA"


def test_an_issuer_whose_key_identifier_differs_is_found_by_its_name():
    renamed = dataclasses.replace(CSCA, key_id=b"another identifier")
    assert wrong(snapshot([renamed], [STATE.revocation_list])) == {}


def test_of_two_certificates_for_one_key_the_valid_one_is_taken():
    old = dataclasses.replace(CSCA, not_after=SIGNED - DAY, sha256=b"old")
    assert wrong(snapshot([old, CSCA], [STATE.revocation_list])) == {}
    assert wrong(snapshot([old], [STATE.revocation_list])) == {"SIGNER_VALIDITY": "CSCA_EXPIRED"}


@pytest.mark.parametrize(
    ("changes", "at", "reason"),
    [
        ({"not_before": SIGNED + DAY}, SIGNED, "CSCA_NOT_YET_VALID"),
        ({"not_after": SIGNED - DAY}, SIGNED, "CSCA_EXPIRED"),
        ({"not_before": SIGNED + 5 * DAY}, SIGNED + 9 * DAY, "CSCA_NOT_VALID_WHEN_SIGNING"),
        ({}, SIGNED - 2 * DAY, "SIGNED_IN_THE_FUTURE"),
        ({}, SIGNED - 11 * DAY, "SIGNER_NOT_YET_VALID"),
        ({"not_after": datetime(9999, 1, 1, tzinfo=SIGNED.tzinfo)}, SIGNED + 4000 * DAY, "SIGNER_EXPIRED"),
    ],
)
def test_every_date_that_does_not_fit_has_its_reason(changes, at, reason):
    trust = snapshot([dataclasses.replace(CSCA, **changes)], [STATE.revocation_list])
    checks = by_name(read_chip(files_of(chip()), trust, at))
    assert checks[CheckName.SIGNER_VALIDITY].result is Result.FAILED
    assert checks[CheckName.SIGNER_VALIDITY].reason == reason


def test_dates_at_the_ends_of_the_calendar_are_judged_like_all_others():
    first, last = datetime.min.replace(tzinfo=SIGNED.tzinfo), datetime.max.replace(tzinfo=SIGNED.tzinfo)
    trust = snapshot([dataclasses.replace(CSCA, not_before=first, not_after=last)], [STATE.revocation_list])
    assert wrong(trust) == {}
    for at in (first, last):
        assert wrong(trust, at)["SIGNER_VALIDITY"] in ("SIGNER_EXPIRED", "SIGNER_NOT_YET_VALID")


def test_without_a_signing_time_the_present_decides():
    silent = make_chip(order(signing_time=False))
    assert wrong(trust_of(silent), SIGNED, silent) == {}
    assert wrong(trust_of(silent), SIGNED + 4000 * DAY, silent)["SIGNER_VALIDITY"] == "SIGNER_EXPIRED"


def test_without_a_revocation_list_or_with_an_old_one_it_is_undetermined_and_says_which():
    for lists, at, reason in (
        ([], SIGNED, "REVOCATION_UNKNOWN"),
        ([STATE.revocation_list], SIGNED + 91 * DAY, "REVOCATION_LIST_STALE"),
    ):
        reading = read_chip(files_of(chip()), snapshot([CSCA], lists), at)
        check = by_name(reading)[CheckName.SIGNER_REVOCATION]
        assert (check.result, check.reason) == (Result.UNDETERMINED, reason)
        assert not_passed(reading) == {"SIGNER_REVOCATION": reason}


def test_a_list_that_does_not_say_when_the_next_is_due_ages_by_the_standards_rule():
    trust = snapshot([CSCA], [STATE.revocation_list])
    (issuer,) = trust.revocation_lists
    endless = dataclasses.replace(trust.revocation_lists[issuer], next_update=None)
    trust = dataclasses.replace(trust, revocation_lists={issuer: endless})
    assert wrong(trust, endless.this_update + 89 * DAY) == {}
    assert wrong(trust, endless.this_update + 91 * DAY) == {"SIGNER_REVOCATION": "REVOCATION_LIST_STALE"}


def test_a_revoked_signer_fails_even_by_an_old_list_and_so_does_a_revoked_csca():
    stale = SIGNED + 91 * DAY
    for serial, reason in ((pki.SIGNER_SERIAL, "SIGNER_REVOKED"), (CSCA.serial, "CSCA_REVOKED")):
        made = pki.revocation_list(STATE.csca, SIGNED, (serial,))
        for at in (SIGNED, stale):
            assert wrong(snapshot([CSCA], [made]), at) == {"SIGNER_REVOCATION": reason}


def with_groups(changes: dict[int, bytes | None], com: bytes | None = None) -> dict[str, str]:
    files = files_of(chip())
    groups = {
        number: data for number, data in (dict(files.data_groups) | changes).items() if data is not None
    }
    changed = dataclasses.replace(files, data_groups=groups, com=files.com if com is None else com)
    return not_passed(read_chip(changed, trust_of(chip()), SIGNED))


def test_an_altered_group_fails_and_the_reason_says_if_it_is_the_zone_or_the_portrait():
    groups = files_of(chip()).data_groups
    for number, reason in (
        (1, "DG1_ALTERED"),
        (2, "DG2_ALTERED"),
        (11, "DATA_GROUP_ALTERED"),
        (14, "DATA_GROUP_ALTERED"),
    ):
        altered = groups[number][:-1] + bytes([groups[number][-1] ^ 1])
        assert with_groups({number: altered})["DATA_GROUP_HASHES"] == reason


def test_the_files_bytes_are_hashed_and_not_what_they_mean():
    """The same zone with its length written in three octets is another file."""
    zone = "".join(LINES).encode()
    same_meaning = b"\x61\x81" + bytes([len(zone) + 3]) + tlv(0x5F1F, zone)
    assert with_groups({1: same_meaning}) == {"DATA_GROUP_HASHES": "DG1_ALTERED"}


def test_a_group_that_is_not_signed_is_refused():
    assert with_groups({3: b"\x63\x00"}) == {"DATA_GROUP_HASHES": "DATA_GROUP_NOT_SIGNED"}
    bare = make_chip(order())
    files = files_of(bare)
    added = dataclasses.replace(
        files, data_groups={**files.data_groups, 11: files_of(chip()).data_groups[11]}
    )
    reading = read_chip(added, trust_of(bare), SIGNED)
    assert reading.holder is None
    check = by_name(reading)[CheckName.DATA_GROUP_HASHES]
    assert (check.result, check.reason) == (Result.UNDETERMINED, "DATA_GROUP_NOT_SIGNED")


def test_mandatory_groups_that_are_not_signed_fail_and_are_not_read():
    files = files_of(chip())
    others = {number: data for number, data in files.data_groups.items() if number not in (1, 2)}
    unsigned = dataclasses.replace(files, sod=security_object(order(), others, STATE.signer), com=b"")
    reading = read_chip(unsigned, trust_of(chip()), SIGNED)
    assert (reading.mrz, reading.portrait) == (None, None)
    checks = by_name(reading)
    for name in (CheckName.DATA_GROUP_HASHES, CheckName.DATA_GROUPS_COMPLETE):
        assert (checks[name].result, checks[name].reason) == (Result.FAILED, "DATA_GROUP_NOT_SIGNED")


def test_groups_that_are_needed_and_did_not_come_are_undetermined_and_others_recorded():
    assert with_groups({11: None, 12: None}) == {}
    for number in (1, 2, 14, 15):
        assert with_groups({number: None})["DATA_GROUPS_COMPLETE"] == "DATA_GROUP_NOT_READ"
    files = files_of(chip())
    groups = {number: data for number, data in files.data_groups.items() if number != 12}
    reading = read_chip(dataclasses.replace(files, data_groups=groups), trust_of(chip()), SIGNED)
    assert reading.unread_groups == (12,)


def test_common_data_that_differ_are_told_and_missing_ones_are_not_needed():
    groups = dict(files_of(chip()).data_groups)
    fewer = common_data({number: data for number, data in groups.items() if number != 12}, 1)
    more = tlv(0x60, tlv(0x5F01, b"0108"), tlv(0x5C, b"\x61\x75\x63\x6b\x6c\x6e\x6f"))
    assert with_groups({}, com=b"") == {}
    for com, reason in (
        (fewer, "COMMON_DATA_DIFFERS"),
        (more, "COMMON_DATA_DIFFERS"),
        (b"\x60", "COMMON_DATA_UNREADABLE"),
    ):
        assert with_groups({}, com=com) == {"DATA_GROUPS_COMPLETE": reason}


def test_a_security_object_that_is_missing_is_undetermined_and_a_broken_one_fails():
    for sod, reason, overall in (
        (b"", "SECURITY_OBJECT_MISSING", Overall.UNDETERMINED),
        (b"\x77\x00", "SECURITY_OBJECT_UNREADABLE", Overall.FAIL),
        (bytes(200_000), "SECURITY_OBJECT_UNREADABLE", Overall.FAIL),
    ):
        reading = read_chip(dataclasses.replace(files_of(chip()), sod=sod), trust_of(chip()), SIGNED)
        assert by_name(reading)[CheckName.SECURITY_OBJECT].reason == reason
        assert by_name(reading)[CheckName.DATA_GROUP_HASHES].reason == reason
        assert verdict(reading.checks).overall is overall


def test_the_countries_of_signer_csca_and_zone_are_compared():
    other = dataclasses.replace(CSCA, country="SE")
    assert wrong(snapshot([other], [STATE.revocation_list])) == {
        "SIGNER_COUNTRY": "SIGNER_OF_ANOTHER_COUNTRY"
    }
    lines = (LINES[0].replace("UTO", "XOM", 1), LINES[1])
    unknown = make_chip(dataclasses.replace(order(), lines=lines))
    assert wrong(trust_of(unknown), SIGNED, unknown) == {"SIGNER_COUNTRY": "COUNTRY_UNKNOWN"}


def test_a_zone_with_a_wrong_check_digit_is_told():
    lines = (LINES[0], LINES[1][:9] + "7" + LINES[1][10:])
    faulty = make_chip(dataclasses.replace(order(), lines=lines))
    assert wrong(trust_of(faulty), SIGNED, faulty) == {"CHIP_MRZ": "CHECK_DIGIT_REFUTED"}


def test_every_reason_is_explained_to_officers_and_in_the_docs():
    page = (Path(__file__).parents[2] / "docs/chips.md").read_text()
    for why in Why:
        assert why in REASONS
        assert f"`{why}`" in page or why in (Why.MRZ_NOT_READ, Why.EXPIRY_DATE_UNKNOWN)
