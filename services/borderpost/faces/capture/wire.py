"""Guided captures between faces.proto and the domain, both ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from borderpost.faces.capture.app import CaptureResult
from borderpost.faces.capture.session import Guidance
from borderpost.faces.capture.token import TOKEN_LIFE
from borderpost.faces.domain import CaptureAction, CaptureEnd, CaptureProblem
from borderpost.faces.messages import advice, prompt
from borderpost.faces.wire import to_box, to_liveness
from borderpost.runtime.clock import is_id
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1 import faces_pb2, types_pb2

_ACTIONS: Final[Mapping[CaptureAction, faces_pb2.CaptureAction.ValueType]] = {
    CaptureAction.LOOK_STRAIGHT: faces_pb2.CAPTURE_ACTION_LOOK_STRAIGHT,
    CaptureAction.TURN_LEFT: faces_pb2.CAPTURE_ACTION_TURN_LEFT,
    CaptureAction.TURN_RIGHT: faces_pb2.CAPTURE_ACTION_TURN_RIGHT,
    CaptureAction.BLINK: faces_pb2.CAPTURE_ACTION_BLINK,
    CaptureAction.MOVE_CLOSER: faces_pb2.CAPTURE_ACTION_MOVE_CLOSER,
}

_ENDS: Final[Mapping[CaptureEnd, faces_pb2.CaptureEnd.ValueType]] = {
    CaptureEnd.COMPLETE: faces_pb2.CAPTURE_END_COMPLETE,
    CaptureEnd.BY_CALLER: faces_pb2.CAPTURE_END_BY_CALLER,
    CaptureEnd.TIME: faces_pb2.CAPTURE_END_TIME,
    CaptureEnd.FRAMES: faces_pb2.CAPTURE_END_FRAMES,
    CaptureEnd.SILENCE: faces_pb2.CAPTURE_END_SILENCE,
}


def from_start(request: faces_pb2.GuideCaptureRequest) -> faces_pb2.CaptureStart:
    """The first message, checked. Raises InvalidRequestError."""
    if request.WhichOneof("step") != "start":
        raise InvalidRequestError("step: got no start, want it as the first message", field="step")
    if not is_id(request.start.visit_id):
        raise InvalidRequestError(
            "start.visit_id: want a UUIDv7 in canonical text form", field="start.visit_id"
        )
    return request.start


def from_frame(request: faces_pb2.GuideCaptureRequest, last_captured_ms: int) -> faces_pb2.CaptureFrame:
    """Every other message, checked. Raises InvalidRequestError."""
    if request.WhichOneof("step") != "frame":
        raise InvalidRequestError("step: got no frame, want one in every message but the first", field="step")
    if request.frame.captured_ms < last_captured_ms:
        raise InvalidRequestError(
            f"frame.captured_ms: got {request.frame.captured_ms} after {last_captured_ms}, want times that don't fall",
            field="frame.captured_ms",
        )
    return request.frame


def to_session(session_id: str, ends_in_ms: int, max_frames: int) -> faces_pb2.GuideCaptureResponse:
    """The first answer."""
    session = faces_pb2.CaptureSession(session_id=session_id, ends_in_ms=ends_in_ms, max_frames=max_frames)
    return faces_pb2.GuideCaptureResponse(session=session)


def to_guidance(guidance: Guidance, language: str) -> faces_pb2.GuideCaptureResponse:
    """The answer to one frame."""
    return faces_pb2.GuideCaptureResponse(
        guidance=faces_pb2.CaptureGuidance(
            frame=guidance.frame,
            action=_ACTIONS[guidance.action],
            prompt=prompt(guidance.action, language),
            problems=_to_problems(guidance.problems, language),
            box=to_box(guidance.box) if guidance.box else None,
            progress=guidance.progress,
            kept=guidance.kept,
        )
    )


def to_result(result: CaptureResult, language: str) -> faces_pb2.GuideCaptureResponse:
    """The last answer."""
    return faces_pb2.GuideCaptureResponse(
        result=faces_pb2.CaptureResult(
            end=_ENDS[result.end],
            frames=result.frames,
            capture_token=result.token,
            token_expires_in_ms=round(TOKEN_LIFE.total_seconds() * 1000) if result.token else 0,
            liveness=to_liveness(result.liveness),
            problems=_to_problems(result.problems, language),
        )
    )


def _to_problems(problems: Iterable[CaptureProblem], language: str) -> list[types_pb2.CaptureProblem]:
    return [
        types_pb2.CaptureProblem(code=problem.value, advice=advice(problem, language)) for problem in problems
    ]
