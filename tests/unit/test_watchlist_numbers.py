"""Document numbers: the same, or one OCR confusion apart; the index against the definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1 import types_pb2, watchlist_pb2
from borderpost.watchlist import validate
from borderpost.watchlist.numbers import CONFUSABLE, NumberIndex, NumberMatch, match_numbers
from borderpost.watchlist.persons import DocumentKey

EXACT = NumberMatch(True, None, "", "")

documents = st.builds(
    DocumentKey,
    st.sampled_from(["P", "PD", "I", "AC"]),
    st.sampled_from(["UTO", "utO", "D<<", "DEU"]),
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


def test_germany_is_one_state_in_the_zones_letters_and_in_isos():
    one, other = passport("AB0345", state="D<<"), passport("AB0345", state="deu")
    assert match_numbers(one, other) == EXACT == match_numbers(other, one)
    assert NumberIndex([(1, passport("ABO345", state="DEU"))]).find(one) == [
        (1, NumberMatch(False, 2, "0", "O"))
    ]


def test_a_code_of_some_of_a_states_nationals_is_a_state_of_its_own():
    assert match_numbers(passport("AB0345", state="GBR"), passport("AB0345", state="GBN")) is None


@pytest.mark.parametrize("listed", ["ID", "I", "A", "C", "AC", "I<"])
@pytest.mark.parametrize("read", ["ID", "I", "A", "C", "AC", "I<"])
def test_a_card_is_found_whichever_letter_its_state_writes(read, listed):
    assert NumberIndex([(1, passport("D23145890", code=listed))]).find(passport("D23145890", code=read)) == [
        (1, EXACT)
    ]
    assert match_numbers(passport("D23145890", code=read), passport("D2314589O", code=listed)) is not None


@pytest.mark.parametrize("code", ["P", "V"])
def test_a_passport_or_visa_of_the_number_is_no_card(code):
    assert match_numbers(passport("D23145890", code=code), passport("D23145890", code="ID")) is None


@pytest.mark.parametrize("state", ["UT0", "D1", "1", "ÜTO", "UTOX", "<<<", ""])
def test_a_state_has_one_to_three_letters(state):
    document = types_pb2.DocumentKey(document_code="P", issuing_state=state, number="AB0345")
    with pytest.raises(InvalidRequestError) as raised:
        validate.check_search(watchlist_pb2.SearchRequest(document=document))
    assert raised.value.details["field"] == "document.issuing_state"


@pytest.mark.parametrize("state", ["D", "D<<", "DEU", "uto"])
def test_a_state_is_taken_as_the_zone_and_as_people_write_it(state):
    document = types_pb2.DocumentKey(document_code="P", issuing_state=state, number="AB0345")
    validate.check_search(watchlist_pb2.SearchRequest(document=document))


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
