"""Receipts of erasures: written, read and checked by anyone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderpost.proofs.receipts import (
    HEADING,
    ProvenEvent,
    Receipt,
    ReceiptError,
    check_receipt,
    parse_receipt,
    receipt_text,
)
from borderpost.proofs.tree import leaf_hash, reference_root
from fakes.subject_site import inclusion_path

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


def proven(size: int, *indexes: int) -> Receipt:
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    events = tuple(
        ProvenEvent(index, leaves[index], tuple(inclusion_path(index, leaves))) for index in indexes
    )
    return replace(GOOD, size=size, root=reference_root(leaves), events=events)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 9, 33])
def test_events_that_are_in_the_tree_are_found_to_be(size):
    check_receipt(proven(size, *range(size)))


@pytest.mark.parametrize("size", [2, 3, 7, 8, 9])
@pytest.mark.parametrize("index", [0, 1])
def test_an_event_with_another_leaf_place_tree_or_proof_is_refused(size, index):
    receipt = proven(size, index)
    (event,) = receipt.events
    changed = [
        replace(event, leaf=bytes(32)),
        replace(event, index=size - 1 - index) if size - 1 - index != index else replace(event, index=size),
        replace(event, index=size + index),
        replace(event, hashes=event.hashes[:-1]),
        replace(event, hashes=(*event.hashes, bytes(32))),
        replace(event, hashes=(bytes(32), *event.hashes[1:])),
    ]
    for wrong in [replace(receipt, events=(each,)) for each in changed] + [
        replace(receipt, root=bytes(32)),
        replace(receipt, size=0),
        replace(receipt, events=()),
        replace(receipt, events=(event, changed[0])),
    ]:
        with pytest.raises(ReceiptError):
            check_receipt(wrong)
