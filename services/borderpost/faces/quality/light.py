"""Light on the face: exposure, evenness and dynamic range, of the standard's linear luminance."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.faces.domain import Component, QualityMeasure
from borderpost.faces.quality.crop import ABOVE, PIXELS_BETWEEN_EYES, SIDE
from borderpost.faces.quality.limits import Limits
from borderpost.faces.quality.scale import judged, sigmoid
from borderpost.runtime.pictures import Rgb

Luminance = npt.NDArray[np.uint8]
"""0 to 255, proportional to the light: the values as stored, without their gamma."""

LEVELS: Final = 256

WEIGHTS: Final = (0.2126, 0.7152, 0.0722)
"""ITU-R BT.709: red, green, blue."""


def _linear_tables() -> npt.NDArray[np.float32]:
    """What each stored value of each channel adds to the luminance (sRGB, IEC 61966-2-1)."""
    stored = np.arange(LEVELS) / 255
    light = np.where(stored > 0.04045, ((stored + 0.055) / 1.055) ** 2.4, stored / 12.92)
    return (255 * np.outer(WEIGHTS, light)).astype(np.float32)


_TABLES: Final = _linear_tables()


def linear_luminance(crop: Rgb) -> Luminance:
    """The luminance of a face crop, as the standard takes it (OFIQ `GetLuminanceImageFromBGR`)."""
    red, green, blue = (_TABLES[channel][crop[..., channel]] for channel in range(3))
    luminance: Luminance = np.rint(red + green + blue).astype(np.uint8)
    return luminance


def light(crop: Rgb, limits: Limits) -> tuple[QualityMeasure, ...]:
    """Exposure both ways, evenness, dynamic range of a face crop."""
    luminance = linear_luminance(crop)
    shares = _histogram(luminance)
    return (
        _under_exposure(shares, limits),
        _over_exposure(shares, limits),
        _uniformity(luminance, limits),
        _dynamic_range(shares, limits),
    )


UNDER_EXPOSED_UP_TO: Final = 25
OVER_EXPOSED_FROM: Final = 247
"""ISO/IEC 29794-5 as in OFIQ: luminance 0 to 25 counts as black, 247 to 255 as white."""


def _under_exposure(shares: npt.NDArray[np.float64], limits: Limits) -> QualityMeasure:
    share = float(shares[: UNDER_EXPOSED_UP_TO + 1].sum())
    value = 120 * (0.832 - sigmoid(share, 0.92, 0.05))
    return judged(
        Component.UNDER_EXPOSURE_PREVENTION,
        share,
        "share",
        value,
        passed=share <= limits.max_under_exposed,
    )


def _over_exposure(shares: npt.NDArray[np.float64], limits: Limits) -> QualityMeasure:
    share = float(shares[OVER_EXPOSED_FROM:].sum())
    value = 1 / (share + 0.01)
    return judged(
        Component.OVER_EXPOSURE_PREVENTION, share, "share", value, passed=share <= limits.max_over_exposed
    )


ZONE: Final = 0.3
"""Side of the two cheek zones in inter-eye distances, as in OFIQ `CalculateRegionOfInterest`."""

ZONE_BELOW: Final = 0.55
"""Upper edge of the zones below the eyes: half the way to the mouth in OFIQ. Five points have no mouth; it lies
about 1.1 inter-eye distances below the eyes."""


def _uniformity(luminance: Luminance, limits: Limits) -> QualityMeasure:
    """What the histograms of both cheeks have in common, 0 to 1."""
    top, side = round((ABOVE + ZONE_BELOW) * PIXELS_BETWEEN_EYES), round(ZONE * PIXELS_BETWEEN_EYES)
    left = round((SIDE - PIXELS_BETWEEN_EYES) / 2)
    zones = (luminance[top : top + side, x : x + side] for x in (left, SIDE - left - side))
    common = float(np.minimum(*(_histogram(zone) for zone in zones)).sum())
    return judged(
        Component.ILLUMINATION_UNIFORMITY,
        common,
        "share",
        100 * common**0.3,
        passed=common >= limits.min_uniformity,
    )


def _dynamic_range(shares: npt.NDArray[np.float64], limits: Limits) -> QualityMeasure:
    """Entropy of the luminance."""
    present = shares[shares > 0]
    bits = -float((present * np.log2(present)).sum()) + 0.0  # no -0.0
    return judged(Component.DYNAMIC_RANGE, bits, "bits", 12.5 * bits, passed=bits >= limits.min_dynamic_range)


def _histogram(luminance: Luminance) -> npt.NDArray[np.float64]:
    """The share of each level."""
    return np.bincount(luminance.ravel(), minlength=LEVELS) / luminance.size
