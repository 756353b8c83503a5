"""The code list of states, and the country of an issuer's certificates."""

from __future__ import annotations

import pytest

from borderpost.runtime.states import STATE_CODES, alpha2_of, as_in_zone, is_state, state_of


@pytest.mark.parametrize("code", ["UTO", "D", "XXA", "UNO", "FRA", "EUE", "GBD", "RKS", "ANT", "XMP"])
def test_codes_of_the_list_are_known(code):
    assert is_state(code)


@pytest.mark.parametrize("code", ["DEU", "UT0", "XYZ", "", "D<<", "IAO", "uto"])
def test_other_codes_are_not_known(code):
    assert not is_state(code)


def test_the_list_is_isos_and_icaos():
    assert len(STATE_CODES) == 249 + 28


@pytest.mark.parametrize(
    ("code", "country"),
    [
        ("D", "DE"),
        ("FRA", "FR"),
        ("GBN", "GB"),
        ("UNO", "UN"),
        ("UNA", "UN"),
        ("EUE", "EU"),
        ("RKS", "KS"),
        ("UTO", "UT"),
        ("XOM", None),
        ("XXB", None),
        ("DEU", None),
        ("", None),
    ],
)
def test_an_issuers_certificates_have_the_two_letters_of_the_code_list(code, country):
    assert alpha2_of(code) == country


def test_no_two_states_share_a_country_but_those_of_one_issuer():
    shared = [code for code in STATE_CODES if code[:2] not in ("GB", "UN") and alpha2_of(code) is not None]
    assert len({alpha2_of(code) for code in shared}) == len(shared)


@pytest.mark.parametrize(
    ("alpha2", "code"),
    [("de", "D"), ("UA", "UKR"), ("xk", "RKS"), ("eu", "EUE"), ("su", ""), ("un", ""), ("", "")],
)
def test_two_letters_of_iso_become_the_code_of_a_travel_document(alpha2, code):
    assert state_of(alpha2) == code


def test_every_state_of_iso_is_found_by_its_two_letters():
    found = {state_of(alpha2_of(code) or "") for code in STATE_CODES} - {""}
    assert (
        len(found) == 249 + 1
    )  # and the European Union; Kosovo's certificates have other letters than lists
    assert found <= STATE_CODES


def test_germany_is_the_one_state_that_the_zone_has_another_code_for():
    assert {code for code in STATE_CODES if len(code) != 3} == {"D"} == {as_in_zone("DEU")}
    assert all(as_in_zone(code) == code for code in STATE_CODES)


def test_a_code_of_its_own_is_not_folded_into_its_states():
    codes = {"GBR", "GBD", "GBN", "GBO", "GBP", "GBS", "UNO", "UNA", "UNK", "RKS"}
    assert {as_in_zone(code) for code in codes} == codes
