"""What a traveler can do about each capture problem, in plain words (English)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from borderpost.faces.domain import CaptureProblem

ADVICE: Final[Mapping[CaptureProblem, str]] = {
    CaptureProblem.NO_FACE: "No face was seen. Stand in front of the camera and look straight at it.",
    CaptureProblem.FACE_TOO_SMALL: "Come closer to the camera.",
    CaptureProblem.SEVERAL_FACES: "More than one face was seen. Please step up alone.",
    CaptureProblem.TOO_BLURRED: "The picture is blurred. Hold still for a moment.",
    CaptureProblem.TOO_DARK: "Your face is too dark. Turn towards the light.",
    CaptureProblem.TOO_BRIGHT: "Your face is too brightly lit. Step out of the direct light.",
    CaptureProblem.HEAD_TURNED: "Turn your head to look straight at the camera.",
    CaptureProblem.HEAD_TILTED: "Hold your head upright.",
    CaptureProblem.FACE_CUT_OFF: "Your face is not fully in the picture. Move to its middle.",
    CaptureProblem.DIFFERENT_FACES: "Different people were seen. Please stand alone, and stay until the end.",
}
