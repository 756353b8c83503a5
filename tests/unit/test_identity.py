"""Who a certificate names, and that anything else is nobody."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.runtime.calls import Actor, Role
from borderpost.runtime.errors import NotAuthenticatedError
from borderpost.runtime.identity import identity_of, is_same_person, kiosk_of

DOMAIN = "borderpost.local"


def _uri(name: str) -> bytes:
    return f"spiffe://{DOMAIN}/{name}".encode()


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("kiosk/north/1", Role.KIOSK),
        ("console", Role.CONSOLE),
        ("console/desk-4", Role.CONSOLE),
        ("faces/2", Role.FACES),
        ("authority", Role.AUTHORITY),
        ("gateway", Role.GATEWAY),
        ("documents", Role.DOCUMENTS),
        ("faces", Role.FACES),
        ("watchlist", Role.WATCHLIST),
        ("decisions", Role.DECISIONS),
    ],
)
def test_a_name_of_a_known_kind_gives_its_role(name: str, role: Role) -> None:
    assert identity_of([_uri(name)], DOMAIN) == (Actor(DOMAIN, name), role)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "kiosk",
        "kiosk/north",
        "kiosk//1",
        "kiosk/north/",
        "kiosk/north/1/2",
        "operator/officer/lee",
        "officer",
        "officer/lee",
        "Gateway",
        "gateway/",
        "gateway/x/y",
        "kiosk/1",
        "auditor",
    ],
)
def test_a_name_of_no_known_kind_is_nobody(name: str) -> None:
    with pytest.raises(NotAuthenticatedError):
        identity_of([_uri(name)], DOMAIN)


@pytest.mark.parametrize(
    "uris",
    [
        [],
        [b"spiffe://other.example/gateway"],
        [b"spiffe://borderpost.local.evil.example/gateway"],
        [b"spiffe://borderpost.localgateway"],
        [b"https://borderpost.local/gateway"],
        [_uri("gateway"), _uri("faces")],
        [_uri("gateway"), _uri("gateway")],
        [b"\xff\xfe"],
    ],
)
def test_a_certificate_without_exactly_one_name_in_the_trust_domain_is_nobody(uris: list[bytes]) -> None:
    with pytest.raises(NotAuthenticatedError):
        identity_of(uris, DOMAIN)


def test_a_certificate_with_more_than_one_uri_is_refused() -> None:
    with pytest.raises(NotAuthenticatedError, match="2 URIs"):
        identity_of([b"spiffe://other.example/gateway", _uri("faces")], DOMAIN)


@pytest.mark.parametrize(
    "name", ["kiosk/north/1?x", "kiosk/north/1 ", "kiosk/no\u202erth/1", "kiosk/north/" + "1" * 61]
)
def test_a_name_that_the_log_would_not_take_is_refused(name: str) -> None:
    with pytest.raises(NotAuthenticatedError):
        identity_of([_uri(name)], DOMAIN)


def test_a_person_is_who_one_provider_says_under_one_name() -> None:
    one = Actor("https://login.example", "alice")
    assert is_same_person(one, Actor("https://login.example", "alice"))
    assert not is_same_person(one, Actor("https://login.example", "ben"))
    assert not is_same_person(one, Actor("https://another.example", "alice"))


def test_a_kiosks_id_is_its_whole_name_so_that_ids_are_unique_over_crossings() -> None:
    assert kiosk_of(Actor(DOMAIN, "kiosk/north/1")) == ("kiosk/north/1", "north")


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=40), max_size=3))
def test_no_random_bytes_in_a_certificate_are_anybody(uris: list[bytes]) -> None:
    with pytest.raises(NotAuthenticatedError):
        identity_of(uris, DOMAIN)
