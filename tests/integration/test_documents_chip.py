"""DocumentsService with chips: challenged by the service itself, judged, held against the page. No picture is read."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from borderpost.documents.app import Documents
from borderpost.documents.challenge import Challenges
from borderpost.documents.pages import Pages
from borderpost.documents.pki.certificates import parse_certificate
from borderpost.documents.servicer import DocumentsServicer
from borderpost.documents.trust.domain import NOTHING_TRUSTED
from borderpost.kiosk.chip import FILES, chip_files
from borderpost.runtime.calls import Actor, Call, Role, enter
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.pool import WorkPool
from borderpost.specimens.chip import Protection, make_chip
from borderpost.v1 import documents_pb2 as pb
from borderpost.v1 import types_pb2
from fakes.chips import LINES, SIGNED, order, snapshot
from fakes.documents import FakeCropper, FakeMrzReader, FixedTrust, line

NOW = SIGNED + timedelta(days=20)
PASSED, FAILED = types_pb2.CHECK_STATUS_PASSED, types_pb2.CHECK_STATUS_FAILED
UNDETERMINED = types_pb2.CHECK_STATUS_UNDETERMINED


class At:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW


@pytest.fixture(scope="module")
def genuine():
    return make_chip(order())


class Desk:
    """The service as a kiosk sees it."""

    def __init__(self, trust):
        challenges = Challenges(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), At())
        reader = FakeMrzReader([line(text) for text in LINES])
        pages = Pages(reader, FakeCropper(), accept_specimens=True)
        self._pool = WorkPool(1, 4)
        self._servicer = DocumentsServicer(Documents(pages, trust, challenges), challenges, self._pool)
        self.visit_id = new_id()

    def close(self):
        self._pool.close()

    async def challenge(self, visit_id=None, kiosk="kiosk/north/1"):
        _as(kiosk)
        request = pb.IssueChipChallengeRequest(visit_id=visit_id or self.visit_id)
        return await self._servicer.IssueChipChallenge(request, None)

    async def read(self, chip=None, kiosk="kiosk/north/1", page=None, **more):
        _as(kiosk)
        request = pb.ReadDocumentRequest(
            page=_page() if page is None else page,
            at=to_timestamp(NOW),
            chip=chip,
            visit_id=self.visit_id,
            **more,
        )
        return await self._servicer.ReadDocument(request, None)


@pytest.fixture
def desk(genuine):
    desk = Desk(FixedTrust(snapshot([parse_certificate(genuine.csca)], [genuine.crl])))
    yield desk
    desk.close()


def _as(kiosk):
    actor = Actor("borderpost.test", kiosk)
    enter(Call("", actor, Role.GATEWAY, actor, frozenset({Role.KIOSK}), "", "", ""))


def _page():
    out = io.BytesIO()
    Image.new("RGB", (64, 48)).save(out, "PNG")
    return out.getvalue()


def statuses(verdict):
    return {check.name: (check.status, list(check.reasons)) for check in verdict.checks}


async def test_a_genuine_chip_that_signed_our_nonce_passes_everything(desk, genuine):
    answer = await desk.read(chip_files(genuine, await desk.challenge()))
    assert (answer.electronic.status, answer.consistency.status) == (PASSED, PASSED)
    assert answer.chip.clone_protection == pb.CLONE_PROTECTION_PROVEN
    assert (answer.trust_store_version, answer.chip.signer.country) == (1, "UT")
    assert answer.chip_portrait.startswith(b"\xff\xd8")
    assert tuple(answer.chip.mrz.lines) == LINES


async def test_of_a_chip_alone_the_page_is_not_judged_and_nothing_asks_for_another_picture(desk, genuine):
    answer = await desk.read(chip_files(genuine, await desk.challenge()), page=b"")
    assert answer.electronic.status == PASSED
    assert statuses(answer.optical)["MRZ_FOUND"] == (types_pb2.CHECK_STATUS_NOT_PERFORMED, ["PAGE_NOT_SENT"])
    assert (answer.optical.status, answer.consistency.status) == (UNDETERMINED, UNDETERMINED)
    assert (list(answer.problems), answer.portrait, answer.reader) == ([], b"", "")
    assert not answer.HasField("mrz")
    assert tuple(answer.chip.mrz.lines) == LINES


async def test_without_a_page_the_chip_must_say_what_a_page_would(desk, genuine):
    files = chip_files(genuine, await desk.challenge())
    files.dg1 = b""
    with pytest.raises(InvalidRequestError, match="page: got none, want one, or data group 1"):
        await desk.read(files, page=b"")


async def test_without_a_chip_nothing_electronic_was_checked_and_nothing_passed(desk):
    answer = await desk.read()
    assert (answer.electronic.status, answer.consistency.status) == (UNDETERMINED, UNDETERMINED)
    assert not answer.HasField("chip")
    assert not answer.chip_portrait


@pytest.mark.parametrize(
    ("asked", "told", "reason"),
    [
        ({"visit_id": "0192b1f4-7c1e-7d3a-8f00-000000000002"}, {}, "CHIP_CHALLENGE_FOR_ANOTHER_VISIT"),
        ({"kiosk": "kiosk/north/2"}, {}, "CHIP_CHALLENGE_FOR_ANOTHER_CALLER"),
    ],
    ids=["another visit", "another kiosk"],
)
async def test_an_answer_to_a_challenge_for_somebody_else_proves_nothing(desk, genuine, asked, told, reason):
    answer = await desk.read(chip_files(genuine, await desk.challenge(**asked)), **told)
    assert statuses(answer.electronic)["CLONE_PROTECTION"] == (UNDETERMINED, [reason])
    assert answer.chip.clone_protection == pb.CLONE_PROTECTION_UNVERIFIED


async def test_a_nonce_of_the_kiosks_own_choice_proves_nothing(desk, genuine):
    own = pb.IssueChipChallengeResponse(nonce=bytes(8), challenge_token=b"made up")
    answer = await desk.read(chip_files(genuine, own))
    assert statuses(answer.electronic)["CLONE_PROTECTION"] == (UNDETERMINED, ["CHIP_CHALLENGE_UNREADABLE"])


async def test_an_answer_to_an_earlier_nonce_of_the_same_visit_is_refuted(desk, genuine):
    early, late = await desk.challenge(), await desk.challenge()
    sent = chip_files(genuine, early)
    sent.active_authentication.challenge_token = late.challenge_token
    answer = await desk.read(sent)
    assert answer.chip.clone_protection == pb.CLONE_PROTECTION_REFUTED
    assert answer.electronic.status == FAILED


async def test_what_the_reader_merely_claims_is_unverified(desk):
    chip = make_chip(order(protection=Protection.CHIP))
    answer = await desk.read(chip_files(chip, claimed=True))
    assert answer.chip.clone_protection == pb.CLONE_PROTECTION_UNVERIFIED
    assert answer.electronic.status == UNDETERMINED


async def test_a_chip_without_any_protection_could_be_a_clone(desk):
    answer = await desk.read(chip_files(make_chip(order(protection=Protection.NONE))))
    assert answer.chip.clone_protection == pb.CLONE_PROTECTION_COULD_BE_A_CLONE
    assert answer.electronic.status == UNDETERMINED


async def test_a_chip_of_a_state_that_is_not_trusted_is_undetermined(genuine):
    desk = Desk(FixedTrust(NOTHING_TRUSTED))
    answer = await desk.read(chip_files(genuine, await desk.challenge()))
    desk.close()
    assert answer.electronic.status == UNDETERMINED
    assert statuses(answer.electronic)["SIGNER_ISSUER"] == (UNDETERMINED, ["TRUST_ANCHOR_UNKNOWN"])
    assert answer.trust_store_version == 0


async def test_the_chip_of_another_page_is_not_consistent(desk):
    lines = (LINES[0].replace("ANNA", "EMMA"), LINES[1])
    other = make_chip(replace(order(), lines=lines))
    answer = await desk.read(chip_files(other, await desk.challenge()))
    assert (answer.electronic.status, answer.consistency.status) == (PASSED, FAILED)
    assert statuses(answer.consistency)["MRZ_IS_THE_CHIPS"] == (FAILED, ["MRZ_DIFFERS_FROM_CHIP"])


@pytest.mark.parametrize(
    ("chip", "says"),
    [
        (pb.ChipFiles(), "chip: got no file"),
        (pb.ChipFiles(sod=bytes(4 * 1024 * 1024 + 1)), "chip: got"),
        (pb.ChipFiles(sod=b"x", active_authentication=pb.ActiveAuthentication()), "signature"),
        (
            pb.ChipFiles(sod=b"x", active_authentication=pb.ActiveAuthentication(signature=bytes(2000))),
            "signature",
        ),
    ],
    ids=["nothing", "too large", "no signature", "long signature"],
)
async def test_what_is_no_chip_is_refused_with_the_field(desk, chip, says):
    with pytest.raises(InvalidRequestError, match=says):
        await desk.read(chip)


async def test_a_challenge_needs_a_visit(desk):
    with pytest.raises(InvalidRequestError, match="visit_id"):
        await desk.challenge(visit_id="not an id")


@pytest.mark.parametrize(
    "content", [b"\x00", b"\x77\x84\xff\xff\xff\xff", b"\x77\x80" * 1000, bytes(100_000)]
)
async def test_hostile_files_are_failed_checks_not_errors(desk, content):
    files = {name.lower(): content for name in FILES}
    answer = await desk.read(pb.ChipFiles(**files))
    assert answer.electronic.status == FAILED
    assert answer.chip.clone_protection != pb.CLONE_PROTECTION_PROVEN


async def test_the_time_of_each_step_is_told(desk, genuine):
    answer = await desk.read(chip_files(genuine, await desk.challenge()))
    assert {"chip_passive", "chip_active", "chip_portrait"} <= {stage.stage for stage in answer.stages}
