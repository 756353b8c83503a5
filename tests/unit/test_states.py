"""The code list of states, and the country of an issuer's certificates."""

from __future__ import annotations

import pytest

from borderpost.documents.states import STATE_CODES, alpha2_of, is_state


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
