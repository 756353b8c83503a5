"""Names, dates and documents of the watchlists, and where lists, entries and suppressions stand at a time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.names import to_mrz_letters
from borderpost.watchlist.persons import DocumentKey, PartialDate, PersonName
from borderpost.watchlist.tokens import make_page_token, parse_page_token


@pytest.mark.parametrize(
    ("printed", "folded"),
    [
        ("Müller-Lüdenscheidt", "MUELLER LUEDENSCHEIDT"),
        ("O’Connor", "OCONNOR"),
        ("ERIKSSON", "ERIKSSON"),
        ("VAN<DER<BERG", "VAN DER BERG"),
        ("Þórðardóttir", "THORDARDOTTIR"),
        ("Strauß", "STRAUSS"),
        ("Straße", "STRASSE"),
        ("Ğülşen", "GUELSEN"),
        ("Ilıca", "ILICA"),
        ("Mu\u0308ller", "MUELLER"),
        ("  Anna   Maria ", "ANNA MARIA"),
        ("李", ""),
        ("", ""),
    ],
)
def test_a_printed_name_folds_to_what_the_mrz_writes(printed: str, folded: str):
    assert to_mrz_letters(printed) == folded


@given(st.text(max_size=40))
@settings(max_examples=200)
def test_folding_gives_only_letters_and_single_spaces_and_folding_again_changes_nothing(name: str):
    folded = to_mrz_letters(name)
    assert set(folded) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ ")
    assert "  " not in folded
    assert folded == folded.strip()
    assert to_mrz_letters(folded) == folded


def test_two_spellings_of_a_name_have_one_key_and_swapped_parts_another():
    assert PersonName("Müller", "Jörg").key == PersonName("MUELLER", "JOERG").key
    assert PersonName("Müller", "Jörg").key != PersonName("Jörg", "Müller").key


@pytest.mark.parametrize(
    ("one", "other", "may_be"),
    [
        (PartialDate(1970, 1, 2), PartialDate(1970, 1, 2), True),
        (PartialDate(1970, None, None), PartialDate(1970, 1, 2), True),
        (PartialDate(1970, None, 3), PartialDate(1970, 1, 2), False),
        (PartialDate(1971, None, None), PartialDate(1970, 1, 2), False),
        (PartialDate(), PartialDate(1970, 1, 2), True),
    ],
)
def test_unknown_parts_of_a_date_match_any(one: PartialDate, other: PartialDate, may_be: bool):
    assert one.may_be(other) is may_be
    assert other.may_be(one) is may_be


def test_a_documents_key_ignores_fillers_case_and_the_second_letter_of_the_code():
    key = DocumentKey("P", "UTO", "L898902C3").key
    assert DocumentKey("PM", "uto", "l898902c3<<").key == key
    assert DocumentKey("P<", "UTO", "L898 902C3").key == key
    assert DocumentKey("I", "UTO", "L898902C3").key != key
    assert DocumentKey("P", "UTP", "L898902C3").key != key


@given(st.integers(1, 2**63 - 1))
@settings(max_examples=50)
def test_a_page_token_leads_back_to_its_place(place: int):
    assert parse_page_token(make_page_token(place)) == place


def test_no_page_token_is_the_beginning_and_the_end_has_none():
    assert parse_page_token("") == 0
    assert make_page_token(None) == ""


@given(st.text(max_size=20))
@settings(max_examples=200)
def test_a_text_is_a_page_token_with_a_place_or_refused(token: str):
    assert 0 <= place_of(token) < 2**63


def place_of(token: str) -> int:
    try:
        return parse_page_token(token)
    except InvalidRequestError:
        return 0
