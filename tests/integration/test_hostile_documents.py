"""Mutated and hostile documents, in processes of their own: typed errors only, no hang, bounded memory.

`make soak` runs 20,000 of them, `make test` a fixed few.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.documents import mrz
from borderpost.documents.chip.domain import ActiveAuthentication, ChipFiles
from borderpost.documents.chip.read import read_chip
from borderpost.documents.trust.anchors import Rules
from borderpost.documents.trust.domain import NOTHING_TRUSTED
from borderpost.documents.trust.errors import TrustFileRefusedError, TrustFileUnreadableError
from borderpost.documents.trust.importing import examine

PROGRAM = Path(__file__).parents[1] / "fakes" / "hostile_documents.py"

MAX_PEAK_BYTES = 2**30
MAX_SECONDS = 2.0
"""CPU time of one call: the same on a machine that is busy with other tests."""

TODAY = datetime.date(2026, 11, 24)
AT = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)


def survived(count, seed, surface):
    command = [sys.executable, "-W", "ignore", str(PROGRAM), str(count), str(seed), surface]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    report = json.loads(done.stdout)
    print(report)  # noqa: T201
    assert report["untyped"] == []
    assert sum(report["outcomes"].values()) == count
    assert report["peak_bytes"] < MAX_PEAK_BYTES
    assert report["slowest"][0] < MAX_SECONDS
    return report["outcomes"]


@pytest.mark.parametrize(
    ("surface", "count", "reached"),
    [
        ("zone", 2_000, {"MRZ_SHAPE", "refuted", "mapped", "parsed"}),
        ("chip", 400, {"SECURITY_OBJECT_UNREADABLE", "DG2_ALTERED", "SIGNATURE_WRONG", "nothing failed"}),
        ("trust", 150, {"TRUST_FILE_UNREADABLE", "TRUST_FILE_REFUSED", "LDIF taken"}),
        ("page", 12, set()),
    ],
)
def test_a_few_hostile_documents_end_in_typed_results(surface, count, reached):
    assert reached <= set(survived(count, 5, surface))


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(
    ("surface", "count", "reached"),
    [
        ("zone", 6_500, {"MRZ_SHAPE", "refuted", "mapped", "parsed"}),
        ("chip", 8_000, {"SECURITY_OBJECT_UNREADABLE", "DG2_ALTERED", "SIGNATURE_WRONG", "HASH_TOO_WEAK"}),
        ("trust", 4_000, {"TRUST_FILE_UNREADABLE", "TRUST_FILE_REFUSED", "LDIF, refused within it"}),
        ("page", 1_500, {"read", "NO_MRZ", "PICTURE_DAMAGED", "PICTURE_FORMAT", "PICTURE_TOO_LARGE"}),
    ],
)
def test_twenty_thousand_hostile_documents_end_in_typed_results(surface, count, reached):
    assert reached <= set(survived(count, 11, surface))


ANY_LINES = st.lists(
    st.one_of(
        st.text(max_size=60), *(st.text(mrz.ALPHABET, min_size=each, max_size=each) for each in (30, 36, 44))
    ),
    max_size=4,
).map(tuple)


@settings(deadline=None)
@given(ANY_LINES)
def test_any_lines_are_parsed_or_refused_by_their_shape(lines):
    try:
        mapped, _ = mrz.map_kinds(lines)
        found = mrz.parse(mapped, TODAY)
    except mrz.MrzShapeError:
        return
    assert found.lines == mapped


@settings(deadline=None)
@given(
    st.binary(max_size=200),
    st.binary(max_size=400),
    st.dictionaries(st.sampled_from((1, 2, 3, 11, 12, 14, 15)), st.binary(max_size=300)),
    st.binary(max_size=100),
)
def test_any_bytes_for_a_chip_are_judged_and_never_believed(com, sod, groups, signature):
    answer = ActiveAuthentication(bytes(8), signature)
    reading = read_chip(ChipFiles(com, sod, groups, answer), NOTHING_TRUSTED, AT)
    assert reading.signer is None
    assert reading.checks


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_bring_no_trust(file):
    try:
        found = examine(file, NOTHING_TRUSTED, frozenset(), Rules(AT, accept_specimens=False))
    except (TrustFileUnreadableError, TrustFileRefusedError):
        return
    assert not found.changes_trust
