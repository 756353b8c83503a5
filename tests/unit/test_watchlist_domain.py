"""Names, dates and documents of the watchlists, and where lists, entries and suppressions stand at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.names import to_mrz_letters
from borderpost.watchlist.domain import (
    Approval,
    Entry,
    EntryState,
    Suppression,
    SuppressionState,
    from_microseconds,
    microseconds,
)
from borderpost.watchlist.naming.dates import DateAgreement, compare_dates
from borderpost.watchlist.persons import DocumentKey, PartialDate, PersonName
from borderpost.watchlist.templates import Template, digest
from borderpost.watchlist.tokens import make_page_token, parse_page_token
from fakes.watchlist import ANNA, BEN, NOW, OTHER_MODEL, a_list, a_template, an_entry

MOMENT = timedelta(microseconds=1)


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
    agreeing = {DateAgreement.SAME, DateAgreement.POSSIBLE, DateAgreement.UNKNOWN}
    assert (compare_dates(one, other)[0] in agreeing) is may_be
    assert (compare_dates(other, one)[0] in agreeing) is may_be


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


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "is_in_force"),
    [
        (None, None, True),
        (NOW, None, True),
        (NOW + MOMENT, None, False),
        (None, NOW, False),
        (None, NOW + MOMENT, True),
        (NOW - HOUR, NOW + HOUR, True),
    ],
)
def test_a_list_is_in_force_from_its_begin_until_before_its_end(valid_from, valid_until, is_in_force: bool):
    assert a_list(valid_from=valid_from, valid_until=valid_until).is_in_force(NOW) is is_in_force


@pytest.mark.parametrize(
    ("is_approved", "withdrawn_at", "valid_from", "valid_until", "state"),
    [
        (False, None, None, NOW + HOUR, EntryState.PROPOSED),
        (False, None, None, NOW, EntryState.EXPIRED),
        (True, None, NOW + MOMENT, NOW + HOUR, EntryState.APPROVED),
        (True, None, NOW, NOW + MOMENT, EntryState.ACTIVE),
        (True, None, None, NOW, EntryState.EXPIRED),
        (True, NOW, None, NOW + HOUR, EntryState.WITHDRAWN),
        (True, NOW - HOUR, None, NOW - MOMENT, EntryState.WITHDRAWN),
        (False, NOW, None, NOW + HOUR, EntryState.WITHDRAWN),
    ],
)
def test_where_an_entry_stands_follows_from_approval_withdrawal_and_the_clock(
    is_approved: bool, withdrawn_at, valid_from, valid_until, state: EntryState
):
    content = an_entry(new_id(), valid_from=valid_from, valid_until=valid_until)
    approval = Approval(BEN, 1) if is_approved else None
    assert Entry(content, 0, ANNA, approval, withdrawn_at=withdrawn_at).state(NOW) is state


@pytest.mark.parametrize(
    ("changes", "entry_sha256", "state"),
    [
        ({}, b"same", SuppressionState.PROPOSED),
        ({"needed": 1}, b"same", SuppressionState.ACTIVE),
        ({"confirmed_by": BEN}, b"same", SuppressionState.ACTIVE),
        ({"confirmed_by": BEN}, b"other", SuppressionState.OUTDATED),
        ({"confirmed_by": BEN, "expires_at": NOW}, b"same", SuppressionState.EXPIRED),
        ({"confirmed_by": BEN, "expires_at": NOW + MOMENT}, b"same", SuppressionState.ACTIVE),
        ({"confirmed_by": BEN, "revoked_by": ANNA, "expires_at": NOW}, b"other", SuppressionState.REVOKED),
    ],
)
def test_a_suppression_is_in_force_while_confirmed_not_ended_and_its_entry_is_as_it_was(
    changes, entry_sha256: bytes, state: SuppressionState
):
    suppression = Suppression(
        suppression_id=new_id(),
        list_id=new_id(),
        entry_id=new_id(),
        document=DocumentKey("P", "UTO", "L898902C3"),
        holder=(a_template(1),),
        entry_sha256=b"same",
        reason="not the person",
        needed=2,
        proposed_by=ANNA,
        proposed_at=NOW,
        expires_at=NOW + HOUR,
    )
    assert replace(suppression, **changes).state(NOW, entry_sha256) is state


def test_what_is_shown_of_an_entry_has_neither_templates_nor_pictures():
    content = an_entry(new_id(), templates=(a_template(1),), pictures=(b"picture",))
    shown = Entry(content, 1, ANNA, picture_count=1).shown()
    assert (shown.content.templates, shown.content.pictures) == ((), ())
    assert (shown.template_count, shown.picture_count) == (1, 1)


@given(st.datetimes(timezones=st.just(UTC)))
@settings(max_examples=100)
def test_a_time_as_microseconds_leads_back_to_it(time: datetime):
    assert from_microseconds(microseconds(time)) == time


@given(st.permutations([a_template(1), a_template(2), a_template(1, OTHER_MODEL)]))
def test_a_digest_of_templates_knows_no_order_and_every_difference(templates: list[Template]):
    assert digest(templates) == digest([a_template(1), a_template(2), a_template(1, OTHER_MODEL)])
    assert digest(templates[1:]) != digest(templates)
    assert digest([*templates, templates[0]]) != digest(templates)
    renamed = replace(templates[0], model=replace(templates[0].model, model_id="x"))
    assert digest([renamed, *templates[1:]]) != digest(templates)
