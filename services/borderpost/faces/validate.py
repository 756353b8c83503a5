"""What a request must have before a use case sees it; faces.proto says the same in words."""

from __future__ import annotations

import math

from borderpost.faces.app import MAX_FRAMES
from borderpost.runtime.calibration import MAX_FMR_TARGET
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1 import faces_pb2


def check_extract_template(request: faces_pb2.ExtractTemplateRequest) -> None:
    """Raise InvalidRequestError unless there are frames, not too many, and a profile."""
    count = len(request.frames)
    if not 1 <= count <= MAX_FRAMES:
        raise InvalidRequestError(
            f"frames: got {count}, want 1 to {MAX_FRAMES} pictures of one person", field="frames"
        )
    known = faces_pb2.CaptureProfile.values()
    if request.profile == faces_pb2.CAPTURE_PROFILE_UNSPECIFIED or request.profile not in known:
        raise InvalidRequestError(
            f"profile: got {request.profile}, want what the pictures are for (CaptureProfile)",
            field="profile",
        )


def check_compare(request: faces_pb2.CompareRequest) -> None:
    """Raise InvalidRequestError unless there are two templates and a rate in its bounds."""
    for field in ("probe", "reference"):
        if not request.HasField(field):
            raise InvalidRequestError(f"{field}: got nothing, want a template", field=field)
    rate = request.target_fmr
    if not (math.isfinite(rate) and 0.0 < rate <= MAX_FMR_TARGET):
        raise InvalidRequestError(
            f"target_fmr: got {rate:g}, want a rate above 0 and at most {MAX_FMR_TARGET:g}",
            field="target_fmr",
        )
