"""What `borderpost trust` shows, and how it cuts a large LDIF file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderpost.cli import show, trust
from borderpost.runtime.clock import to_timestamp
from borderpost.v1 import decisions_pb2, trust_pb2

NOW = datetime(2026, 11, 24, tzinfo=UTC)
HOSTILE = "[/red] :smile: [bold]"


def shown(what: Any) -> str:
    with show.console.capture() as capture:
        show.console.print(what)
    return " ".join(capture.get().split())


def a_certificate(**changes: Any) -> trust_pb2.TrustedCertificate:
    return trust_pb2.TrustedCertificate(
        **{
            "sha256": bytes(32),
            "country": "UT",
            "subject": f"CN={HOSTILE}",
            "not_before": to_timestamp(NOW - timedelta(days=10)),
            "not_after": to_timestamp(NOW + timedelta(days=10)),
            **changes,
        }
    )


def test_what_an_import_did_is_said_in_a_sentence():
    answer = trust_pb2.ImportTrustResponse(
        kind=trust_pb2.TRUST_FILE_KIND_MASTER_LIST,
        version=2,
        added=565,
        duplicates=1,
        certificates=566,
        countries=112,
        refused=[trust_pb2.TrustRefusal(position=3, subject=f"CN={HOSTILE}", reason="NOT_A_CSCA")],
    )
    assert trust.import_words(answer, dry_run=False) == (
        "a master list: 565 certificates new, 1 known, 1 refused. "
        "The store is at version 2: 566 certificates of 112 countries."
    )
    assert trust.import_words(answer, dry_run=True).endswith("Nothing was done.")
    text = shown(trust.refusals_view(answer))
    assert "[/red]" in text
    assert "NOT_A_CSCA" in text
    assert "not the certificate of an authority" in text


def test_what_an_ldif_file_has_beside_trust_is_said_too():
    answer = trust_pb2.ImportTrustResponse(kind=trust_pb2.TRUST_FILE_KIND_LDIF, skipped=3)
    assert "0 revocation lists new, 0 refused, 3 passed over" in trust.import_words(answer, dry_run=False)


@pytest.mark.parametrize(("days", "says"), [((-10, 10), ""), ((-20, -10), "expired"), ((10, 20), "not yet")])
def test_a_certificate_that_is_not_valid_says_so(days, says):
    start, end = (to_timestamp(NOW + timedelta(days=each)) for each in days)
    text = shown(trust.trusted_view([a_certificate(not_before=start, not_after=end)], NOW))
    assert "[/red]" in text
    for word in ("expired", "not yet"):
        assert (word in text) == (word == says)


def test_a_revocation_list_says_how_old_it_is_and_whether_the_next_one_is_due():
    of = trust_pb2.RevocationList(
        country="UT",
        issuer="CN=CSCA",
        this_update=to_timestamp(NOW - timedelta(days=40)),
        next_update=to_timestamp(NOW - timedelta(days=1)),
        revoked=7,
    )
    text = shown(trust.revocation_lists_view([of], NOW))
    assert "40 days old" in text
    assert "overdue" in text


def test_a_change_of_the_trust_store_is_shown_in_the_log():
    changed = decisions_pb2.TrustStoreChanged(
        version=3, file_sha256=b"\xab" * 32, file_kind="CRL", revocation_lists_added=1, refused=2
    )
    event = decisions_pb2.Event(trust_store_changed=changed)
    text = shown(show.events_view([decisions_pb2.LogEntry(event=event)]))
    for words in ("trust store changed", "version 3, by a revocation list", "2 refused", "abababababababab"):
        assert words in text


@pytest.mark.parametrize("text", ["12", "g" * 64, "0" * 66])
def test_an_issuer_that_is_no_sha256_is_a_wrong_command_line(text: str):
    with pytest.raises(trust.typer.BadParameter, match="SHA-256"):
        trust.to_sha256(text)


def test_a_sha256_may_be_written_in_any_usual_way():
    digits = "2084AED7A991B3158E63AD750D3DC38BC6C9DCF5958F28D1162F49884E91ADA8"
    pairs = ":".join(digits[i : i + 2] for i in range(0, 64, 2))
    assert trust.to_sha256(pairs) == trust.to_sha256(f" {digits.lower()} ") == bytes.fromhex(digits)
    assert trust.to_sha256("") == b""


@given(
    st.lists(st.binary(min_size=1, max_size=40).map(lambda line: line.hex().encode()), max_size=20),
    st.integers(20, 200),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_parts_of_ldif_are_whole_records_and_together_the_file(records, size, end):
    data = b"".join(b"dn: " + record + end + end for record in records)
    parts = list(trust.ldif_parts(data, size))
    assert b"".join(parts) == data
    for part in parts:
        assert part.startswith(b"dn: ")
        assert len(part) <= size or part.count(b"dn: ") == 1
