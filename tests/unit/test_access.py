"""The access table: complete, and closed by default."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources

import pytest
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from borderpost.gateway.front import DOWNLOADED, FORWARDED, LONG, STREAMED
from borderpost.runtime.access import ACCESS, authorize, speaks_directly
from borderpost.runtime.calls import PEOPLE, Role
from borderpost.runtime.errors import NotPermittedError
from borderpost.v1 import (
    authority_pb2,
    cases_pb2,
    decisions_pb2,
    documents_pb2,
    faces_pb2,
    gateway_pb2,
    subjects_pb2,
    transparency_pb2,
    trust_pb2,
    types_pb2,
    watchlist_pb2,
)

OURS: tuple[FileDescriptor, ...] = (
    gateway_pb2.DESCRIPTOR,
    authority_pb2.DESCRIPTOR,
    documents_pb2.DESCRIPTOR,
    faces_pb2.DESCRIPTOR,
    watchlist_pb2.DESCRIPTOR,
    decisions_pb2.DESCRIPTOR,
    cases_pb2.DESCRIPTOR,
    subjects_pb2.DESCRIPTOR,
    transparency_pb2.DESCRIPTOR,
    types_pb2.DESCRIPTOR,
    trust_pb2.DESCRIPTOR,
)
SCREEN = "/borderpost.v1.GatewayService/ScreenTraveler"
WATCHLISTS = "/borderpost.v1.WatchlistService/"
SEARCH = f"{WATCHLISTS}Search"


def _methods(files: tuple[FileDescriptor, ...]) -> Iterator[str]:
    for file in files:
        for service in file.services_by_name.values():
            for method in service.methods:
                yield f"/{service.full_name}/{method.name}"


def test_every_method_of_every_descriptor_is_in_the_table_and_nothing_else_is() -> None:
    served = set(_methods((*OURS, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)))
    assert len(served) > 20
    assert served == set(ACCESS)


def test_this_test_knows_every_proto_file_of_the_package() -> None:
    files = {path.name for path in resources.files("borderpost.v1").iterdir()}
    modules = {name.removesuffix("_pb2.py") for name in files if name.endswith("_pb2.py")}
    assert modules == {file.name.rpartition("/")[2].removesuffix(".proto") for file in OURS}


def test_a_method_that_is_not_in_the_table_is_closed_to_every_role() -> None:
    for role in Role:
        with pytest.raises(NotPermittedError, match="not in the access table"):
            authorize("/borderpost.v1.GatewayService/Unheard", frozenset({role}))


def test_each_of_our_methods_is_closed_to_every_role_that_its_row_does_not_name() -> None:
    for method in _methods(OURS):
        for role in set(Role) - ACCESS[method].actors:
            with pytest.raises(NotPermittedError):
                authorize(method, frozenset({role}))


def test_none_of_our_methods_is_open_to_everybody_or_to_nobody() -> None:
    for method in _methods(OURS):
        assert 0 < len(ACCESS[method].actors) < len(Role), method


def test_what_is_called_at_the_gateway_is_its_own_or_passed_on_and_the_rest_is_internal_or_direct() -> None:
    passed_on = {
        f"/{service}/{method}"
        for front in (FORWARDED, STREAMED, DOWNLOADED)
        for (service, _), methods in front.items()
        for method in methods
    }
    own = set(_methods((gateway_pb2.DESCRIPTOR,)))
    at_gateway = {m for m in _methods(OURS) if not ACCESS[m].direct and ACCESS[m].at_gateway}
    assert at_gateway == own | passed_on


def test_the_gateway_passes_on_to_people_only_but_a_kiosks_question_for_a_chips_challenge() -> None:
    forwarded = [f"/{service}/{method}" for (service, _), methods in FORWARDED.items() for method in methods]
    for method in forwarded:
        for_kiosks = method == "/borderpost.v1.DocumentsService/IssueChipChallenge"
        assert ACCESS[method].at_gateway <= ({Role.KIOSK} if for_kiosks else PEOPLE), method
    assert "/borderpost.v1.DocumentsService/IssueChipChallenge" in forwarded


def test_a_search_is_made_for_a_kiosk_while_it_screens_and_asked_for_by_an_officer() -> None:
    authorize(SEARCH, frozenset({Role.KIOSK}))
    authorize(SEARCH, frozenset({Role.OFFICER}))
    authorize(SEARCH, frozenset({Role.OFFICER}), at_gateway=True)
    with pytest.raises(NotPermittedError, match="not open to kiosk, but to officer:"):
        authorize(SEARCH, frozenset({Role.KIOSK}), at_gateway=True)


def test_a_method_is_internal_only_for_roles_that_it_is_open_to() -> None:
    for method, rule in ACCESS.items():
        assert rule.internal <= rule.actors, method
        assert not (rule.internal and rule.direct), method


def test_no_one_role_can_both_bring_in_entries_and_approve_them() -> None:
    for brings, approves in (("ProposeEntry", "ApproveEntry"), ("BeginImport", "ApproveImport")):
        assert not ACCESS[f"{WATCHLISTS}{brings}"].actors & ACCESS[f"{WATCHLISTS}{approves}"].actors


def test_pictures_and_pairs_of_a_list_are_for_people_who_work_with_it_and_never_for_kiosks() -> None:
    for method in _methods((watchlist_pb2.DESCRIPTOR,)):
        assert (Role.KIOSK in ACCESS[method].actors) == (method == SEARCH), method


def test_what_may_take_minutes_is_something_that_is_passed_on() -> None:
    passed_on = {method for methods in FORWARDED.values() for method in methods}
    assert passed_on >= LONG


def test_only_an_administrator_may_change_what_is_trusted() -> None:
    assert ACCESS["/borderpost.v1.TrustService/ImportTrust"].actors == {Role.ADMINISTRATOR}


def test_the_gateway_passes_streams_on_to_kiosks_only() -> None:
    streamed = [f"/{service}/{method}" for (service, _), methods in STREAMED.items() for method in methods]
    assert streamed
    for method in streamed:
        assert ACCESS[method].actors == {Role.KIOSK}, method


def test_whoever_the_gateway_speaks_for_counts_and_not_the_gateway() -> None:
    authorize(SCREEN, frozenset({Role.KIOSK}))
    with pytest.raises(NotPermittedError):
        authorize(SCREEN, frozenset({Role.GATEWAY}))


def test_an_actor_without_any_role_may_nothing() -> None:
    with pytest.raises(NotPermittedError, match="nobody"):
        authorize(SCREEN, frozenset())


def test_at_a_service_only_rows_that_say_so_take_calls_without_the_gateway() -> None:
    direct = {method for method in _methods(OURS) if speaks_directly(method, at_gateway=False)}
    assert direct == {
        "/borderpost.v1.DecisionsService/RecordEvents",
        "/borderpost.v1.DecisionsService/ListPolicies",
        "/borderpost.v1.AuthorityService/RenewCertificate",
        "/borderpost.v1.AuthorityService/GetRevocations",
        "/borderpost.v1.EnrolmentService/EnrolKiosk",
    }


def test_who_has_no_certificate_may_enrol_and_nothing_else() -> None:
    assert [method for method, rule in ACCESS.items() if Role.NEWCOMER in rule.actors] == [
        "/borderpost.v1.EnrolmentService/EnrolKiosk"
    ]
    assert ACCESS["/borderpost.v1.EnrolmentService/EnrolKiosk"].actors == {Role.NEWCOMER}
    assert all(speaks_directly(method, at_gateway=True) for method in _methods(OURS))
