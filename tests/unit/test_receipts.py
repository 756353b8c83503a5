"""Receipts of erasures: written, read and checked by anyone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderpost.proofs.receipts import (
    HEADING,
    ProvenEvent,
    Receipt,
    ReceiptError,
    parse_receipt,
    receipt_text,
)

HASHES = st.binary(min_size=32, max_size=32)
EVENTS = st.builds(ProvenEvent, st.integers(0, 10**15), HASHES, st.lists(HASHES, max_size=5).map(tuple))
WORDS = st.from_regex(r"[A-Za-z0-9./_-]{1,40}", fullmatch=True)
RECEIPTS = st.builds(
    Receipt,
    WORDS,
    st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(["SUBJECT_REQUEST", "UNLAWFUL", "COURT_ORDER"]),
    st.lists(WORDS, max_size=5).map(tuple),
    st.integers(0, 10**15),
    HASHES,
    st.lists(EVENTS, min_size=1, max_size=3).map(tuple),
)
GOOD = Receipt(
    "borderpost.local/decisions",
    datetime(2026, 11, 26, 8, 30, tzinfo=UTC),
    "COURT_ORDER",
    ("one", "two"),
    7,
    bytes(32),
    (ProvenEvent(3, bytes(32), (b"\x01" * 32,)),),
)


@given(RECEIPTS)
def test_what_is_written_is_read_back(receipt):
    assert parse_receipt(receipt_text(receipt)) == receipt


@given(st.text())
def test_any_other_text_is_refused(text):
    with pytest.raises(ReceiptError):
        parse_receipt(text)


@given(st.data())
def test_a_text_with_a_character_changed_is_refused_or_says_something_else(data):
    text = receipt_text(GOOD)
    at = data.draw(st.integers(0, text.index("\n# ") - 1))
    other = data.draw(st.characters(exclude_characters=text[at], exclude_categories=["Cs"]))
    try:
        changed = parse_receipt(text[:at] + other + text[at + 1 :])
    except ReceiptError:
        return
    assert changed != GOOD


def test_the_text_has_no_empty_line_which_would_end_it_in_a_signed_note():
    text = receipt_text(GOOD)
    assert text.startswith(f"{HEADING}\n")
    assert "\n\n" not in text
    assert text.endswith("\n")
    assert max(map(len, text.split("\n"))) <= 120


@pytest.mark.parametrize(
    "line",
    [
        "proof: AAAA",
        "event: 007 AAAA",
        "event: 3",
        "event: -1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "name: ERIKSSON",
        "screening:",
        "anything",
        "",
    ],
)
def test_a_line_that_is_none_of_a_receipt_s_is_refused(line):
    text = receipt_text(GOOD)
    with pytest.raises(ReceiptError):
        parse_receipt(text.replace("screening: one", line))
