"""A guided capture by a kiosk over the whole stack, and what its token is worth to the screening that follows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest

from borderpost.cli.people import OFFICER, Person
from borderpost.kiosk.camera import StillCamera
from borderpost.kiosk.client import Kiosk
from borderpost.kiosk.visits import Guided, Visit
from borderpost.v1 import decisions_pb2, faces_pb2, types_pb2

FRAMES_WITHOUT_END = 10_000


@dataclass
class Capture:
    visit: Visit
    guided: Guided
    told: list[faces_pb2.CaptureGuidance]


def capture(kiosk, picture, challenge, frames=FRAMES_WITHOUT_END):
    visit, camera, told = Visit(), StillCamera(picture), []
    guided = kiosk.guide(visit, itertools.islice(camera, frames), told.append, challenge, "de")
    return Capture(visit, guided, told)


@pytest.fixture(scope="module")
def broken_off(stack, travelers):
    """One with a challenge, which the caller ends: its token says UNDETERMINED, and why."""
    with Kiosk(stack.settings, "kiosk/north/1") as kiosk:
        return capture(kiosk, travelers.samples.a_live, challenge=True, frames=20)


def liveness_of(stack, answer):
    """What the record says of liveness: the check's status and reasons, and the method."""
    with Person(stack.settings, OFFICER, "a test") as officer:
        request = decisions_pb2.GetScreeningRequest(request_id=answer.request_id)
        record = officer.ask(officer.decisions.GetScreening, request)
    checks = record.entry.event.traveler_screened.checks
    (check,) = [check for check in checks if check.name == "LIVENESS"]
    return check.status, list(check.reasons), record.payload.liveness


def test_a_capture_completes_in_the_travelers_language_and_its_frames_clear_them(stack, kiosk, travelers):
    complete = capture(kiosk, travelers.samples.a_live, challenge=False)
    guided = complete.guided
    assert guided.result.end == faces_pb2.CAPTURE_END_COMPLETE
    assert len(guided.frames) == 5
    assert complete.told[-1].progress == 100
    assert "Kamera" in complete.told[0].prompt
    answer = kiosk.send(kiosk.request(complete.visit, travelers.page_a, guided.frames, guided.token))
    assert answer.outcome == types_pb2.OUTCOME_CLEAR
    status, reasons, _ = liveness_of(stack, answer)
    assert (status, reasons) == (types_pb2.CHECK_STATUS_NOT_PERFORMED, ["LIVENESS_NOT_PERFORMED"])


def test_what_the_token_says_comes_into_the_record_with_its_method_called_unmeasured(
    stack, kiosk, travelers, broken_off
):
    guided = broken_off.guided
    assert guided.result.end == faces_pb2.CAPTURE_END_BY_CALLER
    answer = kiosk.send(kiosk.request(broken_off.visit, travelers.page_a, guided.frames, guided.token))
    status, reasons, liveness = liveness_of(stack, answer)
    assert (status, reasons) == (
        types_pb2.CHECK_STATUS_UNDETERMINED,
        ["LIVENESS_UNDETERMINED", "CHALLENGE_NOT_FINISHED"],
    )
    assert (liveness.method, liveness.measured) == ("challenge 1", False)


def test_a_token_that_does_not_fit_never_stops_the_screening_and_says_why(
    stack, kiosk, travelers, broken_off
):
    guided, visit = broken_off.guided, broken_off.visit
    altered = bytearray(guided.token)
    altered[-1] ^= 1
    another = [travelers.samples.a_live]
    tried = {
        "ALTERED": (visit, guided.frames, bytes(altered)),
        "UNREADABLE": (visit, guided.frames, b"\xff"),
        "FOR_ANOTHER_VISIT": (Visit(), guided.frames, guided.token),
        "FOR_OTHER_FRAMES": (visit, another, guided.token),
    }
    for reason, (of_visit, frames, token) in tried.items():
        answer = kiosk.send(kiosk.request(of_visit, travelers.page_a, frames, token))
        status, reasons, _ = liveness_of(stack, answer)
        assert status == types_pb2.CHECK_STATUS_UNDETERMINED
        assert reasons == ["LIVENESS_UNDETERMINED", f"CAPTURE_TOKEN_{reason}"]
        assert answer.outcome == types_pb2.OUTCOME_CLEAR, "the default policy doesn't require liveness"


def test_another_kiosk_can_not_use_the_token(stack, travelers, broken_off):
    guided = broken_off.guided
    with Kiosk(stack.settings, "kiosk/south/1") as other:
        answer = other.send(other.request(broken_off.visit, travelers.page_a, guided.frames, guided.token))
    assert liveness_of(stack, answer)[1] == ["LIVENESS_UNDETERMINED", "CAPTURE_TOKEN_FOR_ANOTHER_CALLER"]


def test_the_token_holds_after_the_service_was_started_again(stack, kiosk, travelers, broken_off, away):
    with away("faces"):
        pass
    guided = broken_off.guided
    answer = kiosk.send(kiosk.request(broken_off.visit, travelers.page_a, guided.frames, guided.token))
    assert liveness_of(stack, answer)[1] == ["LIVENESS_UNDETERMINED", "CHALLENGE_NOT_FINISHED"]
