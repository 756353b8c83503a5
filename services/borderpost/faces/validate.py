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
    _check_profile(request.profile, "profile")


def check_locate_eyes(request: faces_pb2.LocateEyesRequest) -> None:
    """Raise InvalidRequestError unless there are pictures, and not too many."""
    count = len(request.pictures)
    if not 1 <= count <= MAX_FRAMES:
        raise InvalidRequestError(f"pictures: got {count}, want 1 to {MAX_FRAMES}", field="pictures")


def check_compare(request: faces_pb2.CompareRequest) -> None:
    """Raise InvalidRequestError unless there are two samples and a rate in its bounds."""
    probe, reference = request.WhichOneof("probe_sample"), request.WhichOneof("reference_sample")
    for field, sample in (("probe", probe), ("reference", reference)):
        if sample is None:
            raise InvalidRequestError(f"{field}: got nothing, want a template or a picture", field=field)
    if probe == "probe_picture":
        _check_profile(request.probe_picture.profile, "probe_picture.profile")
    if reference == "reference_picture":
        _check_profile(request.reference_picture.profile, "reference_picture.profile")
    rate = request.target_fmr
    if not (math.isfinite(rate) and 0.0 < rate <= MAX_FMR_TARGET):
        raise InvalidRequestError(
            f"target_fmr: got {rate:g}, want a rate above 0 and at most {MAX_FMR_TARGET:g}",
            field="target_fmr",
        )


def _check_profile(profile: faces_pb2.CaptureProfile.ValueType, field: str) -> None:
    known = faces_pb2.CaptureProfile.values()
    if profile == faces_pb2.CAPTURE_PROFILE_UNSPECIFIED or profile not in known:
        raise InvalidRequestError(
            f"{field}: got {profile}, want what the picture is for (CaptureProfile)", field=field
        )
