"""TrustService by its messages: what goes in and out, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from borderpost.documents.trust import validate
from borderpost.documents.trust.servicer import TrustServicer
from borderpost.documents.trust.tokens import make_page_token, parse_page_token
from borderpost.runtime.calls import Call, Role, enter
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.errors import BorderpostError, InvalidRequestError
from borderpost.runtime.pool import WorkPool
from borderpost.specimens import pki
from borderpost.v1 import trust_pb2 as pb
from fakes.trust import ADMINISTRATOR, NOW, House, a_house, sha256, utopia


class Client:
    """Calls the servicer's handlers as an administrator."""

    def __init__(self, servicer: TrustServicer) -> None:
        self._servicer = servicer

    async def call(self, method: str, request: Message) -> Any:
        roles = frozenset({Role.ADMINISTRATOR})
        enter(Call(method, ADMINISTRATOR, Role.GATEWAY, ADMINISTRATOR, roles, "case 4711", new_id(), ""))
        return await getattr(self._servicer, method)(request, None)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path) as house:
        yield house


@pytest.fixture
def client(house: House) -> Iterator[Client]:
    pool = WorkPool(threads=1, queue=8)
    yield Client(TrustServicer(house.app, pool))
    pool.close()


async def test_what_goes_in_comes_out(client: Client, house: House):
    csca = sha256(utopia().csca.der)
    request = pb.ImportTrustRequest(file=utopia().ldif, source="PKD, 24 November", issuer_sha256=csca)
    answer = await client.call("ImportTrust", request)
    assert answer == pb.ImportTrustResponse(
        kind=pb.TRUST_FILE_KIND_LDIF,
        version=1,
        added=5,
        revocation_lists_added=2,
        certificates=5,
        countries=2,
        skipped=2,
    )
    assert [event.purpose for event in house.events()] == ["case 4711"]

    listed = await client.call("ListTrusted", pb.ListTrustedRequest(country="ut"))
    assert (listed.version, listed.total, len(listed.certificates)) == (1, 5, 4)
    assert listed.changed_at == to_timestamp(NOW)
    assert [(each.country, each.revoked) for each in listed.revocation_lists] == [(pki.COUNTRY, 1)]
    (shown,) = [each for each in listed.certificates if each.sha256 == csca]
    assert (shown.country, shown.link, list(shown.sources)) == ("UT", False, ["PKD, 24 November"])
    assert (shown.key, shown.serial) == ("EC P-256", "3")
    assert shown.key_id == utopia().csca.key.key_id()
    assert shown.not_after == to_timestamp(utopia().csca.certificate.not_valid_after)

    got = await client.call("GetTrusted", pb.GetTrustedRequest(id=csca.hex()[:8]))
    assert (got.certificate, got.der) == (shown, utopia().csca.der)
    assert [each.link for each in got.related] == [True]


async def test_refusals_are_told_with_place_subject_and_reason(client: Client):
    listed = [utopia().csca.certificate, utopia().signer.certificate]
    spoiled = pki.master_list(listed, utopia().csca, utopia().list_signer, NOW)
    request = pb.ImportTrustRequest(file=spoiled, issuer_sha256=sha256(utopia().csca.der))
    (refusal,) = (await client.call("ImportTrust", request)).refused
    assert refusal.reason == "NOT_A_CSCA"
    assert refusal.subject.startswith("CN=Document Signer SPECIMEN,")


async def test_pages_join(client: Client):
    await client.call(
        "ImportTrust",
        pb.ImportTrustRequest(file=utopia().ldif, issuer_sha256=sha256(utopia().csca.der)),
    )
    request, seen, pages = pb.ListTrustedRequest(page_size=2), [], []
    while True:
        page = await client.call("ListTrusted", request)
        pages.append(page)
        seen += [each.sha256 for each in page.certificates]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert (len(seen), len(set(seen))) == (5, 5)
    assert [len(page.revocation_lists) for page in pages] == [2, 0, 0]


async def test_an_empty_store_lists_nothing_at_version_0(client: Client):
    assert await client.call("ListTrusted", pb.ListTrustedRequest()) == pb.ListTrustedResponse()


@pytest.mark.parametrize(
    ("method", "request_", "code", "reason"),
    [
        ("ImportTrust", pb.ImportTrustRequest(), "INVALID_ARGUMENT", "INVALID_REQUEST"),
        ("ImportTrust", pb.ImportTrustRequest(file=b"x"), "INVALID_ARGUMENT", "TRUST_FILE_UNREADABLE"),
        ("ListTrusted", pb.ListTrustedRequest(country="DEU"), "INVALID_ARGUMENT", "INVALID_REQUEST"),
        ("GetTrusted", pb.GetTrustedRequest(id="0123456"), "INVALID_ARGUMENT", "INVALID_REQUEST"),
        ("GetTrusted", pb.GetTrustedRequest(id="01234567"), "NOT_FOUND", "CERTIFICATE_NOT_FOUND"),
    ],
)
async def test_a_wrong_request_is_a_typed_error(client: Client, method, request_, code, reason):
    with pytest.raises(BorderpostError) as caught:
        await client.call(method, request_)
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode[code], reason)


async def test_a_refused_file_says_its_reason_code_too(client: Client):
    with pytest.raises(BorderpostError) as caught:
        await client.call("ImportTrust", pb.ImportTrustRequest(file=utopia().master_list))
    assert caught.value.reason == "TRUST_FILE_REFUSED"
    assert caught.value.details == {"refusal": "MASTER_LIST_SIGNER_UNKNOWN"}


@pytest.mark.parametrize(
    ("check", "request_", "field"),
    [
        (validate.import_trust, pb.ImportTrustRequest(file=bytes(validate.MAX_FILE_BYTES + 1)), "file"),
        (validate.import_trust, pb.ImportTrustRequest(file=b"x", source="s" * 201), "source"),
        (validate.import_trust, pb.ImportTrustRequest(file=b"x", source="a\nb"), "source"),
        (validate.import_trust, pb.ImportTrustRequest(file=b"x", issuer_sha256=b"1"), "issuer_sha256"),
        (validate.list_trusted, pb.ListTrustedRequest(country="1%"), "country"),
        (validate.list_trusted, pb.ListTrustedRequest(page_size=501), "page_size"),
        (validate.list_trusted, pb.ListTrustedRequest(page_token="abc"), "page_token"),  # noqa: S106
        (validate.list_trusted, pb.ListTrustedRequest(page_token="A" * 54 + "=="), "page_token"),
        (validate.get_trusted, pb.GetTrustedRequest(id="%" * 8), "id"),
        (validate.get_trusted, pb.GetTrustedRequest(id="0" * 65), "id"),
    ],
)
def test_a_wrong_field_is_named(check, request_, field):
    with pytest.raises(InvalidRequestError, match=f"^{field}: got ") as caught:
        check(request_)
    assert caught.value.details["field"] == field


def test_a_time_out_of_bounds_is_refused():
    request = pb.ListTrustedRequest()
    request.valid_at.seconds = 1 << 60
    with pytest.raises(InvalidRequestError, match="valid_at"):
        validate.list_trusted(request)


@given(st.integers(1, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_a_page_token_says_what_was_put_in(version: int, last: bytes):
    assert parse_page_token(make_page_token(version, last)) == (version, last)
