"""The trust store over a real database, with Utopia's PKI: what is taken, what is refused and why, and what is kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256 as hash_of
from pathlib import Path
from threading import Barrier

import pytest
from asn1crypto import pem

from borderpost.documents.adapters.sqlite_trust import MAX_SOURCES, MIGRATIONS, SqliteTrustStore
from borderpost.documents.pki.certificates import parse_certificate
from borderpost.documents.pki.names import normalised
from borderpost.documents.trust.app import TrustStore
from borderpost.documents.trust.domain import FileKind, Wanted
from borderpost.documents.trust.errors import (
    CertificateAmbiguousError,
    CertificateNotFoundError,
    SpecimensTrustedError,
    TrustFileRefusedError,
    TrustFileUnreadableError,
)
from borderpost.runtime.sqlite import Database
from borderpost.specimens import pki
from fakes.trust import (
    ADMINISTRATOR,
    DAY,
    NOW,
    House,
    StillClock,
    a_house,
    a_list,
    altered,
    authority,
    authority_of,
    in_ldif,
    sha256,
    utopia,
)

ML, CRL, CA, USER = (
    "pkdMasterListContent",
    "certificateRevocationList;binary",
    "cACertificate;binary",
    "userCertificate;binary",
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path) as house:
        yield house


def reasons(report) -> list[tuple[int, str]]:
    return [(each.position, each.reason) for each in report.findings.refused]


def refused_as(reason: str, words: str = ""):
    def check(error: TrustFileRefusedError) -> bool:
        return error.details["refusal"] == reason and words in error.message

    return pytest.raises(TrustFileRefusedError, check=check)


# Certificates


@pytest.mark.parametrize("armored", [False, True], ids=["DER", "PEM"])
def test_a_csca_certificate_is_taken_and_makes_a_version(house: House, armored: bool):
    der = utopia().csca.der
    report = house.take(pem.armor("CERTIFICATE", der) if armored else der, "by hand")
    assert (report.findings.kind, report.totals.version) == (FileKind.CERTIFICATE, 1)
    snapshot = house.app.snapshot()
    (found,) = snapshot.by_key_id[utopia().csca.key.key_id()]
    assert found == parse_certificate(der)
    assert list(snapshot.by_subject[found.subject]) == [found]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: utopia().signer.der, "NOT_A_CSCA"),
        (lambda: altered(utopia().csca.certificate), "SELF_SIGNATURE_WRONG"),
        (lambda: bytes(utopia().link.dump()), "LINK_ISSUER_UNKNOWN"),
        (lambda: authority("no country", country="").der, "COUNTRY_MISSING"),
    ],
)
def test_a_certificate_that_may_not_be_trusted_is_refused_for_its_reason(house: House, make, reason):
    with refused_as(reason):
        house.take(make())
    assert house.app.snapshot().version == 0
    assert house.events() == []


def test_a_link_is_taken_once_the_key_that_signed_it_is_trusted_and_says_so(house: House):
    house.take(utopia().former.der)
    house.take(utopia().link.dump())
    shown = house.app.get_trusted(sha256(utopia().link.dump()).hex())
    assert shown.certificate.link
    assert [each.sha256 for each in shown.related] == [sha256(utopia().former.der)]
    with refused_as("LINK_SIGNATURE_WRONG"):
        house.take(altered(utopia().link))


def test_the_csca_of_one_country_can_vouch_for_no_key_of_another(house: House):
    house.take(utopia().csca.der)
    foreign = authority("smuggled", country="DE")
    smuggled = authority_of(utopia().csca, foreign.certificate.subject, foreign.key)
    with refused_as("LINK_OF_OTHER_COUNTRY"):
        house.take(smuggled.dump())


def test_an_expired_csca_is_kept_for_what_it_signed_and_listed_as_not_valid(house: House):
    house.clock.time = NOW + 2 * DAY
    house.take(utopia().expired.der)
    page = house.app.list_trusted(Wanted(), 10)
    assert [each.sha256 for each in page.certificates] == [sha256(utopia().expired.der)]
    assert house.app.list_trusted(Wanted(valid_at=house.clock.time), 10).certificates == ()
    assert len(house.app.list_trusted(Wanted(valid_at=NOW), 10).certificates) == 1


def test_production_takes_nothing_of_utopia(tmp_path: Path):
    with a_house(tmp_path, accept_specimens=False) as house:
        with refused_as("SPECIMEN"):
            house.take(utopia().csca.der)
        with refused_as("SPECIMEN"):
            house.take(utopia().master_list, issuer=sha256(utopia().csca.der))
        report = house.take(utopia().ldif, issuer=sha256(utopia().csca.der))
        assert (report.totals.version, reasons(report)[0]) == (0, (1, "SPECIMEN"))
        real = authority("real", country="ZZ")
        report = house.take(a_list([real.der, utopia().csca.der], real), issuer=sha256(real.der))
        assert [each.certificate.country for each in report.findings.certificates] == ["ZZ"]
        assert [reason for _, reason in reasons(report)] == ["SPECIMEN"]


# Master lists


def test_a_list_whose_csca_is_not_trusted_is_refused_with_the_one_to_import_first(house: House):
    der = utopia().csca.der
    with refused_as("MASTER_LIST_SIGNER_UNKNOWN", sha256(der).hex()) as caught:
        house.take(utopia().master_list)
    assert "CN=CSCA SPECIMEN" in caught.value.message
    house.take(der)
    assert house.take(utopia().master_list).totals.certificates == 5


def test_a_list_brings_its_own_csca_if_a_person_has_named_it_by_its_sha256(house: House):
    report = house.take(utopia().master_list, issuer=sha256(utopia().csca.der))
    assert (report.findings.kind, len(report.findings.certificates)) == (FileKind.MASTER_LIST, 5)
    assert [each.link for each in report.findings.certificates].count(True) == 1
    assert (report.totals.version, report.totals.certificates, report.totals.countries) == (1, 5, 2)


def test_the_csca_that_a_person_has_named_is_taken_also_where_it_only_came_along(house: House):
    other = authority("listed")
    report = house.take(a_list([other.der], utopia().csca), issuer=sha256(utopia().csca.der))
    assert report.totals.certificates == 2


@pytest.mark.parametrize(
    "named",
    [lambda: bytes(32), lambda: sha256(utopia().foreign.der), lambda: sha256(utopia().link.dump())],
    ids=["not in it", "another state's", "a link"],
)
def test_naming_a_certificate_that_did_not_issue_the_signer_opens_nothing(house: House, named):
    with refused_as("MASTER_LIST_SIGNER_UNKNOWN", "issuer_sha256"):
        house.take(utopia().master_list, issuer=named())


def test_a_document_signer_may_sign_no_master_list(house: House):
    house.take(utopia().csca.der)
    forged = a_list([authority("evil").der], utopia().csca, utopia().signer)
    with refused_as("SIGNER_PURPOSE"):
        house.take(forged)


def test_a_list_of_a_stranger_who_takes_a_trusted_name_is_refused(house: House):
    house.take(utopia().csca.der)
    impostor = authority("impostor", named_as=utopia().csca)
    with refused_as("MASTER_LIST_SIGNER_UNKNOWN"):
        house.take(a_list([impostor.der], impostor))


@pytest.mark.parametrize("at", [NOW - 400 * DAY, NOW + 30 * DAY], ids=["before it was valid", "to come"])
def test_a_list_that_its_signer_could_not_sign_at_that_time_is_refused(house: House, at):
    house.take(utopia().csca.der)
    with refused_as("SIGNER_VALIDITY"):
        house.take(a_list([utopia().csca.der], utopia().csca, at=at))


def test_a_list_of_a_revoked_signer_is_refused(house: House):
    house.take(utopia().csca.der)
    house.take(pki.revocation_list(utopia().csca, NOW, (pki.LIST_SIGNER_SERIAL,)))
    with refused_as("SIGNER_REVOKED"):
        house.take(utopia().master_list)


@pytest.mark.parametrize("place", [0.3, 0.6, 0.999])
def test_a_list_with_one_bit_altered_brings_nothing(house: House, place):
    house.take(utopia().csca.der)
    data = bytearray(utopia().master_list)
    data[int(len(data) * place)] ^= 1
    with pytest.raises((TrustFileRefusedError, TrustFileUnreadableError)):
        house.take(bytes(data))
    assert house.app.snapshot().version == 1


def test_what_is_wrong_on_a_list_is_refused_one_by_one_and_the_rest_is_taken(house: House):
    made = utopia()
    listed = [
        made.csca.der,
        b"\x30\x03\x02\x01\x05",
        altered(made.foreign.certificate),
        made.signer.der,
        authority("good").der,
    ]
    report = house.take(a_list(listed, made.csca), issuer=sha256(made.csca.der))
    assert sorted(reason for _, reason in reasons(report)) == [
        "CERTIFICATE_UNREADABLE",
        "NOT_A_CSCA",
        "SELF_SIGNATURE_WRONG",
    ]
    assert report.totals.certificates == 2
    unnamed = [each.reason for each in report.findings.refused if not each.subject]
    assert unnamed == ["CERTIFICATE_UNREADABLE"]


def test_links_are_taken_in_whatever_order_they_are_listed(house: House):
    made = utopia()
    third = authority("third", named_as=utopia().csca)
    second_link = pki.link_certificate(made.csca, third)
    former, link = made.former.der, bytes(made.link.dump())
    listed = [bytes(second_link.dump()), link, former]
    # Only the oldest key has a certificate of its own: the others are known by links.
    report = house.take(a_list(listed, made.former), issuer=sha256(former))
    assert [each.link for each in report.findings.certificates] == [False, True, True]


def test_the_same_list_again_changes_nothing_but_remembers_where_it_was_from(house: House):
    issuer = sha256(utopia().csca.der)
    house.take(utopia().master_list, "first", issuer=issuer)
    again = house.take(utopia().master_list, "second", issuer=issuer)
    assert (len(again.findings.duplicates), again.totals.version) == (5, 1)
    assert not again.findings.changes_trust
    assert len(house.events()) == 1
    assert house.app.get_trusted(issuer.hex()).certificate.sources == ("first", "second")


def test_only_so_many_sources_are_kept_of_one_certificate(house: House):
    for number in range(MAX_SOURCES + 5):
        house.take(utopia().csca.der, f"import {number}")
    kept = house.app.get_trusted(sha256(utopia().csca.der).hex()).certificate.sources
    assert len(kept) == MAX_SOURCES


# Revocation lists


def test_a_revocation_list_needs_its_csca_and_a_newer_one_takes_its_place(house: House):
    csca = utopia().csca
    with refused_as("CRL_ISSUER_UNKNOWN"):
        house.take(utopia().revocation_list)
    house.take(csca.der)
    first = house.take(pem.armor("X509 CRL", utopia().revocation_list))
    assert (first.findings.kind, len(first.findings.revocation_lists)) == (FileKind.CRL, 1)
    name = normalised(csca.certificate.subject)
    assert pki.REVOKED_SERIAL in house.app.snapshot().revocation_lists[name].revoked
    assert house.take(utopia().revocation_list).totals.version == 2, "the same one is no change"

    house.clock.time = NOW + 10 * DAY
    assert house.take(pki.revocation_list(csca, NOW + 9 * DAY, (1, 2))).totals.version == 3
    assert set(house.app.snapshot().revocation_lists[name].revoked) == {1, 2}
    with refused_as("CRL_NOT_NEWER"):
        house.take(utopia().revocation_list)
    (shown,) = house.app.list_trusted(Wanted(), 1).revocation_lists
    assert (shown.revoked, shown.this_update) == (2, NOW + 9 * DAY)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda: utopia().revocation_list[:-1] + bytes([utopia().revocation_list[-1] ^ 1]),
            "CRL_SIGNATURE_WRONG",
        ),
        (
            lambda: pki.revocation_list(authority("impostor", named_as=utopia().csca), NOW, ()),
            "CRL_SIGNATURE_WRONG",
        ),
        (lambda: pki.revocation_list(utopia().csca, NOW + 9 * DAY, ()), "CRL_NOT_YET_VALID"),
        (lambda: utopia().foreign_revocation_list, "CRL_ISSUER_UNKNOWN"),
    ],
    ids=["altered", "an impostor's", "from the future", "of an unknown state"],
)
def test_a_revocation_list_that_proves_nothing_is_refused(house: House, make, reason):
    house.take(utopia().csca.der)
    with refused_as(reason):
        house.take(make())
    assert not house.app.snapshot().revocation_lists


def test_a_revocation_list_in_the_name_of_one_csca_by_another_of_its_country_is_refused(house: House):
    """It would take back what the named one revoked."""
    csca, other = utopia().csca, authority("another of Utopia's", pki.COUNTRY, "CSCA OF ANOTHER MINISTRY")
    for der in (csca.der, other.der, utopia().revocation_list):
        house.take(der)
    with refused_as("CRL_SIGNATURE_WRONG"):
        house.take(pki.revocation_list(replace(other, certificate=csca.certificate), NOW + DAY, ()))
    name = normalised(csca.certificate.subject)
    assert pki.REVOKED_SERIAL in house.app.snapshot().revocation_lists[name].revoked


def test_production_does_not_start_with_a_store_that_trusts_utopia(house: House):
    """Otherwise every chip of a trial would pass in production."""
    house.take(authority("real", country="ZZ").der)
    assert TrustStore(SqliteTrustStore(house.database), StillClock(), accept_specimens=False)
    house.take(utopia().csca.der)
    with pytest.raises(SpecimensTrustedError, match="empty state folder"):
        TrustStore(SqliteTrustStore(house.database), StillClock(), accept_specimens=False)


# LDIF


def test_ldif_of_the_pkd_brings_lists_and_revocations_and_passes_over_document_signers(house: House):
    report = house.take(utopia().ldif, "pkd", issuer=sha256(utopia().csca.der))
    assert report.findings.kind is FileKind.LDIF
    assert (len(report.findings.certificates), len(report.findings.revocation_lists)) == (5, 2)
    assert (report.findings.refused, report.findings.skipped) == ((), 2)
    assert len(house.app.snapshot().revocation_lists) == 2


def test_a_list_in_ldif_may_bring_the_csca_of_another_ones_signer_whichever_comes_first(house: House):
    one, other, third = (authority(f"of ldif {i}", country=c) for i, c in enumerate(("AA", "BB", "CC")))
    needs_other = a_list([third.der], other)
    brings_other = a_list([one.der, other.der], one)
    stranger = authority("stranger", country="DD")
    report = house.take(
        in_ldif((ML, needs_other), (ML, brings_other), (ML, a_list([stranger.der], stranger))),
        issuer=sha256(one.der),
    )
    assert {each.certificate.country for each in report.findings.certificates} == {"AA", "BB", "CC"}
    assert reasons(report) == [(3, "MASTER_LIST_SIGNER_UNKNOWN")]
    assert report.findings.refused[0].subject, "whose list it is"


def test_what_is_wrong_in_ldif_is_refused_by_its_record(house: House):
    report = house.take(
        in_ldif(
            (CA, utopia().csca.der),
            (ML, b"nothing"),
            (CRL, b"nothing"),
            (CRL, utopia().foreign_revocation_list),
            (CA, utopia().signer.der),
            (USER, utopia().signer.der),
        )
    )
    assert reasons(report) == [
        (2, "MASTER_LIST_UNREADABLE"),
        (3, "REVOCATION_LIST_UNREADABLE"),
        (4, "CRL_ISSUER_UNKNOWN"),
        (5, "NOT_A_CSCA"),
    ]
    assert (report.totals.certificates, report.findings.skipped) == (1, 1)


# Versions, events, durability


def test_every_change_is_a_version_with_an_event_that_says_who_why_and_of_which_file(house: House):
    house.take(utopia().former.der)
    house.take(utopia().master_list, issuer=sha256(utopia().csca.der))
    first, second = house.events()
    assert (first.actor.subject, first.purpose) == (ADMINISTRATOR.subject, "a test")
    changed = second.trust_store_changed
    assert (changed.version, changed.file_kind, changed.certificates_added) == (2, "MASTER_LIST", 4)
    assert changed.file_sha256 == hash_of(utopia().master_list).digest()
    assert first.event_id != second.event_id


def test_a_dry_run_says_the_same_and_does_nothing(house: House):
    issuer = sha256(utopia().csca.der)
    told = house.take(utopia().ldif, issuer=issuer, dry_run=True)
    assert (told.totals.version, house.app.snapshot().version, house.events()) == (0, 0, [])
    done = house.take(utopia().ldif, issuer=issuer)
    assert (done.findings, done.totals.version) == (told.findings, 1)


def test_a_reader_keeps_its_version_while_another_is_made(house: House):
    house.take(utopia().former.der)
    before = house.app.snapshot()
    house.take(utopia().csca.der)
    subject = parse_certificate(utopia().csca.der).subject
    assert (before.version, len(before.by_subject[subject])) == (1, 1)
    after = house.app.snapshot()
    assert (after.version, len(after.by_subject[subject])) == (2, 2)
    assert utopia().csca.key.key_id() not in before.by_key_id


def test_what_was_taken_is_there_after_a_restart_to_the_byte(house: House, tmp_path: Path):
    house.take(utopia().ldif, issuer=sha256(utopia().csca.der))
    before = house.app.snapshot()
    after = TrustStore(SqliteTrustStore(house.database), StillClock(), accept_specimens=True).snapshot()
    assert after.version == before.version
    assert {key: list(found) for key, found in after.by_key_id.items()} == {
        key: list(found) for key, found in before.by_key_id.items()
    }
    assert {key: list(found) for key, found in after.by_subject.items()} == {
        key: list(found) for key, found in before.by_subject.items()
    }
    assert dict(after.revocation_lists) == dict(before.revocation_lists)
    for name, found in after.by_subject.items():
        assert {each.subject for each in found} == {name}, "the stored index is what the certificates say"
    for key_id, found in after.by_key_id.items():
        assert {each.key_id for each in found} == {key_id}


def test_names_that_were_stored_by_another_rule_are_made_anew_at_start(house: House, tmp_path: Path):
    house.take(utopia().csca.der)
    with house.database.transaction() as connection:
        connection.execute("UPDATE trusted_certificates SET subject_name = x'00'")
        connection.execute("UPDATE names_scheme SET scheme = 0")
    found = SqliteTrustStore(house.database).load().certificates
    assert [each.subject for each in found] == [parse_certificate(utopia().csca.der).subject]


def test_how_names_are_normalised_has_not_changed_without_a_new_scheme():
    # If this fails, raise sqlite_trust.NAMES_SCHEME, and put the new value here.
    name = pki.distinguished_name("CSCA  Specimen", "UT")
    assert hash_of(normalised(name)).hexdigest()[:16] == "9653cc5e36750eea"


@pytest.mark.parametrize(
    "table", ["trust_changes", "trusted_certificates", "revocation_lists", "trust_sources", "outbox"]
)
def test_an_import_that_fails_at_any_table_leaves_nothing_of_itself(house: House, table: str):
    house.take(utopia().former.der, "before")
    with house.database.transaction() as connection:
        connection.execute(
            f"CREATE TRIGGER fail BEFORE INSERT ON {table} WHEN (SELECT count(*) FROM {table}) >= 1"  # noqa: S608
            " BEGIN SELECT RAISE(ABORT, 'told to fail'); END"
        )
    ldif = utopia().ldif
    with pytest.raises(sqlite3.IntegrityError, match="told to fail"):
        house.take(ldif, "a file", issuer=sha256(utopia().csca.der))
    assert house.app.snapshot().version == 1
    with house.database.transaction() as connection:
        connection.execute("DROP TRIGGER fail")
    assert len(house.store.load().certificates) == 1
    assert not house.store.load().revocation_lists
    assert len(house.events()) == 1
    assert house.take(ldif, "a file", issuer=sha256(utopia().csca.der)).totals.version == 2


def test_imports_at_the_same_moment_make_one_version_each_and_lose_nothing(house: House):
    start = Barrier(4)
    ders = [authority(f"parallel {number}").der for number in range(4)]

    def take(der: bytes) -> int:
        start.wait()
        return house.take(der).totals.version

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(take, ders)) == [1, 2, 3, 4]
    assert house.app.snapshot().version == 4
    assert len(house.app.list_trusted(Wanted(), 10).certificates) == 4


def test_a_change_whose_outcome_was_not_heard_of_is_seen_by_the_next_import(house: House, tmp_path: Path):
    other = TrustStore(SqliteTrustStore(house.database), StillClock(), accept_specimens=True)
    other.import_file(utopia().former.der, "", ADMINISTRATOR, "", issuer_sha256=b"", dry_run=False)
    assert house.take(utopia().link.dump()).totals.version == 2, "the link needs what the other one took"


# Lists and looks


def test_pages_join_in_order_and_stay_with_the_version_that_they_began_with(house: House):
    for number, country in enumerate(("CC", "AA", "BB", "AA")):
        house.take(authority(f"paged {number}", country=country, name=f"CSCA {number}").der)
    first = house.app.list_trusted(Wanted(), 3)
    assert ([each.country for each in first.certificates], first.more) == (["AA", "AA", "BB"], True)
    house.take(authority("late", country="DD").der)
    last = house.app.list_trusted(
        Wanted(after=first.certificates[-1].sha256, version=first.totals.version), 3
    )
    assert ([each.country for each in last.certificates], last.more) == (["CC"], False)
    assert (last.totals.version, last.totals.certificates) == (4, 4)
    assert [each.country for each in house.app.list_trusted(Wanted(country="AA"), 3).certificates] == [
        "AA",
        "AA",
    ]


def test_a_certificate_is_found_by_the_beginning_of_its_hash_or_its_key(house: House):
    house.take(utopia().ldif, issuer=sha256(utopia().csca.der))
    csca, key = sha256(utopia().csca.der).hex(), utopia().former.key.key_id().hex()
    assert house.app.get_trusted(csca[:9].upper()).der == utopia().csca.der
    assert house.app.get_trusted(key).der == utopia().former.der
    with pytest.raises(CertificateAmbiguousError, match=csca[:16]):
        house.app.get_trusted(utopia().csca.key.key_id().hex())  # of the CSCA and of the link for its key
    with pytest.raises(CertificateNotFoundError):
        house.app.get_trusted("0" * 64)


def test_a_database_of_before_is_opened_as_it_is(tmp_path: Path):
    Database(tmp_path / "documents.sqlite", MIGRATIONS).close()
    with a_house(tmp_path) as house:
        assert house.app.list_trusted(Wanted(), 10).totals.changed_at is None
        assert house.take(utopia().csca.der).totals.changed_at == NOW
