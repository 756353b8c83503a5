"""Document numbers: the same, or one OCR confusion apart; the index against the definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderpost.watchlist.numbers import CONFUSABLE, NumberIndex, NumberMatch, match_numbers
from borderpost.watchlist.persons import DocumentKey

EXACT = NumberMatch(True, None, "", "")

documents = st.builds(
    DocumentKey,
    st.sampled_from(["P", "PD", "I"]),
    st.sampled_from(["UTO", "utO", "XXX"]),
    st.text("0ODQ1I7A<", min_size=1, max_size=6),
)


def passport(number, code="P", state="UTO"):
    return DocumentKey(code, state, number)


def test_the_same_number_is_exact_whatever_its_case_fillers_and_second_code_letter():
    assert match_numbers(passport("ab12345"), passport("AB 12345<<", code="PD", state="uto")) == EXACT


@pytest.mark.parametrize(
    ("given", "listed"),
    [(one, other) for group in CONFUSABLE for one in group for other in group if one != other],
)
def test_one_confusable_character_is_flagged_with_its_place(given, listed):
    found = match_numbers(passport(f"AB{given}345"), passport(f"AB{listed}345"))
    assert found == NumberMatch(False, 2, given, listed)


def test_the_place_counts_no_fillers():
    assert match_numbers(passport("A<B0345"), passport("AB O345")) == NumberMatch(False, 2, "0", "O")


@pytest.mark.parametrize(
    ("given", "listed"),
    [
        ("AB0345", "ABO34S"),  # two confusions
        ("AB1345", "AB7345"),  # not alike in OCR-B
        ("AB0345", "AB03455"),  # another length
        ("0345", "O345"),  # too short to tell from chance
        ("AB3045", "AB0345"),  # exchanged, not confused
    ],
)
def test_anything_else_is_another_document(given, listed):
    assert match_numbers(passport(given), passport(listed)) is None


@pytest.mark.parametrize("other", [passport("AB0345", code="I"), passport("AB0345", state="XXX")])
def test_another_kind_of_document_or_state_is_another_document(other):
    assert match_numbers(passport("AB0345"), other) is None
    assert match_numbers(passport("ABO345"), other) is None


def test_an_exact_document_of_a_row_counts_before_a_confused_one():
    index = NumberIndex([(7, passport("ABO345")), (7, passport("AB0345")), (3, passport("ABD345"))])
    assert index.find(passport("AB0345")) == [(3, NumberMatch(False, 2, "0", "D")), (7, EXACT)]


def test_an_empty_index_finds_nobody():
    assert NumberIndex([]).find(passport("AB0345")) == []


@given(st.lists(st.tuples(st.integers(0, 3), documents), max_size=12), documents)
def test_the_index_answers_as_the_definition_does(listed, document):
    want = {}
    for row, other in listed:
        match = match_numbers(document, other)
        if match is not None and (row not in want or (match.exact and not want[row].exact)):
            want[row] = match
    assert NumberIndex(listed).find(document) == sorted(want.items())


@given(documents, documents)
def test_the_definition_is_symmetric_but_for_who_has_which_character(one, other):
    there, back = match_numbers(one, other), match_numbers(other, one)
    if there is None or there.exact:
        assert there == back
    else:
        assert back == NumberMatch(False, there.position, there.listed, there.given)
