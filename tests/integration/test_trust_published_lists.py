"""The master lists that Germany and the Netherlands publish, with their root certificates."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from borderpost.documents.adapters.sqlite_trust import SqliteTrustStore
from borderpost.documents.pki.certificates import parse_certificate
from borderpost.documents.pki.keys import EcKey
from borderpost.documents.trust.app import TrustStore
from borderpost.documents.trust.domain import Wanted
from borderpost.documents.trust.errors import TrustFileRefusedError, TrustFileUnreadableError
from borderpost.documents.trust.master_list import parse_master_list
from fakes.trust import House, StillClock, a_house, authority, sha256

LISTS = (
    Path(os.environ.get("BORDERPOST_DATA", Path(__file__).parents[3] / "shared/data")) / "chips/master_lists"
)

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not LISTS.is_dir(), reason="the master lists are not there: set BORDERPOST_DATA"),
]

GERMAN_OLD = "DE_ML_2024-08-07-07-38-24.ml"
GERMAN = "DE_ML_2026-05-28-08-28-45.ml"
GERMAN_ROOT = "DE_ROOT_CA_CSCA07.cer"
DUTCH = "NL_ML_2026-07-22.ml"
DUTCH_ROOT = "NL_ROOT_CA.cer"


def read(name: str) -> bytes:
    return (LISTS / name).read_bytes()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path, accept_specimens=False) as house:  # as in production
        yield house


def counts(report) -> tuple[int, int, int]:
    found = report.findings
    return len(found.certificates), len(found.duplicates), len(found.refused)


def test_the_german_list_comes_in_by_its_root_and_a_second_time_changes_nothing(house: House):
    house.take(read(GERMAN_ROOT))
    first = house.take(read(GERMAN))
    assert counts(first) == (565, 1, 22), "588 on it, the root was there"
    assert (first.totals.version, first.totals.certificates, first.totals.countries) == (2, 566, 112)
    again = house.take(read(GERMAN))
    assert counts(again) == (0, 566, 22)
    assert again.totals == first.totals
    assert len(house.events()) == 2


def test_what_is_refused_of_the_german_list_are_links_and_constraints_that_break_the_profile(house: House):
    report = house.take(read(GERMAN), issuer=sha256(read(GERMAN_ROOT)))
    assert Counter(each.reason for each in report.findings.refused) == {
        "LINK_ISSUER_UNKNOWN": 12,
        "LINK_OF_OTHER_COUNTRY": 2,  # Bermuda and the United Kingdom, for each other
        "NOT_A_CSCA": 8,
    }
    # Nobody's documents are lost by that: each of their keys is in another certificate, which is trusted.
    by_key_id = house.app.snapshot().by_key_id
    listed = parse_master_list(read(GERMAN)).listed
    refused = [parse_certificate(listed[each.position].der) for each in report.findings.refused]
    for certificate in refused:
        assert certificate.key_id is not None
        assert certificate.key_info in [each.key_info for each in by_key_id[certificate.key_id]]


def test_every_key_of_the_german_list_is_read_also_those_with_explicit_parameters():
    keys = [parse_certificate(each.der).key for each in parse_master_list(read(GERMAN)).listed]
    assert len(keys) == 588
    assert sum(isinstance(key, EcKey) and key.explicit for key in keys) == 160


def test_all_lists_together(house: House):
    dutch = house.take(read(DUTCH), issuer=sha256(read(DUTCH_ROOT)))
    assert counts(dutch) == (411, 0, 0)
    german = house.take(read(GERMAN))
    assert counts(german) == (195, 372, 21), "its signer's root is on the Dutch list"
    old = house.take(read(GERMAN_OLD))
    assert counts(old)[0] == 61
    snapshot = house.app.snapshot()
    assert (snapshot.version, old.totals.certificates) == (3, 667)
    assert len(snapshot.by_key_id) == 449
    expired = len(house.app.list_trusted(Wanted(), 1000).certificates) - len(
        house.app.list_trusted(Wanted(valid_at=house.clock.time), 1000).certificates
    )
    assert expired > 0, "they are kept for what was signed with them"


@pytest.mark.parametrize(
    ("name", "root"), [(GERMAN, GERMAN_ROOT), (DUTCH, DUTCH_ROOT)], ids=["German", "Dutch"]
)
def test_a_list_whose_root_is_not_trusted_is_refused_and_names_it(house: House, name: str, root: str):
    with pytest.raises(TrustFileRefusedError, match=sha256(read(root)).hex()) as caught:
        house.take(read(name))
    assert parse_certificate(read(root)).subject_text in caught.value.message
    house.take(authority("a stranger").der)
    with pytest.raises(TrustFileRefusedError):
        house.take(read(name))


@pytest.mark.parametrize("place", [0.001, 0.1, 0.5, 0.9, 0.9999])
def test_a_list_with_one_bit_altered_brings_nothing(house: House, place: float):
    house.take(read(GERMAN_ROOT))
    data = bytearray(read(GERMAN))
    data[int(len(data) * place)] ^= 1
    with pytest.raises((TrustFileRefusedError, TrustFileUnreadableError)):
        house.take(bytes(data))
    assert house.app.snapshot().version == 1


def test_an_import_takes_seconds_and_a_start_with_hundreds_of_certificates_next_to_nothing(house: House):
    start = time.process_time()
    house.take(read(GERMAN), issuer=sha256(read(GERMAN_ROOT)))
    assert time.process_time() - start < 5, "1.3 s on a quiet machine"
    start = time.process_time()
    again = TrustStore(SqliteTrustStore(house.database), StillClock(), accept_specimens=False)
    assert time.process_time() - start < 0.5, "0.01 s on a quiet machine"
    assert again.snapshot().version == 1
