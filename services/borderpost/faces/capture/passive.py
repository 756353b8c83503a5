"""Liveness by a passive model: one look at one picture, without asking the traveler for anything. Pure.

None comes with Borderpost. An agency that has one describes it in a card, a TOML file:

    name = "..."            # shown as the method, with the version
    version = "..."
    file = "model.onnx"     # beside the card
    sha256 = "..."          # verified before every load
    licence = "..."
    holder = "..."
    provenance = "..."
    measured = false        # whether its error rates (APCER, BPCER) were measured on the agency's own captures
    side = 80               # the model takes side × side pixels
    crop = 2.7              # cut around the face: this many times the longer side of its box
    colour = "BGR"          # or "RGB"
    mean = [0.0, 0.0, 0.0]  # (value − mean) / scale, value 0 to 255, in the order of `colour`
    scale = [1.0, 1.0, 1.0]
    softmax = true          # whether the outputs are still to be made into shares
    live = 1                # which output is "live"
    threshold = 0.5         # live from this share on
"""

from __future__ import annotations

from typing import Final

from borderpost.faces.domain import Face, FaceBox, Liveness, Status
from borderpost.faces.ports import PassiveLiveness
from borderpost.runtime.pictures import Rgb

REASON: Final = "PASSIVE_NOT_LIVE"


def judge(model: PassiveLiveness, picture: Rgb, face: Face) -> Liveness:
    """PASSED from the card's threshold on, FAILED below it."""
    card = model.card
    passed = model.live_share(picture, face) >= card.threshold
    return Liveness(
        Status.PASSED if passed else Status.FAILED,
        card.name,
        card.version,
        measured=card.measured,
        reasons=() if passed else (REASON,),
    )


def square_around(box: FaceBox, crop: float) -> FaceBox:
    """The square that is cut around a face. It may reach beyond the picture's edges."""
    side = round(max(box.width, box.height) * crop)
    x, y = box.centre
    return FaceBox(round(x - side / 2), round(y - side / 2), side, side)
